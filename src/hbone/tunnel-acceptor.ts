/**
 * Accepted connections on their way to become tunnels.
 *
 * Invariants:
 * - A connection is closed, and its failure told once, unless `serve` took it over.
 * - Handshakes that are under way are bounded: above that the oldest is given up.
 */
import { errorText } from '../base/errors.ts';
import { fail, type Result } from '../base/result.ts';
import type { InboundConnection } from '../net/inbound-connection.ts';
import type { HandshakeSocket, MeshPeer } from '../tls/mesh-tls.ts';
import { PendingHandshakes } from './pending-handshakes.ts';
import { type ProxyError, proxyError, tlsFailed } from './proxy-error.ts';
import type { WorkloadTls } from './tls-store.ts';
import { acceptedTunnelStream } from './tunnel-stream.ts';

export interface TunnelAcceptorDeps {
  /** The TLS of whom the connections are for. */
  tls(): Promise<Result<WorkloadTls, ProxyError>>;
  /** Takes over a connection behind its handshake. When that fails it is reset, whatever became of it. */
  serve(connection: InboundConnection, stream: HandshakeSocket, peer: MeshPeer): Promise<void>;
  /** Told of a connection that came to nothing. */
  onFailed(connection: InboundConnection, error: ProxyError): void;
}

export class TunnelAcceptor {
  readonly #deps: TunnelAcceptorDeps;
  readonly #handshakes = new PendingHandshakes();

  constructor(deps: TunnelAcceptorDeps) {
    this.#deps = deps;
  }

  accept(connection: InboundConnection): void {
    void this.#handshake(connection);
  }

  /** Gives up what is not a tunnel yet. */
  stop(): void {
    this.#handshakes.clear();
  }

  async #handshake(connection: InboundConnection): Promise<void> {
    let close = () => connection.reject();
    let givenUp = false;
    const leave = this.#handshakes.enter(() => {
      givenUp = true;
      close();
    });
    const own = await this.#deps.tls().catch((error) => fail(handshakeBroke(error)));
    if (givenUp) {
      return this.#deps.onFailed(connection, proxyError('TLS_FAILED', 'tls error: too many handshakes at once'));
    }
    if (!own.ok) {
      leave();
      connection.reject();
      return this.#deps.onFailed(connection, own.error);
    }
    const stream = acceptedTunnelStream(connection, own.value.records);
    close = () => stream.resetAndDestroy();
    own.value.server.accept(stream, (result) => {
      if (result.ok) return void this.#serve(connection, stream, result.value).finally(leave);
      leave();
      this.#deps.onFailed(connection, tlsFailed(result.error));
    });
  }

  async #serve(connection: InboundConnection, stream: HandshakeSocket, peer: MeshPeer): Promise<void> {
    try {
      await this.#deps.serve(connection, stream, peer);
    } catch (error) {
      // Nobody else has it: it would stay for as long as its peer likes.
      stream.resetAndDestroy();
      this.#deps.onFailed(connection, handshakeBroke(error));
    }
  }
}

/** A failure of this side, where only those of the peer are foreseen. */
function handshakeBroke(error: unknown): ProxyError {
  return proxyError('TLS_FAILED', `tls error: ${errorText(error)}`, { side: 'internal', cause: error });
}
