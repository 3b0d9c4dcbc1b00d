/**
 * The proxy of one pod: its listeners and what they feed (facts ztunnel-wire 1.1).
 *
 * States: starting -> running -> draining -> stopped. A start that fails closes what it had opened.
 */

import { proxyError } from '../../hbone/proxy-error.ts';
import type { InboundConnection } from '../../net/inbound-connection.ts';
import type { TcpListener } from '../../net/tcp-listener.ts';
import { DnsProxy } from './dns-proxy.ts';
import { Inbound } from './inbound.ts';
import { InboundPlaintext } from './inbound-plaintext.ts';
import { Outbound } from './outbound.ts';
import type { PodContext } from './pod-context.ts';
import type { ListenerKind } from './pod-network.ts';
import { Socks5 } from './socks5.ts';

/** The ports that a pod's proxy listens on; useful when they were chosen by the kernel. */
export interface PodPorts {
  readonly outbound: number;
  readonly inboundPlaintext: number;
  readonly inbound: number;
  /** Undefined without DNS capture. */
  readonly dns: number | undefined;
  readonly socks5?: number;
}

export class PodProxy {
  readonly #context: PodContext;
  readonly #outbound: Outbound;
  readonly #inbound: Inbound;
  readonly #plaintext: InboundPlaintext;
  readonly #dns: DnsProxy;
  readonly #socks5: Socks5;
  #listeners: TcpListener[] = [];

  constructor(context: PodContext) {
    this.#context = context;
    this.#outbound = new Outbound(context);
    this.#inbound = new Inbound(context);
    this.#plaintext = new InboundPlaintext(context);
    this.#dns = new DnsProxy(context);
    this.#socks5 = new Socks5(context, (one) => this.#outbound.accept(one));
  }

  /** Opens the listeners. Throws an AmbitError when one cannot be opened; nothing is left open then. */
  async start(): Promise<PodPorts> {
    const { config, servedPorts } = this.#context;
    try {
      if (servedPorts !== undefined) return await this.#startTunnelsOnly();
      const outbound = await this.#listen('outbound', config.outboundPort, (one) => this.#outbound.accept(one));
      const plaintext = await this.#listen('inbound-plaintext', config.inboundPlaintextPort, (one) =>
        this.#plaintext.accept(one),
      );
      const inbound = await this.#listen('inbound-tunnel', config.inboundPort, (one) => this.#inbound.accept(one));
      const dns = config.dnsCapture ? await this.#dns.start() : undefined;
      const ports = { outbound, inboundPlaintext: plaintext, inbound, dns };
      if (!config.socks5Enabled) return ports;
      return { ...ports, socks5: await this.#listen('socks5', config.socks5Port, (one) => this.#socks5.accept(one)) };
    } catch (error) {
      this.#closeListeners();
      this.#dns.stop();
      throw error;
    }
  }

  async #startTunnelsOnly(): Promise<PodPorts> {
    const { inboundPort } = this.#context.config;
    const inbound = await this.#listen('inbound-tunnel', inboundPort, (one) => this.#inbound.accept(one));
    return { outbound: 0, inboundPlaintext: 0, inbound, dns: undefined };
  }

  /** Stops accepting; what is open goes on. */
  drain(): void {
    this.#closeListeners();
    this.#dns.drain();
    this.#outbound.drain();
    this.#inbound.drain();
  }

  /** Ends everything of this pod now. */
  stop(): void {
    this.#context.local.close();
    this.#context.network.close();
    this.drain();
    const drained = proxyError('DRAINED', 'connection closed due to connection drain');
    this.#context.tracker.abortAll(drained, this.#context.podUid);
    this.#outbound.stop();
    this.#inbound.stop();
    this.#socks5.stop();
    this.#dns.stop();
  }

  async #listen(kind: ListenerKind, port: number, accept: (connection: InboundConnection) => void): Promise<number> {
    const listener = await this.#context.network.listen(kind, port, accept);
    this.#listeners.push(listener);
    return listener.endpoint.port;
  }

  #closeListeners(): void {
    for (const listener of this.#listeners) listener.close();
    this.#listeners = [];
  }
}
