/**
 * The DNS server of a local cluster, for pods that the mesh does not capture: the names of services, and nothing else.
 */
import type { Socket as UdpSocket } from 'node:dgram';
import { systemClock } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { admitQuery } from '../dns/admit-query.ts';
import type { DnsQuery } from '../dns/dns-message.ts';
import { type DnsAnswer, type DnsTransport, encodeDnsReply } from '../dns/dns-reply.ts';
import { DnsTcpSession } from '../dns/dns-tcp-session.ts';
import { CLASS_IN, RCODE, RECORD_TYPE } from '../dns/record-type.ts';
import { type IpAddress, isV4, parseIpAddress } from '../model/address.ts';
import type { InboundConnection } from '../net/inbound-connection.ts';
import { listenTcp } from '../net/tcp-listener.ts';
import { bindUdp } from '../net/udp-socket.ts';

/** Finds a name: lower case, without a final dot. Undefined: there is no such name. */
export type ClusterLookup = (name: string) => { readonly addresses: readonly string[] } | undefined;

export interface ClusterDnsOptions {
  /** Where to listen, with UDP and TCP. */
  readonly address: string;
  /** 0 lets the kernel choose one. */
  readonly port: number;
  readonly lookup: ClusterLookup;
}

export interface ClusterDns {
  readonly port: number;
  close(): Promise<void>;
}

/** Short: a manifest that was saved shall count at once. */
const TTL_SEC = 5;
const MAX_TCP_SESSIONS = 256;

/**
 * Starts the server.
 * @throws AmbitError LISTEN_* or NATIVE_* when the address or port cannot be had
 */
export async function startClusterDns(options: ClusterDnsOptions, deps: { logger: Logger }): Promise<ClusterDns> {
  const sessions = new Set<DnsTcpSession>();
  const accept = (connection: InboundConnection) => {
    if (sessions.size >= MAX_TCP_SESSIONS) return connection.reject();
    const socket = connection.open();
    sessions.add(
      new DnsTcpSession(socket, {
        clock: systemClock,
        handle: (message) => answer(message, 'tcp', options.lookup),
        onClose: (session) => sessions.delete(session),
      }),
    );
  };
  const { address } = options;
  const listener = await listenTcp(
    { endpoint: { address, port: options.port }, noDelay: true },
    { onConnection: accept, onError: (error) => deps.logger.warn('accept failed', { error: errorText(error) }) },
  );
  const { port } = listener.endpoint;
  let udp: UdpSocket;
  try {
    udp = await bindUdp({ endpoint: { address, port } });
  } catch (error) {
    listener.close();
    throw error;
  }
  udp.on('error', (error) => deps.logger.debug('UDP socket', { error: errorText(error) }));
  udp.on('message', (message, client) => {
    const reply = answer(message, 'udp', options.lookup);
    // A client that is gone is no news; the callback keeps its error off the socket.
    if (reply !== undefined) udp.send(reply, client.port, client.address, () => undefined);
  });
  return {
    port,
    async close() {
      listener.close();
      for (const session of sessions) session.close();
      await new Promise<void>((resolve) => udp.close(() => resolve()));
    },
  };
}

function answer(message: Uint8Array, transport: DnsTransport, lookup: ClusterLookup): Buffer | undefined {
  const admission = admitQuery(message, transport);
  if (admission.kind !== 'query') return admission.kind === 'reply' ? admission.bytes : undefined;
  const { query } = admission;
  const found = query.question.class === CLASS_IN ? lookup(query.question.name.toLowerCase()) : undefined;
  const known = found === undefined ? RCODE.NXDOMAIN : RCODE.NOERROR;
  const rcode = query.question.class === CLASS_IN ? known : RCODE.REFUSED;
  return encodeDnsReply({
    query,
    rcode,
    authoritative: rcode !== RCODE.REFUSED,
    recursionAvailable: false,
    answers: found === undefined ? [] : recordsOf(query, found.addresses),
    transport,
  });
}

function recordsOf({ question }: DnsQuery, addresses: readonly string[]): DnsAnswer[] {
  const wanted = (ip: IpAddress) => question.type === (isV4(ip) ? RECORD_TYPE.A : RECORD_TYPE.AAAA);
  return addresses
    .flatMap((text) => parseIpAddress(text) ?? [])
    .filter(wanted)
    .map((address) => ({ name: question.name, ttlSec: TTL_SEC, data: { kind: 'address', address } }));
}
