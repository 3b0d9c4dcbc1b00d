/**
 * A stream of a gRPC-Web client as the engine sees it: one of gRPC (facts l7-and-control 10.1). Base64 is taken off the
 * request and put on the response; trailers become the last frame of the body.
 *
 * Invariants:
 * - Nothing is held but what is missing of a group of base64.
 * - Answers that are not gRPC pass as they are.
 * - A request that is no base64 is answered as one that is over: nobody sees the rest of it.
 */
import type {
  HttpCloseReason,
  HttpHeader,
  HttpStream,
  HttpStreamHandler,
  HttpStreamState,
} from '../../http/http-stream.ts';
import { Http2Code } from '../../http2/http2-error.ts';
import { Base64Decoder } from './base64-decoder.ts';
import { FrameEncoder } from './frame-encoder.ts';
import type { GrpcWebRequest } from './grpc-web-request.ts';

const RESPONSE_TYPE = 'application/grpc-web+proto';
const TEXT_RESPONSE_TYPE = 'application/grpc-web-text+proto';
const TRAILERS_FLAG = 0x80;
const FRAME_HEADER_BYTES = 5;
/** INTERNAL, which 400 is in gRPC. */
const BAD_REQUEST: readonly HttpHeader[] = [
  [':status', '200'],
  ['grpc-status', '13'],
  ['grpc-message', 'Bad gRPC-web request, invalid base64 data.'],
  ['server', 'istio-envoy'],
];

export class GrpcWebStream implements HttpStream, HttpStreamHandler {
  readonly #stream: HttpStream;
  readonly #decoder: Base64Decoder | undefined;
  readonly #wantsText: boolean;
  #handler: HttpStreamHandler | undefined;
  /** Once the answer is known to be gRPC and base64 is wanted. */
  #encoder: FrameEncoder | undefined;
  #isGrpcAnswer = false;
  #responded = false;
  #blocked = false;
  /** The engine was told that it is over. */
  #over = false;
  /** Of the request, received and not given back, as they came and as the engine saw them. */
  #heldBytes = 0;
  #shownBytes = 0;

  constructor(stream: HttpStream, { isText, wantsText }: Pick<GrpcWebRequest, 'isText' | 'wantsText'>) {
    this.#stream = stream;
    this.#decoder = isText ? new Base64Decoder() : undefined;
    this.#wantsText = wantsText;
  }

  get state(): HttpStreamState {
    return this.#over ? 'closed' : this.#stream.state;
  }

  get canSend(): boolean {
    return !this.#over && this.#stream.canSend;
  }

  get pendingBytes(): number {
    return this.#stream.pendingBytes;
  }

  setHandler(handler: HttpStreamHandler): void {
    this.#handler = handler;
  }

  respond(headers: readonly HttpHeader[], endStream = false): boolean {
    if (this.#over) return false;
    if (headers[0]?.[1].startsWith('1') === true) return this.#stream.respond(headers, endStream);
    this.#responded = true;
    this.#isGrpcAnswer = headers.some(
      ([name, value]) => name === 'content-type' && value.startsWith('application/grpc'),
    );
    if (!this.#isGrpcAnswer) return this.#stream.respond(headers, endStream);
    if (this.#wantsText && !endStream) this.#encoder = new FrameEncoder();
    return this.#stream.respond(this.#answerHeaders(headers), endStream);
  }

  write(chunk: Uint8Array): boolean {
    if (this.#over) return false;
    if (this.#encoder === undefined) return this.#writeOn(chunk);
    const text = this.#encoder.encode(chunk);
    return text === '' ? this.canSend && !this.#blocked : this.#writeOn(Buffer.from(text, 'latin1'));
  }

  sendTrailers(trailers: readonly HttpHeader[]): boolean {
    if (!this.#isGrpcAnswer) return !this.#over && this.#stream.sendTrailers(trailers);
    if (!this.canSend) return false;
    this.end(trailersFrame(trailers));
    return true;
  }

  end(chunk?: Uint8Array): void {
    if (!this.canSend) return;
    if (this.#encoder === undefined) return this.#stream.end(chunk);
    const text = (chunk === undefined ? '' : this.#encoder.encode(chunk)) + this.#encoder.flush();
    this.#stream.end(text === '' ? undefined : Buffer.from(text, 'latin1'));
  }

  reset(code?: number): void {
    if (!this.#over) this.#stream.reset(code);
  }

  consume(bytes: number): void {
    if (this.#decoder === undefined) return this.#stream.consume(bytes);
    this.#shownBytes = Math.max(0, this.#shownBytes - bytes);
    // Three bytes came as four; when all were taken, so was what held no whole byte.
    this.#giveBack(this.#shownBytes === 0 ? this.#heldBytes : Math.floor((bytes * 4) / 3));
  }

  releaseCredit(): void {
    this.#heldBytes = 0;
    this.#shownBytes = 0;
    this.#stream.releaseCredit();
  }

  onHeaders(stream: HttpStream, headers: readonly HttpHeader[], endStream: boolean): void {
    if (!this.#over) this.#handler?.onHeaders(this, headers, endStream);
    else stream.releaseCredit();
  }

  onData(stream: HttpStream, chunk: Buffer): void {
    if (this.#over) return stream.consume(chunk.length);
    if (this.#decoder === undefined) return this.#handler?.onData(this, chunk);
    const bytes = this.#decoder.decode(chunk);
    this.#heldBytes += chunk.length;
    if (bytes === undefined) return this.#refuse();
    this.#shownBytes += bytes.length;
    if (bytes.length > 0) this.#handler?.onData(this, bytes);
    else if (this.#shownBytes === 0) this.#giveBack(this.#heldBytes);
  }

  onEnd(_stream: HttpStream): void {
    if (this.#over) return;
    if (this.#decoder?.isPartial === true) this.#refuse();
    else this.#handler?.onEnd(this);
  }

  onWritable(_stream: HttpStream): void {
    this.#blocked = false;
    if (!this.#over) this.#handler?.onWritable(this);
  }

  onClosed(stream: HttpStream, reason: HttpCloseReason): void {
    if (this.#over) return stream.releaseCredit();
    this.#over = true;
    this.#handler?.onClosed(this, reason);
  }

  #answerHeaders(headers: readonly HttpHeader[]): readonly HttpHeader[] {
    const type = this.#wantsText ? TEXT_RESPONSE_TYPE : RESPONSE_TYPE;
    return headers
      .filter(([name]) => name !== 'content-length' && name !== 'trailer')
      .map((header): HttpHeader => (header[0] === 'content-type' ? ['content-type', type] : header));
  }

  #writeOn(chunk: Uint8Array): boolean {
    const takesMore = this.#stream.write(chunk);
    this.#blocked = !takesMore;
    return takesMore;
  }

  #giveBack(bytes: number): void {
    const given = Math.min(bytes, this.#heldBytes);
    this.#heldBytes -= given;
    this.#stream.consume(given);
  }

  #refuse(): void {
    const stream = this.#stream;
    this.#over = true;
    // For the engine the client is gone: what it asked for is ended.
    this.#handler?.onClosed(this, { kind: 'reset', by: 'peer', code: Http2Code.PROTOCOL_ERROR });
    stream.releaseCredit();
    const type: HttpHeader = ['content-type', this.#wantsText ? TEXT_RESPONSE_TYPE : RESPONSE_TYPE];
    if (this.#responded || !stream.respond([...BAD_REQUEST, type], true)) stream.reset(Http2Code.INTERNAL_ERROR);
  }
}

function trailersFrame(trailers: readonly HttpHeader[]): Buffer {
  const lines = Buffer.from(trailers.map(([name, value]) => `${name}:${value}\r\n`).join(''), 'latin1');
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header[0] = TRAILERS_FLAG;
  header.writeUInt32BE(lines.length, 1);
  return Buffer.concat([header, lines]);
}
