/**
 * Lends a TCP connection to node:tls for the handshake alone: records go to it one at a time, and none behind the last
 * one that it needs. What follows is protected by keys that are known here, so the connection is taken back.
 *
 * Invariants:
 * - node:tls reads nothing that its successor reads, and writes nothing once the connection was taken back.
 * - No nonce is used twice: the records that node:tls wrote with the keys of the connection are counted, and opened again
 *   to be sure that they are such. What a client writes first still belongs to the handshake, and opens with other keys.
 * - Once the connection was taken back nothing of the handshake is kept: neither secrets nor bytes.
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { ContentType, type RecordKeysOptions, recordKeys } from '../native/record-keys.ts';
import { resetSocket } from '../native/reset-socket.ts';
import { MAX_FRAGMENT_BYTES, RECORD_HEADER_BYTES, recordBytesAt } from '../tls/tls-record.ts';
import { RecordTransport, type TunnelReading } from './record-transport.ts';

export type TlsRole = 'client' | 'server';

interface Secrets {
  readonly read: Buffer;
  readonly write: Buffer;
}

const NO_BYTES = Buffer.alloc(0);
const SECRET_LINE = /^(CLIENT|SERVER)_TRAFFIC_SECRET_0 [0-9a-f]+ ([0-9a-f]+)\s*$/;
/** Turns of the event loop without a write, after which node:tls has none left: it begins the next one within a turn. */
const QUIET_TURNS = 2;

export class HandshakeStream extends Duplex {
  readonly #socket: Socket;
  readonly #reading: TunnelReading;
  readonly #role: TlsRole;
  readonly #secrets = new Map<string, Buffer>();
  /** What node:tls wrote since both secrets are known. */
  readonly #lastFlight: Buffer[] = [];
  #held: Buffer = NO_BYTES;
  #state: 'handshake' | 'passing-on' | 'taken-back' = 'handshake';
  #openWrites = 0;
  /** Called when the last write that was under way is over. */
  #onWritten: () => void = () => undefined;
  #writes = 0;

  /** @param reading how the socket is read, now and behind the handshake */
  constructor(socket: Socket, reading: TunnelReading, role: TlsRole) {
    super();
    this.#socket = socket;
    this.#reading = reading;
    this.#role = role;
    reading.intake.attach((chunk) => this.#receive(chunk));
    socket.on('end', this.#onEnd);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
    if (socket.destroyed) process.nextTick(this.#onClose);
    else socket.resume();
  }

  /** Takes a line of node:tls's key log. */
  onKeyLog(line: Buffer): void {
    const [, side, secret] = SECRET_LINE.exec(line.toString('latin1')) ?? [];
    if (side !== undefined && secret !== undefined) this.#secrets.set(side, Buffer.from(secret, 'hex'));
  }

  /** As `Socket.resetAndDestroy`. */
  resetAndDestroy(): this {
    resetSocket(this.#socket);
    return this.destroy();
  }

  /**
   * Takes the connection back from node:tls, which has done the handshake, once the last bytes of that are written.
   * @returns undefined where node:tls keeps it: there are no keys for what was agreed on, or the connection is lost
   */
  async takeBack(secured: TLSSocket): Promise<RecordTransport | undefined> {
    // What node:tls read and wrote since it was handed bytes as they came is known to it alone.
    const secrets = this.#state === 'handshake' ? this.#bothSecrets() : undefined;
    const suite = secured.getCipher()?.standardName ?? '';
    const readKeys = secrets && recordKeys({ suite, secret: secrets.read, direction: 'read' });
    if (secrets === undefined || readKeys === undefined) {
      this.#setState('passing-on');
      return undefined;
    }
    await this.#untilQuiet();
    if (this.destroyed || this.#socket.destroyed) return undefined;
    this.#setState('taken-back');
    secured.destroy();
    const sequence = this.#recordsWritten(suite, secrets.write);
    const writeKeys = recordKeys({ suite, secret: secrets.write, direction: 'write', sequence: sequence ?? 0 });
    // Where what was written cannot be told from what was not, nothing may be written any more.
    if (sequence === undefined || writeKeys === undefined) this.#socket.destroy();
    const early = this.#held;
    this.#forget();
    return writeKeys && new RecordTransport(this.#socket, this.#reading, { readKeys, writeKeys, early });
  }

  #forget(): void {
    this.#secrets.clear();
    this.#lastFlight.length = 0;
    this.#held = NO_BYTES;
  }

  override _read(): void {
    if (this.#state === 'taken-back') return;
    this.#feed();
    if (this.#wantsMore()) this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    if (this.#state === 'taken-back') return done();
    this.#writes++;
    this.#openWrites++;
    if (this.#bothSecrets() !== undefined && this.#state === 'handshake') this.#lastFlight.push(Buffer.from(chunk));
    this.#socket.write(chunk, (error) => {
      this.#openWrites--;
      if (this.#openWrites === 0) this.#onWritten();
      done(error);
    });
  }

  override _final(done: () => void): void {
    if (this.#state !== 'taken-back') this.#socket.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (this.#state !== 'taken-back') this.#socket.destroy();
    done(error);
  }

  #setState(state: 'passing-on' | 'taken-back'): void {
    this.#state = state;
    if (state === 'passing-on') return this.#passOn();
    this.#socket.off('end', this.#onEnd);
    this.#socket.off('error', this.#onError);
    this.#socket.off('close', this.#onClose);
  }

  /** Known from the moment that the handshake needs nothing more of the peer. */
  #bothSecrets(): Secrets | undefined {
    const [client, server] = [this.#secrets.get('CLIENT'), this.#secrets.get('SERVER')];
    if (client === undefined || server === undefined) return undefined;
    return this.#role === 'client' ? { read: server, write: client } : { read: client, write: server };
  }

  /** @returns whether to go on reading */
  #receive(chunk: Uint8Array): boolean {
    if (this.#state === 'passing-on') return this.push(Buffer.from(chunk));
    this.#held = Buffer.concat([this.#held, chunk]);
    this.#feed();
    return this.#wantsMore();
  }

  #wantsMore(): boolean {
    return this.#state === 'passing-on' || (this.#state === 'handshake' && this.#bothSecrets() === undefined);
  }

  /** Hands over the next record when the one before it was read. */
  #feed(): void {
    while (this.readableLength === 0 && !this.destroyed && this.#state === 'handshake' && this.#wantsMore()) {
      const length = recordBytesAt(this.#held, 0);
      if (length === undefined) return;
      // What is no record is for node:tls to refuse.
      if (!isRecord(this.#held, length)) return this.#setState('passing-on');
      if (this.#held.length < length) return;
      const record = this.#held.subarray(0, length);
      this.#held = this.#held.subarray(length);
      this.push(record);
    }
  }

  #passOn(): void {
    const held = this.#held;
    this.#held = NO_BYTES;
    if (held.length > 0) this.push(held);
    this.#socket.resume();
  }

  async #untilQuiet(): Promise<void> {
    for (let quiet = 0; quiet < QUIET_TURNS && !this.#socket.destroyed; ) {
      const writes = this.#writes;
      await new Promise<void>((resolve) => {
        if (this.#openWrites > 0) this.#onWritten = resolve;
        else setImmediate(resolve);
      });
      quiet = this.#openWrites === 0 && this.#writes === writes ? quiet + 1 : 0;
    }
  }

  /**
   * How many records of the last flight were protected by the key of this side: a server's tickets, and of a client's
   * what follows its part of the handshake, which is mostly nothing.
   * @returns undefined when that cannot be told
   */
  #recordsWritten(suite: string, secret: Buffer): number | undefined {
    const bytes = Buffer.concat(this.#lastFlight);
    let count = 0;
    for (let at = 0; at < bytes.length; ) {
      const record = bytes.subarray(at, at + (recordBytesAt(bytes, at) ?? 0));
      if (record.length === 0) return undefined;
      if (opens(record, { suite, secret, direction: 'read', sequence: count })) count++;
      else if (this.#role === 'server' || count > 0) return undefined;
      at += record.length;
    }
    return count;
  }

  readonly #onEnd = (): void => {
    this.push(null);
  };

  readonly #onError = (error: Error): void => {
    this.destroy(error);
  };

  readonly #onClose = (): void => {
    this.destroy();
  };
}

function isRecord(bytes: Buffer, length: number): boolean {
  const type = bytes[0] ?? 0;
  const isKnown = type >= 20 && type <= ContentType.APPLICATION_DATA && bytes[1] === 3;
  return isKnown && length > RECORD_HEADER_BYTES && length <= RECORD_HEADER_BYTES + MAX_FRAGMENT_BYTES;
}

/** Whether it is a whole record that these keys, as they are now, protect. */
function opens(record: Buffer, options: RecordKeysOptions): boolean {
  const result = new Int32Array(4);
  const alert = recordKeys(options)?.open(record, Buffer.alloc(record.length), result);
  return alert === 0 && result[0] === record.length;
}
