/**
 * The state of an HTTP/2 connection and everything that goes out on it. What comes in is judged in
 * `inbound-frames.ts`; `connection.ts` is the door.
 *
 * Invariants
 * - `setState` is the only writer of the state; states only move open, draining, closing, closed.
 * - In `closing` and `closed` there are no streams, and nothing but what is queued goes out.
 * - `events.onClosed` is called exactly once, on entering `closed`.
 * - Output waiting for a peer that does not read is bounded: DATA waits in its streams, the rest ends the connection.
 */
import type { Clock, Timer } from '../base/clock.ts';
import { AmbitError } from '../base/errors.ts';
import type { BlockPool } from './block-pool.ts';
import { BLOCK_BYTES } from './block-pool.ts';
import { ClosedStreams } from './closed-streams.ts';
import { DEFAULT_FLOOD_BUDGETS, FloodBudget, type FloodBudgetOptions } from './flood-budget.ts';
import { ReceiveWindow, SendWindow } from './flow-window.ts';
import { DEFAULT_WINDOW_BYTES, FRAME_HEADER_BYTES, MAX_31_BIT } from './frame.ts';
import { FrameWriter } from './frame-writer.ts';
import type { Header } from './header.ts';
import { checkResponse, checkTrailers } from './header-rules.ts';
import { entryBytes } from './hpack-dynamic-table.ts';
import { HpackEncoder } from './hpack-encoder.ts';
import { type Fault, faultError, Http2Code, type Http2ErrorCode } from './http2-error.ts';
import { OutputQueue } from './output-queue.ts';
import { type Http2Role, hboneSettings, type LocalSettings, PeerSettings, settingsPayload } from './settings.ts';
import type { Http2Stream, StreamCloseReason, StreamHandler, StreamHost } from './stream.ts';
import type { ByteTransport } from './transport.ts';

export interface Http2ConnectionEvents {
  /**
   * A request came in (server).
   * @returns the stream's handler, or undefined to refuse it
   */
  onStream?(stream: Http2Stream, headers: readonly Header[], endStream: boolean): StreamHandler | undefined;
  /** The connection is over; exactly once. Without an error it ended as agreed. */
  onClosed(error: AmbitError<Http2ErrorCode> | undefined): void;
  /** The peer wants no more requests. */
  onGoaway?(lastStreamId: number, code: number): void;
  /** The peer's settings changed. */
  onSettings?(): void;
  /** A stream is over and counts no more. */
  onStreamClosed?(stream: Http2Stream): void;
}

export interface Http2Options {
  readonly clock: Clock;
  /** Output buffers, shared by the connections of a thread. */
  readonly pool: BlockPool;
  /** Differences from the HBONE settings of the role. */
  readonly settings?: Partial<LocalSettings>;
  /** First PING after this, then this long after each answer. 0 turns keep-alive off. Default 10 000. */
  readonly pingIntervalMs?: number;
  /** Without an answer for this long the connection is closed. Default 20 000. */
  readonly pingTimeoutMs?: number;
  /** Bytes held per stream for a peer that does not take them. Default 4 MiB (client), 400 KiB (server). */
  readonly maxSendBufferBytes?: number;
  /** Encoded size of one incoming header block. Default: SETTINGS_MAX_HEADER_LIST_SIZE. */
  readonly maxHeaderBlockBytes?: number;
  /** Headers of one message. Default 256. */
  readonly maxHeaders?: number;
  readonly floodBudgets?: Partial<FloodBudgetOptions>;
  readonly huffman?: boolean;
}

export type ConnectionState =
  | { readonly name: 'open' }
  /** No new requests; streams of the peer above `refuseAbove` are refused. */
  | { readonly name: 'draining'; readonly by: 'local' | 'peer'; readonly refuseAbove: number }
  /** Everything is decided; the last output goes out until the timer ends that too. */
  | { readonly name: 'closing'; readonly error: AmbitError<Http2ErrorCode> | undefined; readonly timer: Timer }
  | { readonly name: 'closed'; readonly error: AmbitError<Http2ErrorCode> | undefined };

/** Plain numbers for metrics. */
export interface Http2Counters {
  framesReceived: number;
  dataFramesSent: number;
  rstReceived: number;
  rstSent: number;
  streamsOpened: number;
  pingsReceived: number;
  settingsReceived: number;
}

/** Sent per stream before the next one in the queue has its turn. */
const QUANTUM_BYTES = 65_536;
/** Queued output that is not DATA ends the connection above this: the peer asks and does not read the answers. */
const MAX_OUTPUT_BYTES = 16 * BLOCK_BYTES;
const CLOSE_GRACE_MS = 1000;
/** DATA smaller than this does not split to fill a block. */
const MIN_SPLIT_BYTES = 1024;
const MAX_DATA_BYTES = BLOCK_BYTES - FRAME_HEADER_BYTES;

export class ConnectionCore implements StreamHost {
  readonly role: Http2Role;
  readonly events: Http2ConnectionEvents;
  readonly options: Http2Options;
  readonly clock: Clock;
  readonly settings: LocalSettings;
  readonly peer = new PeerSettings();
  readonly streams = new Map<number, Http2Stream>();
  readonly closedByReset = new ClosedStreams();
  readonly sendWindow = new SendWindow(DEFAULT_WINDOW_BYTES);
  readonly receiveWindow: ReceiveWindow;
  readonly budgets: Readonly<Record<keyof FloodBudgetOptions, FloodBudget>>;
  readonly writer: FrameWriter;
  readonly counters: Http2Counters;
  readonly maxSendBufferBytes: number;
  readonly #transport: ByteTransport;
  readonly #output: OutputQueue;
  /** Streams that wait for windows or output, in the order of their turns. */
  readonly #waiting: Http2Stream[] = [];
  #state: ConnectionState = { name: 'open' };
  #transportEnded = false;
  nextLocalId = 1;
  lastPeerId = 0;
  /** Set by the owner: told when the connection leaves service, to stop reader and timers. */
  onStopped: () => void = noop;

  constructor(transport: ByteTransport, role: Http2Role, options: Http2Options, events: Http2ConnectionEvents) {
    this.role = role;
    this.events = events;
    this.options = options;
    this.clock = options.clock;
    this.settings = { ...hboneSettings(role), ...options.settings };
    this.maxSendBufferBytes = options.maxSendBufferBytes ?? (role === 'client' ? 4096 : 400) * 1024;
    this.receiveWindow = new ReceiveWindow(this.settings.connectionWindowBytes);
    const budgets = { ...DEFAULT_FLOOD_BUDGETS, ...options.floodBudgets };
    this.budgets = {
      reset: new FloodBudget(options.clock, budgets.reset),
      control: new FloodBudget(options.clock, budgets.control),
      ping: new FloodBudget(options.clock, budgets.ping),
      empty: new FloodBudget(options.clock, budgets.empty),
      window: new FloodBudget(options.clock, budgets.window),
    };
    this.counters = {
      framesReceived: 0,
      dataFramesSent: 0,
      rstReceived: 0,
      rstSent: 0,
      streamsOpened: 0,
      pingsReceived: 0,
      settingsReceived: 0,
    };
    this.#transport = transport;
    this.#output = new OutputQueue(transport, options.pool, () => this.#drained());
    this.writer = new FrameWriter(this.#output, new HpackEncoder({ huffman: options.huffman ?? false }));
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Whether frames may still be judged and sent. */
  get alive(): boolean {
    return this.#state.name === 'open' || this.#state.name === 'draining';
  }

  get outputBlocked(): boolean {
    return this.#output.blocked;
  }

  /** Whether more control output is waiting than any peer that reads would cause. */
  get outputOverflowed(): boolean {
    return this.#output.bytes > MAX_OUTPUT_BYTES;
  }

  /** Preface, SETTINGS and the connection window, in the order of HBONE peers. */
  sendOpening(): void {
    if (this.role === 'client') this.writer.preface();
    this.writer.settings(settingsPayload(this.role, this.settings));
    const increment = this.settings.connectionWindowBytes - DEFAULT_WINDOW_BYTES;
    if (increment > 0) this.writer.windowUpdate(0, increment);
  }

  // What streams ask for.

  writableBytes(stream: Http2Stream): number {
    return this.#output.blocked ? 0 : Math.max(0, Math.min(stream.sendWindow.available, this.sendWindow.available));
  }

  sendHeaders(stream: Http2Stream, headers: readonly Header[], endStream: boolean): boolean {
    if (!this.alive || !this.headersFit(headers)) return false;
    const problem = stream.answered ? checkTrailers(headers) : checkResponse(headers).problem;
    if (problem !== undefined) return false;
    this.writer.headers(stream.id, headers, endStream, this.peer.maxFrameBytes);
    return true;
  }

  /** Whether a header list is within what the peer and one output block take. */
  headersFit(headers: readonly Header[]): boolean {
    let listBytes = 0;
    for (const [name, value] of headers) listBytes += entryBytes(name, value);
    if (listBytes > this.peer.maxHeaderListBytes || this.outputOverflowed) return false;
    return HpackEncoder.maxBytes(headers) + FRAME_HEADER_BYTES <= BLOCK_BYTES;
  }

  sendData(stream: Http2Stream, chunk: Uint8Array, from: number, endStream: boolean): number {
    if (!this.alive) return 0;
    const output = this.#output;
    const total = chunk.length;
    let at = from;
    while (!output.blocked) {
      const allowed = Math.min(total - at, stream.sendWindow.available, this.sendWindow.available);
      if (allowed <= 0 && !(at === total && endStream)) break;
      const wanted = Math.max(0, Math.min(allowed, this.peer.maxFrameBytes, MAX_DATA_BYTES));
      output.reserve(FRAME_HEADER_BYTES + Math.min(wanted, MIN_SPLIT_BYTES));
      const bytes = Math.min(wanted, output.room - FRAME_HEADER_BYTES);
      const last = endStream && at + bytes === total;
      this.writer.data(stream.id, chunk, at, bytes, last);
      this.#countData(stream, bytes);
      at += bytes;
      if (last) return at - from + 1;
      if (at === total) break;
    }
    return at - from;
  }

  #countData(stream: Http2Stream, bytes: number): void {
    stream.sendWindow.available -= bytes;
    this.sendWindow.available -= bytes;
    this.counters.dataFramesSent += 1;
    this.budgets.window.earn(4 + (bytes >>> 10));
    this.budgets.ping.earn(1);
  }

  enqueue(stream: Http2Stream): void {
    if (stream.queued) return;
    stream.queued = true;
    this.#waiting.push(stream);
  }

  /** Gives each waiting stream its turn, as far as windows and output allow. */
  pump(): void {
    let stuck = 0;
    while (this.#waiting.length > stuck && !this.#output.blocked) {
      const stream = this.#waiting.shift();
      if (stream === undefined) return;
      stream.queued = false;
      const before = stream.pendingBytes;
      if (!stream.sendPending(QUANTUM_BYTES)) {
        stream.notifyWritable();
        stuck = 0;
      } else if (stream.sendWindow.available > 0) {
        this.enqueue(stream);
        stuck = stream.pendingBytes < before ? 0 : stuck + 1;
      }
      // A stream without a window of its own comes back with its WINDOW_UPDATE.
    }
  }

  resetStream(stream: Http2Stream, code: number): void {
    if (this.alive) this.sendRst(stream.id, code);
    stream.close({ kind: 'reset', by: 'local', code });
  }

  sendRst(streamId: number, code: number): void {
    this.writer.rstStream(streamId, code);
    this.counters.rstSent += 1;
    this.closedByReset.add(streamId);
  }

  returnCredit(stream: Http2Stream, bytes: number): void {
    this.returnConnectionCredit(bytes);
    if (!this.alive || stream.state === 'closed' || stream.inbound === 'ended') return;
    const increment = stream.receiveWindow.giveBack(bytes);
    if (increment > 0) this.writer.windowUpdate(stream.id, increment);
  }

  returnConnectionCredit(bytes: number): void {
    if (!this.alive) return;
    const increment = this.receiveWindow.giveBack(bytes);
    if (increment > 0) this.writer.windowUpdate(0, increment);
  }

  forget(stream: Http2Stream): void {
    this.streams.delete(stream.id);
    if (this.#state.name === 'draining' && this.streams.size === 0) this.closeWhenDrained();
    this.events.onStreamClosed?.(stream);
  }

  // Life of the connection.

  setState(state: ConnectionState): void {
    this.#state = state;
  }

  /** In `draining`, ends the connection if no stream is left and no more may come. */
  closeWhenDrained(): void {
    const state = this.#state;
    if (state.name !== 'draining' || this.streams.size > 0) return;
    // A server that announced its drain still waits for requests that were on their way.
    if (this.role === 'server' && state.by === 'local' && state.refuseAbove === MAX_31_BIT) return;
    this.writer.goaway(this.lastPeerId, Http2Code.NO_ERROR);
    this.close(undefined);
  }

  /** Ends the connection because of the peer's fault. */
  fail(fault: Fault): void {
    if (!this.alive) return;
    this.writer.goaway(this.lastPeerId, fault.code);
    this.close(faultError(fault));
  }

  /** Ends all streams, sends what is queued and closes the transport. */
  close(error: AmbitError<Http2ErrorCode> | undefined): void {
    if (!this.alive) return;
    const timer = this.clock.after(CLOSE_GRACE_MS, () => this.#transport.destroy());
    this.setState({ name: 'closing', error, timer });
    this.onStopped();
    this.#closeStreams({ kind: 'lost', error });
    if (this.#output.empty) this.#endTransport();
    else this.#output.flush();
  }

  /** Closes at once, without a word to the peer. */
  destroy(error: AmbitError<Http2ErrorCode> | undefined): void {
    if (this.#state.name === 'closed') return;
    this.transportClosed(error);
    this.#transport.destroy();
  }

  /** The transport is gone: nothing more can be sent. */
  transportClosed(error: AmbitError<Http2ErrorCode> | undefined): void {
    const state = this.#state;
    if (state.name === 'closed') return;
    const reason = state.name === 'closing' ? state.error : error;
    if (state.name === 'closing') state.timer.cancel();
    this.setState({ name: 'closed', error: reason });
    this.onStopped();
    this.#output.close();
    this.#closeStreams({ kind: 'lost', error: reason });
    this.events.onClosed(reason);
  }

  #closeStreams(reason: StreamCloseReason): void {
    this.#waiting.length = 0;
    for (const stream of [...this.streams.values()]) stream.close(reason);
  }

  #drained(): void {
    if (this.alive) this.pump();
    else if (this.#output.empty) this.#endTransport();
  }

  #endTransport(): void {
    if (this.#transportEnded) return;
    this.#transportEnded = true;
    this.#transport.end();
  }
}

/** The error of a connection whose transport ended although it was in use. */
export function transportLost(cause: Error | undefined): AmbitError<Http2ErrorCode> {
  const detail = cause === undefined ? 'the peer closed it' : cause.message;
  return new AmbitError('HTTP2_TRANSPORT_LOST', `HTTP/2 connection lost: ${detail}`, { side: 'upstream', cause });
}

function noop(): void {
  // Replaced by the owner before the first byte arrives.
}
