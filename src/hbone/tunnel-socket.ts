/** The connection under a tunnel: node:tls does its handshake, and records of our own what follows where that can be. */
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { INTAKE_BYTES, SocketIntake } from '../http2/socket-intake.ts';
import { type ByteTransport, socketTransport } from '../http2/transport.ts';
import { hasNativeAddon } from '../native/addon.ts';
import type { MeshTlsOptions } from '../tls/mesh-tls.ts';
import { HandshakeStream, type TlsRole } from './handshake-stream.ts';
import { RecordTransport } from './record-transport.ts';

/** What all tunnels of a thread are read into; undefined where node:tls reads them: without the addon, or for TLS 1.2. */
export function tunnelReadBuffer({ tls12 }: Pick<MeshTlsOptions, 'tls12'>): Uint8Array | undefined {
  return tls12 || !hasNativeAddon() ? undefined : Buffer.allocUnsafeSlow(INTAKE_BYTES);
}

/** How the socket of a new tunnel is to be opened. */
export function tunnelIntake(readBuffer: Uint8Array | undefined): SocketIntake | undefined {
  return readBuffer && new SocketIntake(readBuffer);
}

export class TunnelSocket<S extends Duplex> {
  /** What the handshake runs over. */
  readonly stream: S | HandshakeStream;
  readonly #socket: S;
  readonly #intake: SocketIntake | undefined;

  /** @param intake what a TCP socket was opened with */
  constructor(socket: S, intake: SocketIntake | undefined, role: TlsRole) {
    this.#socket = socket;
    this.#intake = intake;
    this.stream = intake !== undefined && socket instanceof Socket ? new HandshakeStream(socket, intake, role) : socket;
  }

  /** The bytes behind the handshake. */
  async transport(secured: TLSSocket): Promise<ByteTransport> {
    const { stream } = this;
    const taken = stream instanceof HandshakeStream ? await stream.takeBack(secured) : undefined;
    if (taken === undefined || this.#intake === undefined || !(this.#socket instanceof Socket)) {
      return socketTransport(secured);
    }
    return new RecordTransport(this.#socket, this.#intake, taken);
  }
}
