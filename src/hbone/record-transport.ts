/**
 * A connection of TLS 1.3 behind its handshake (RFC 8446 5, 4.6, 6). A read brings all its records to the connection in
 * one piece, a write leaves as one system call, and there is no stream of node:tls with its queues and callbacks.
 *
 * Invariants:
 * - Nothing is handed on that was not authenticated; the first record that is wrong ends the connection with its alert.
 * - What a peer may make us do or keep without sending data is bounded: records that carry none, and parts of messages.
 */
import type { Socket } from 'node:net';
import type { SocketIntake } from '../http2/socket-intake.ts';
import type { ByteTransport, TransportSink } from '../http2/transport.ts';
import { ContentType, type NativeRecordKeys } from '../native/record-keys.ts';
import { SocketSender } from '../native/socket-sender.ts';
import { PostHandshake } from '../tls/post-handshake.ts';
import { AlertCode, alertBytes, alertName } from '../tls/tls-alert.ts';
import { RECORD_HEADER_BYTES, recordBytesAt } from '../tls/tls-record.ts';
import type { RecordMemory } from './record-memory.ts';

/** How a tunnel is read. */
export interface TunnelReading {
  /** How its TCP socket is opened. */
  readonly intake: SocketIntake;
  readonly memory: RecordMemory;
}

/** A connection behind its handshake. */
interface TakenConnection {
  readonly readKeys: NativeRecordKeys;
  readonly writeKeys: NativeRecordKeys;
  /** What was read already. */
  readonly early: Buffer;
}

/** Records in a row without data, of whatever kind; OpenSSL bears as many. */
const MAX_QUIET_RECORDS = 32;
const NO_BYTES = Buffer.alloc(0);

type State = 'idle' | 'open' | 'ended' | 'closed';

/** What the addon says of the records that it opened: one call at a time. */
const opened = new Int32Array(4);

export class RecordTransport implements ByteTransport {
  readonly #socket: Socket;
  readonly #sender: SocketSender | undefined;
  readonly #readKeys: NativeRecordKeys;
  readonly #writeKeys: NativeRecordKeys;
  readonly #memory: RecordMemory;
  readonly #messages = new PostHandshake();
  #sink: TransportSink | undefined;
  #state: State = 'idle';
  /** What was read with the handshake. */
  #early: Buffer;
  #error: Error | undefined;
  /** The beginning of a record whose rest is still to come. */
  #partial: Buffer | undefined;
  #partialBytes = 0;
  #quietRecords = 0;
  /** Whether an answer to the peer's wish for new keys is on its way. */
  #isAnswering = false;
  /** Whether the connection kept memory of the last read: the next one gets as much as it needs, for itself. */
  #isKept = false;

  /** @param reading how the socket is read; from now on for this transport */
  constructor(socket: Socket, { intake, memory }: TunnelReading, taken: TakenConnection) {
    this.#memory = memory;
    this.#socket = socket;
    this.#sender = SocketSender.of(socket);
    this.#readKeys = taken.readKeys;
    this.#writeKeys = taken.writeKeys;
    this.#early = taken.early;
    socket.setNoDelay(true);
    socket.on('error', (error) => {
      this.#error ??= error;
    });
    intake.attach((chunk) => {
      this.#receive(chunk);
      return true;
    });
  }

  start(sink: TransportSink): void {
    const socket = this.#socket;
    this.#sink = sink;
    this.#setState('open');
    socket.on('close', () => this.#closed());
    process.nextTick(() => {
      if (socket.closed) return this.#closed();
      const early = this.#early;
      this.#early = NO_BYTES;
      if (early.length > 0) this.#receive(early);
      // What came early came before the end.
      if (socket.readableEnded) return this.#peerEnded();
      socket.on('end', () => this.#peerEnded());
      socket.resume();
    });
  }

  write(bytes: Uint8Array, onWritten: () => void): boolean {
    // Without a sender the socket is closed already.
    const left = this.#sender === undefined ? NO_BYTES : this.#sender.sendSealed(this.#writeKeys, bytes);
    if (left === undefined) return true;
    this.#socket.write(left, onWritten);
    return false;
  }

  end(): void {
    this.#send(ContentType.ALERT, alertBytes(AlertCode.CLOSE_NOTIFY));
    this.#socket.end();
  }

  destroy(): void {
    if (this.#state === 'open') this.#setState('ended');
    this.#socket.destroy();
  }

  #setState(state: State): void {
    this.#state = state;
    if (state === 'open') return;
    this.#partial = undefined;
    this.#partialBytes = 0;
  }

  #peerEnded(): void {
    if (this.#state !== 'open') return;
    this.#setState('ended');
    this.#sink?.onEnd();
  }

  #closed(): void {
    if (this.#state === 'closed') return;
    this.#setState('closed');
    this.#sink?.onClosed(this.#error);
  }

  #receive(chunk: Uint8Array): void {
    let bytes = this.#partial === undefined ? chunk : this.#complete(chunk);
    while (this.#state === 'open' && bytes.length >= RECORD_HEADER_BYTES) {
      const read = this.#open(bytes);
      if (read === 0) break;
      bytes = bytes.subarray(read);
    }
    if (this.#state === 'open' && bytes.length > 0) this.#keep(bytes);
  }

  /** Opens records up to one that is not data. @returns how many bytes they were; 0 when none is whole, or one is wrong */
  #open(bytes: Uint8Array): number {
    const out = this.#isKept ? Buffer.allocUnsafe(bytes.length) : this.#memory.take(bytes.length);
    const alert = this.#readKeys.open(bytes, out, opened);
    const [readBytes = 0, dataBytes = 0, otherType = 0, otherBytes = 0] = opened;
    if (dataBytes > 0) this.#data(out.subarray(0, dataBytes));
    if (this.#state === 'open') {
      if (alert !== 0) this.#fail(alert);
      else if (otherType !== 0) this.#other(otherType, out.subarray(dataBytes, dataBytes + otherBytes));
    }
    this.#isKept = dataBytes > 0 && (this.#sink?.keepsLast?.() ?? true);
    if (!this.#isKept) this.#memory.giveBack(out);
    return alert === 0 ? readBytes : 0;
  }

  #data(bytes: Buffer): void {
    if (this.#messages.isWaiting) return this.#fail(AlertCode.UNEXPECTED_MESSAGE);
    this.#quietRecords = 0;
    this.#sink?.onData(bytes);
  }

  /** A record without data. */
  #other(type: number, content: Buffer): void {
    if (++this.#quietRecords > MAX_QUIET_RECORDS) return this.#fail(AlertCode.UNEXPECTED_MESSAGE);
    if (type === ContentType.HANDSHAKE) return this.#message(content);
    if (this.#messages.isWaiting) return this.#fail(AlertCode.UNEXPECTED_MESSAGE);
    if (type === ContentType.ALERT) this.#alerted(content);
    else if (type !== ContentType.APPLICATION_DATA) this.#fail(AlertCode.UNEXPECTED_MESSAGE);
  }

  #alerted(content: Buffer): void {
    const code = content.length === 2 ? content[1] : undefined;
    if (code === AlertCode.CLOSE_NOTIFY) this.#peerEnded();
    else if (code === undefined) this.#fail(AlertCode.UNEXPECTED_MESSAGE);
    else if (code !== AlertCode.USER_CANCELED) this.#lose(`the peer ended TLS: ${alertName(code)}`);
  }

  #message(content: Buffer): void {
    const event = this.#messages.receive(content);
    if (event.kind === 'refused') return this.#fail(event.alert);
    if (event.kind === 'nothing') return;
    this.#readKeys.update();
    // One answer may be for several wishes (RFC 8446 4.6.3); a peer that does not read would have us keep one for each.
    if (!event.answer || this.#isAnswering || !this.#socket.writable) return;
    const answer = this.#writeKeys.update();
    if (typeof answer !== 'object') return;
    this.#isAnswering = true;
    this.#socket.write(answer, () => {
      this.#isAnswering = false;
    });
  }

  #fail(alert: number): void {
    this.#send(ContentType.ALERT, alertBytes(alert));
    this.#lose(`TLS failed: ${alertName(alert)}`);
  }

  #lose(reason: string): void {
    this.#setState('ended');
    this.#socket.destroy(new Error(reason));
  }

  #send(type: number, content: Uint8Array): void {
    const record = this.#socket.writable ? this.#writeKeys.seal(type, content) : undefined;
    if (record !== undefined) this.#socket.write(record);
  }

  /** Fills the record that has begun, and opens it when it is whole. @returns what is behind it */
  #complete(chunk: Uint8Array): Uint8Array {
    let rest = chunk;
    while (this.#partial !== undefined && rest.length > 0) {
      const taken = Math.min(this.#partial.length - this.#partialBytes, rest.length);
      this.#partial.set(rest.subarray(0, taken), this.#partialBytes);
      this.#partialBytes += taken;
      rest = rest.subarray(taken);
      if (this.#partialBytes < this.#partial.length) break;
      const whole = this.#partial;
      this.#partial = undefined;
      if (this.#open(whole) === 0 && this.#state === 'open') this.#keep(whole);
    }
    return rest;
  }

  /** Keeps the beginning of a record, in memory for the whole of it as soon as its length is known. */
  #keep(bytes: Uint8Array): void {
    this.#partial = Buffer.allocUnsafeSlow(recordBytesAt(bytes, 0) ?? RECORD_HEADER_BYTES);
    this.#partial.set(bytes);
    this.#partialBytes = bytes.length;
  }
}
