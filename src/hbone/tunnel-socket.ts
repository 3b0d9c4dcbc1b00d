/** The connection under a tunnel: node:tls does its handshake, and records of our own what follows where that can be. */
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { SocketIntake } from '../http2/socket-intake.ts';
import { type ByteTransport, socketTransport } from '../http2/transport.ts';
import { hasNativeAddon } from '../native/addon.ts';
import type { MeshTlsOptions } from '../tls/mesh-tls.ts';
import { HandshakeStream, type TlsRole } from './handshake-stream.ts';
import { RecordMemory } from './record-memory.ts';
import { RecordTransport } from './record-transport.ts';

/** What the tunnels of a thread share; undefined where node:tls reads and writes: without the addon, or for TLS 1.2. */
export function recordMemory({ tls12 }: Pick<MeshTlsOptions, 'tls12'>): RecordMemory | undefined {
  return tls12 || !hasNativeAddon() ? undefined : new RecordMemory();
}

/** How a tunnel is read. */
export interface TunnelReading {
  /** How its TCP socket is to be opened. */
  readonly intake: SocketIntake;
  readonly memory: RecordMemory;
}

/** @param memory undefined: node:tls reads */
export function tunnelReading(memory: RecordMemory | undefined): TunnelReading | undefined {
  return memory && { intake: new SocketIntake(memory.readBuffer), memory };
}

export class TunnelSocket<S extends Duplex> {
  /** What the handshake runs over. */
  readonly stream: S | HandshakeStream;
  readonly #socket: S;
  readonly #reading: TunnelReading | undefined;

  /** @param reading what a TCP socket was opened with */
  constructor(socket: S, reading: TunnelReading | undefined, role: TlsRole) {
    this.#socket = socket;
    this.#reading = reading;
    const ownRecords = reading !== undefined && socket instanceof Socket;
    this.stream = ownRecords ? new HandshakeStream(socket, reading.intake, role) : socket;
  }

  /** The bytes behind the handshake. */
  async transport(secured: TLSSocket): Promise<ByteTransport> {
    const { stream } = this;
    // A connection may be lost while nobody listens to it: the transport tells why, and the process must not end of it.
    secured.on('error', (error) => secured.destroy(error));
    const taken = stream instanceof HandshakeStream ? await stream.takeBack(secured) : undefined;
    if (taken === undefined || this.#reading === undefined || !(this.#socket instanceof Socket)) {
      return socketTransport(secured);
    }
    const { intake, memory } = this.#reading;
    return new RecordTransport(this.#socket, intake, taken, memory);
  }
}
