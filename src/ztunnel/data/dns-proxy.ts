/**
 * The DNS server of one pod, to which the pod's port 53 is redirected (facts ztunnel-wire 2.1 rules 11 and 12, 12).
 *
 * States: starting -> running -> draining -> stopped. A start that fails closes what it had opened. While draining no
 * TCP connection is accepted; the UDP sockets close once no answer is owed on them.
 */
import type { Socket as UdpSocket } from 'node:dgram';
import { AmbitError, errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { DnsTcpSession, type DnsTcpSessionDeps } from '../../dns/dns-tcp-session.ts';
import { openQuietly } from '../../hbone/open-quietly.ts';
import { formatAddress } from '../../model/address.ts';
import type { InboundConnection } from '../../net/inbound-connection.ts';
import type { TcpListener } from '../../net/tcp-listener.ts';
import { DnsForwarder } from './dns-forwarder.ts';
import { lacksIpv6 } from './dns-network.ts';
import { DnsResolver } from './dns-resolver.ts';
import type { PodContext } from './pod-context.ts';

/** TCP connections of one pod; more are refused. */
const MAX_TCP_SESSIONS = 256;

export class DnsProxy {
  readonly #context: PodContext;
  readonly #logger: Logger;
  readonly #forwarder: DnsForwarder;
  readonly #resolver: DnsResolver;
  readonly #sessions = new Set<DnsTcpSession>();
  #listeners: TcpListener[] = [];
  #sockets: UdpSocket[] = [];
  #owed = 0;
  #draining = false;

  constructor(context: PodContext) {
    const { config, state, clock, random, local, dns } = context;
    this.#context = context;
    this.#logger = dns.logger;
    this.#forwarder = new DnsForwarder({
      network: context.dnsNetwork,
      nameservers: dns.nameservers,
      clock,
      randomId: dns.randomId,
    });
    this.#resolver = new DnsResolver(config, {
      state,
      clock,
      logger: dns.logger,
      random,
      metrics: dns.metrics,
      forwarder: this.#forwarder,
      client: () => local.current(),
      clientBefore: () => (local.closed ? undefined : { namespace: local.info.namespace, network: config.network }),
    });
  }

  /**
   * Listens on the loopback addresses of the pod.
   * @returns the port, which is the same for both protocols
   * @throws AmbitError LISTEN_FAILED when a port is taken; nothing is left open then
   */
  async start(): Promise<number> {
    const { dnsPort, ipv6Enabled } = this.#context.config;
    try {
      const port = await this.#listen('127.0.0.1', dnsPort);
      if (ipv6Enabled) await this.#listenIpv6(port);
      return port;
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  drain(): void {
    this.#draining = true;
    for (const listener of this.#listeners.splice(0)) listener.close();
    this.#closeUdpWhenDone();
  }

  stop(): void {
    this.drain();
    this.#forwarder.stop();
    for (const session of [...this.#sessions]) session.close();
    for (const socket of this.#sockets.splice(0)) socket.close();
  }

  async #listenIpv6(port: number): Promise<void> {
    try {
      await this.#listen('::1', port);
    } catch (error) {
      if (!(error instanceof AmbitError) || !lacksIpv6(error.cause)) throw error;
      this.#logger.debug('no IPv6 on the loopback of the pod: DNS over IPv4 alone', { error: errorText(error) });
    }
  }

  async #listen(address: string, asked: number): Promise<number> {
    const { dnsNetwork } = this.#context;
    try {
      const listener = await dnsNetwork.listenTcp({ address, port: asked }, (one) => this.#accept(one));
      this.#listeners.push(listener);
      const { port } = listener.endpoint;
      const socket = await dnsNetwork.listenUdp({ address, port });
      this.#sockets.push(socket);
      this.#serveUdp(socket);
      return port;
    } catch (error) {
      const where = formatAddress(address, asked);
      throw new AmbitError('LISTEN_FAILED', `cannot listen for DNS on ${where}: ${errorText(error)}`, { cause: error });
    }
  }

  #serveUdp(socket: UdpSocket): void {
    socket.on('error', (error) => this.#logger.debug('UDP socket', { error: errorText(error) }));
    socket.on('message', (message, { address, port }) => {
      const reply = this.#resolver.handle(message, 'udp');
      if (!(reply instanceof Promise)) return this.#sendUdp(socket, reply, address, port);
      this.#owed++;
      const settle = (bytes: Buffer | undefined) => {
        this.#owed--;
        this.#sendUdp(socket, bytes, address, port);
      };
      reply.then(settle, (error: unknown) => {
        // One lost answer must not end the process.
        this.#logger.error('query failed', { error: errorText(error) });
        settle(undefined);
      });
    });
  }

  #sendUdp(socket: UdpSocket, reply: Buffer | undefined, address: string, port: number): void {
    if (reply === undefined || !this.#sockets.includes(socket)) return;
    // A client that is gone is no news; the callback keeps its error off the socket.
    socket.send(reply, port, address, () => this.#closeUdpWhenDone());
  }

  #closeUdpWhenDone(): void {
    if (!this.#draining || this.#owed > 0) return;
    for (const socket of this.#sockets.splice(0)) socket.close();
  }

  #accept(connection: InboundConnection): void {
    if (this.#sessions.size >= MAX_TCP_SESSIONS) return connection.reject();
    const deps: DnsTcpSessionDeps = {
      clock: this.#context.clock,
      handle: (message) => this.#resolver.handle(message, 'tcp'),
      onClose: (session) => this.#sessions.delete(session),
    };
    this.#sessions.add(new DnsTcpSession(openQuietly(connection), deps));
  }
}
