/**
 * Plain TCP that arrives at a pod, captured on 15006 (facts ztunnel-wire 8.2): policy sees no identity, so a STRICT
 * policy refuses it; what is allowed goes to the application with the client's address kept.
 */

import { openQuietly } from '../../hbone/open-quietly.ts';
import { type ProxyError, proxyError } from '../../hbone/proxy-error.ts';
import { canonicalIp, formatAddress, type IpAddress } from '../../model/address.ts';
import type { Workload } from '../../model/workload.ts';
import type { InboundConnection } from '../../net/inbound-connection.ts';
import { relaySockets } from '../../net/relay-sockets.ts';
import { authorizeInbound } from './authorize-inbound.ts';
import { isIllegalPort } from './illegal-ports.ts';
import { guessService } from './inbound-target.ts';
import { type PodContext, WORKLOAD_WAIT_MS, workloadText } from './pod-context.ts';
import { discard, ProxiedConnection } from './proxied-connection.ts';

interface PlainConnection {
  readonly peerIp: IpAddress;
  readonly peerPort: number;
  readonly ip: IpAddress;
  readonly port: number;
}

export class InboundPlaintext {
  readonly #context: PodContext;

  constructor(context: PodContext) {
    this.#context = context;
  }

  /** Takes a captured connection; every failure ends it and is reported. */
  accept(connection: InboundConnection): void {
    void this.#accept(connection);
  }

  async #accept(connection: InboundConnection): Promise<void> {
    const { peer, originalDestination } = connection;
    const plain: PlainConnection = {
      peerIp: canonicalIp(peer.address),
      peerPort: peer.port,
      ip: canonicalIp(originalDestination.address),
      port: originalDestination.port,
    };
    const { config, local } = this.#context;
    if (isIllegalPort(config, plain.port)) {
      return this.#refuse(connection, plain, proxyError('RECURSIVE_CALL', 'attempted recursive call to ourselves'));
    }
    const workload = await local.wait(WORKLOAD_WAIT_MS);
    if (workload === undefined) {
      const text = `failed to fetch information about local workload: ${workloadText(local.info)}`;
      return this.#refuse(connection, plain, proxyError('UNKNOWN_LOCAL_WORKLOAD', text));
    }
    await this.#forward(connection, plain, workload);
  }

  async #forward(connection: InboundConnection, plain: PlainConnection, workload: Workload): Promise<void> {
    const input = {
      identity: undefined,
      sourceIp: plain.peerIp,
      destinationIp: plain.ip,
      destinationPort: plain.port,
    };
    const proxied = this.#report(plain, workload, input);
    const denied = authorizeInbound(this.#context, workload, input);
    if (denied !== undefined) {
      proxied.end(denied);
      return connection.reject();
    }
    const downstream = openQuietly(connection);
    proxied.holds(downstream);
    const spoofedSource = plain.peerIp === plain.ip ? undefined : plain.peerIp;
    const upstream = await this.#context.network.dial({ address: plain.ip, port: plain.port }, { spoofedSource });
    if (!upstream.ok) {
      proxied.end(upstream.error);
      return discard(downstream);
    }
    if (proxied.ended) return discard(upstream.value);
    proxied.holds(upstream.value);
    relaySockets(downstream, upstream.value, proxied.bytes, (error) => {
      proxied.end(error && proxyError('IO', `io error: ${error.message}`, { cause: error }));
    });
    downstream.resume();
  }

  #report(
    plain: PlainConnection,
    workload: Workload,
    input: NonNullable<ConstructorParameters<typeof ProxiedConnection>[0]['authorization']>['input'],
  ): ProxiedConnection {
    const { state, config, onDemand } = this.#context;
    onDemand?.hintAddress(config.network, plain.peerIp);
    const client = formatAddress(plain.peerIp, plain.peerPort);
    const destination = formatAddress(plain.ip, plain.port);
    return new ProxiedConnection(
      {
        podUid: this.#context.podUid,
        socketEnd: 'client',
        authorization: { workloadUid: workload.uid, input },
        summary: {
          direction: 'inbound',
          src: client,
          originalDst: destination,
          actualDst: destination,
          protocol: 'TCP',
        },
        facts: {
          direction: 'inbound',
          sourceAddress: client,
          source: state.workloadByAddress(config.network, plain.peerIp),
          sourceIdentity: undefined,
          destinationAddress: destination,
          hboneAddress: undefined,
          destination: workload,
          service: guessService(state, workload, undefined, plain.port),
          destinationIdentity: undefined,
        },
      },
      this.#context,
    );
  }

  #refuse(connection: InboundConnection, plain: PlainConnection, error: ProxyError): void {
    this.#context.accessLog.warn('connection failed', {
      'src.addr': formatAddress(plain.peerIp, plain.peerPort),
      'dst.addr': formatAddress(plain.ip, plain.port),
      direction: 'inbound',
      error: error.message,
    });
    connection.reject();
  }
}
