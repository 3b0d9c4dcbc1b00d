/** An HTTP exchange without a connection: what is done to it is written down, and the test plays the peer. */
import type { HttpCloseReason, HttpHeader, HttpStream, HttpStreamHandler } from '../../src/http/http-stream.ts';

export class FakeHttpStream implements HttpStream {
  handler: HttpStreamHandler | undefined;
  state: HttpStream['state'] = 'open';
  pendingBytes = 0;
  /** Whether `write` says that more is welcome. */
  takesMore = true;
  /** Whether its peer takes headers of any size. */
  takesHeaders = true;
  responses: (readonly HttpHeader[])[] = [];
  written: string[] = [];
  ended = false;
  resets: (number | undefined)[] = [];
  creditBytes = 0;

  get canSend(): boolean {
    return this.state !== 'closed' && !this.ended;
  }

  setHandler(handler: HttpStreamHandler): void {
    this.handler = handler;
  }

  respond(headers: readonly HttpHeader[], endStream = false): boolean {
    if (!this.takesHeaders) return false;
    this.responses.push(headers);
    this.ended ||= endStream;
    return this.state !== 'closed';
  }

  sendTrailers(headers: readonly HttpHeader[]): boolean {
    if (!this.takesHeaders) return false;
    this.responses.push(headers);
    this.ended = true;
    return true;
  }

  write(chunk: Uint8Array): boolean {
    this.written.push(Buffer.from(chunk).toString());
    return this.takesMore;
  }

  end(chunk?: Uint8Array): void {
    if (chunk !== undefined) this.write(chunk);
    this.ended = true;
  }

  reset(code?: number): void {
    if (this.state === 'closed') return;
    this.resets.push(code);
    this.close({ kind: 'reset', by: 'local', code: code ?? 0 });
  }

  consume(bytes: number): void {
    this.creditBytes += bytes;
  }

  releaseCredit(): void {
    // What the handler did not account for is not looked at in these tests.
  }

  // The peer's side.

  headers(status: number, more: Record<string, string> = {}, endStream = false): void {
    this.handler?.onHeaders(this, [[':status', String(status)], ...Object.entries(more)], endStream);
  }

  data(text: string): void {
    this.handler?.onData(this, Buffer.from(text));
  }

  finish(): void {
    this.handler?.onEnd(this);
  }

  close(reason: HttpCloseReason): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.handler?.onClosed(this, reason);
  }
}
