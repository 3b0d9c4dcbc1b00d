/**
 * SOCKS5 as a way into the proxy for programs whose traffic nothing captures (RFC 1928; facts ztunnel-wire 1.1): CONNECT
 * only, without authentication, on the pod's loopback.
 *
 * Invariants:
 * - A client gets a bounded time and a bounded number of bytes to say what it wants.
 * - The request is answered before the destination is tried, as a captured connection is accepted before it is.
 */
import type { Socket } from 'node:net';
import { openQuietly } from '../../hbone/open-quietly.ts';
import { PendingHandshakes } from '../../hbone/pending-handshakes.ts';
import { HANDSHAKE_TIMEOUT_MS } from '../../hbone/tunnel-settings.ts';
import { preferredService } from '../../mesh/find-service.ts';
import { type IpAddress, ipFromBytes, parseIpAddress } from '../../model/address.ts';
import type { Endpoint } from '../../native/endpoint.ts';
import type { InboundConnection, ReadInto } from '../../net/inbound-connection.ts';
import type { PodContext } from './pod-context.ts';

const VERSION = 5;
const NO_AUTHENTICATION = 0;
const CONNECT = 1;
const REPLY = { succeeded: 0, hostUnreachable: 4, commandNotSupported: 7 } as const;
const MAX_PENDING = 128;
/** The longest request: a name of 255 bytes. */
const MAX_REQUEST_BYTES = 4 + 1 + 255 + 2;

/** What the bytes so far mean; `bytes` is the length of the message. */
export type SocksMessage<T> =
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'invalid' }
  | { readonly kind: 'message'; readonly bytes: number; readonly value: T };

export interface SocksRequest {
  readonly command: number;
  /** An address, or a name to resolve. */
  readonly host: string;
  readonly port: number;
}

/** The client's first message; the value is whether it does without authentication. */
export function parseSocksGreeting(input: Buffer): SocksMessage<boolean> {
  if (input.length > 0 && input[0] !== VERSION) return { kind: 'invalid' };
  const count = input[1];
  if (count === undefined || input.length < 2 + count) return { kind: 'incomplete' };
  const methods = input.subarray(2, 2 + count);
  return { kind: 'message', bytes: 2 + count, value: methods.includes(NO_AUTHENTICATION) };
}

/** The client's second message. */
export function parseSocksRequest(input: Buffer): SocksMessage<SocksRequest> {
  if (input.length > 0 && input[0] !== VERSION) return { kind: 'invalid' };
  const [, command, , addressType, nameLength] = input;
  if (command === undefined || addressType === undefined || nameLength === undefined) return { kind: 'incomplete' };
  const start = addressType === 3 ? 5 : 4;
  const hostBytes = { 1: 4, 3: nameLength, 4: 16 }[addressType];
  if (hostBytes === undefined || hostBytes === 0) return { kind: 'invalid' };
  const bytes = start + hostBytes + 2;
  if (input.length < bytes) return { kind: 'incomplete' };
  const raw = input.subarray(start, start + hostBytes);
  const host = addressType === 3 ? raw.toString('latin1') : (ipFromBytes(raw) ?? '');
  const port = input.readUInt16BE(bytes - 2);
  if (port === 0) return { kind: 'invalid' };
  return { kind: 'message', bytes, value: { command, host, port } };
}

/** A connection whose destination the client named itself. */
class SocksConnection implements InboundConnection {
  readonly peer: Endpoint;
  readonly local: Endpoint;
  readonly originalDestination: Endpoint;
  readonly #socket: Socket;

  constructor(connection: InboundConnection, socket: Socket, destination: Endpoint) {
    this.peer = connection.peer;
    this.local = connection.local;
    this.originalDestination = destination;
    this.#socket = socket;
  }

  open(readInto?: ReadInto): Socket {
    const socket = this.#socket;
    if (readInto === undefined) return socket;
    socket.on('data', (chunk: Buffer) => {
      if (!readInto.callback(chunk.length, chunk)) socket.pause();
    });
    // It was paused when the request was complete.
    socket.resume();
    return socket;
  }

  reject(): void {
    this.#socket.destroy();
  }
}

export class Socks5 {
  readonly #context: PodContext;
  readonly #handOver: (connection: InboundConnection) => void;
  readonly #pending = new PendingHandshakes(MAX_PENDING);

  /** @param handOver takes connections whose destination is known */
  constructor(context: PodContext, handOver: (connection: InboundConnection) => void) {
    this.#context = context;
    this.#handOver = handOver;
  }

  /** Takes a client's connection. */
  accept(connection: InboundConnection): void {
    const socket = openQuietly(connection);
    const leave = this.#pending.enter(() => socket.destroy());
    const timer = this.#context.clock.after(HANDSHAKE_TIMEOUT_MS, () => socket.destroy());
    socket.on('close', () => {
      timer.cancel();
      leave();
    });
    readMessage(socket, parseSocksGreeting, (plain) => {
      if (!plain) return void socket.end(Buffer.of(VERSION, 0xff));
      socket.write(Buffer.of(VERSION, NO_AUTHENTICATION));
      readMessage(socket, parseSocksRequest, (request) => {
        timer.cancel();
        leave();
        void this.#connect(connection, socket, request);
      });
    });
  }

  stop(): void {
    this.#pending.clear();
  }

  async #connect(connection: InboundConnection, socket: Socket, request: SocksRequest): Promise<void> {
    if (request.command !== CONNECT) return void socket.end(reply(REPLY.commandNotSupported));
    const address = await this.#addressOf(request.host);
    if (socket.destroyed) return;
    if (address === undefined) return void socket.end(reply(REPLY.hostUnreachable));
    socket.write(reply(REPLY.succeeded));
    this.#handOver(new SocksConnection(connection, socket, { address, port: request.port }));
  }

  /** Names of the mesh are their VIP; others are asked of DNS. */
  async #addressOf(host: string): Promise<IpAddress | undefined> {
    const address = parseIpAddress(host);
    if (address !== undefined) return address;
    const { state, local, hostnames } = this.#context;
    const namespace = local.info.namespace;
    const service = preferredService(state.servicesByHostname(host.toLowerCase()), namespace);
    return service?.vips[0]?.address ?? hostnames.resolve(host, undefined, false);
  }
}

/** Reads one message and gives back what follows it; a message that is none ends the connection. */
function readMessage<T>(socket: Socket, parse: (input: Buffer) => SocksMessage<T>, done: (value: T) => void): void {
  let input = Buffer.alloc(0);
  const onData = (chunk: Buffer) => {
    input = Buffer.concat([input, chunk]);
    const message = parse(input);
    if (message.kind === 'incomplete' && input.length <= MAX_REQUEST_BYTES) return;
    socket.off('data', onData);
    socket.off('end', onEnd);
    socket.pause();
    if (message.kind !== 'message') return void socket.destroy();
    const rest = input.subarray(message.bytes);
    if (rest.length > 0) socket.unshift(rest);
    done(message.value);
  };
  const onEnd = () => socket.destroy();
  socket.on('data', onData);
  socket.on('end', onEnd);
  socket.resume();
}

/** An answer; the bound address is not told. */
function reply(code: number): Buffer {
  return Buffer.of(VERSION, code, 0, 1, 0, 0, 0, 0, 0, 0);
}
