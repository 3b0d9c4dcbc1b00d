/**
 * HTTP to the API server: kept connections, deadlines, bounded answers.
 *
 * Invariants:
 * - Neither a call nor a stream outlives its deadline.
 * - Nothing is kept of an answer beyond MAX_ANSWER_BYTES, nor of one watch event beyond MAX_LINE_BYTES.
 * - Credentials are asked for with each request and never appear in errors.
 */
import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Clock } from '../base/clock.ts';
import { errorText, systemErrorCode } from '../base/errors.ts';
import { fail, ok, type Result } from '../base/result.ts';
import type { KubeConfig, KubeCredentials } from './kube-config.ts';
import { KubeError, NO_STATUS_HINT, refusal } from './kube-error.ts';
import { loginHeaders, loginTls } from './login.ts';

export interface KubeCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: URLSearchParams;
  readonly body?: unknown;
  /** Whether the answer is text, and is given as it is. */
  readonly answersText?: boolean;
  /** Default `application/json`. */
  readonly contentType?: string;
  /** Until the last byte of the answer. */
  readonly timeoutMs: number;
}

const MAX_ANSWER_BYTES = 128 * 1024 * 1024;
/** etcd takes objects of 1.5 MB; with what the API server adds this is ample. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;
const MAX_SOCKETS = 16;
/** An idle connection is probed so often; a dead one is noticed within about 40 s. */
const KEEP_ALIVE_PROBE_MS = 30_000;
const NEWLINE = 0x0a;

export class KubeTransport {
  readonly #config: KubeConfig;
  readonly #clock: Clock;
  readonly #server: URL;
  readonly #calls: HttpAgent | HttpsAgent;
  readonly #streams: HttpAgent | HttpsAgent;

  constructor(config: KubeConfig, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
    this.#server = new URL(config.server);
    const Agent = this.#isTls() ? HttpsAgent : HttpAgent;
    this.#calls = new Agent({ keepAlive: true, keepAliveMsecs: KEEP_ALIVE_PROBE_MS, maxSockets: MAX_SOCKETS });
    this.#streams = new Agent({ keepAlive: true, keepAliveMsecs: KEEP_ALIVE_PROBE_MS, maxFreeSockets: 2 });
  }

  /** One call and its whole answer, parsed. A GET whose kept connection was just closed is tried once more. */
  async call(call: KubeCall): Promise<Result<unknown, KubeError>> {
    const first = await this.#tryCall(call);
    if (first.ok || first.error.retry !== 'reused-connection-only' || call.method !== 'GET') return first;
    return this.#tryCall(call);
  }

  /** Lines of an answer without end, parsed. Resolves when the answer ends, the deadline passes, or `signal` aborts. */
  async stream(
    call: KubeCall,
    onLine: (value: unknown) => void,
    signal: AbortSignal,
  ): Promise<Result<undefined, KubeError>> {
    const splitter = new LineSplitter(onLine, describe(call));
    return this.#exchange(call, this.#streams, signal, {
      chunk: (chunk) => splitter.push(chunk),
      end: () => ok(undefined),
      // A watch that reaches its end in silence is as good as one that was ended.
      timeout: () => ok(undefined),
    });
  }

  /** Closes kept connections. */
  close(): void {
    this.#calls.destroy();
    this.#streams.destroy();
  }

  #tryCall(call: KubeCall): Promise<Result<unknown, KubeError>> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    return this.#exchange<unknown>(call, this.#calls, undefined, {
      chunk: (chunk) => {
        bytes += chunk.length;
        if (bytes > MAX_ANSWER_BYTES) return invalid(describe(call), `it is larger than ${MAX_ANSWER_BYTES} bytes`);
        chunks.push(chunk);
        return undefined;
      },
      end: () =>
        call.answersText === true
          ? ok(Buffer.concat(chunks).toString('utf8'))
          : parseAnswer(describe(call), Buffer.concat(chunks)),
      timeout: () => fail(late(call, this.#server, this.#config.unreachableHint ?? '')),
    });
  }

  async #exchange<T>(
    call: KubeCall,
    agent: HttpAgent | HttpsAgent,
    signal: AbortSignal | undefined,
    reader: AnswerReader<T>,
  ): Promise<Result<T, KubeError>> {
    let credentials: KubeCredentials;
    try {
      credentials = await this.#config.credentials();
    } catch (cause) {
      return fail(cause instanceof KubeError ? cause : new KubeError('KUBE_CONFIG', errorText(cause), { cause }));
    }
    if (signal?.aborted === true) return reader.end();
    const body = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body));
    return new Promise((resolve) => {
      const request = this.#open(call, agent, credentials, body);
      const settle = (result: Result<T, KubeError>) => {
        timer.cancel();
        signal?.removeEventListener('abort', abort);
        resolve(result);
      };
      const abandon = (result: Result<T, KubeError>) => {
        settle(result);
        request.destroy();
      };
      const abort = () => abandon(reader.end());
      const timer = this.#clock.after(call.timeoutMs, () => abandon(reader.timeout()));
      signal?.addEventListener('abort', abort, { once: true });
      request.on('error', (cause) => {
        settle(fail(unreachable(call, this.#server, this.#config.unreachableHint ?? '', request, cause)));
      });
      request.on('response', (response) => {
        const status = response.statusCode ?? 0;
        if (status < 200 || status > 299) {
          return readRefusal(call, this.#config.forbiddenHint, response, (error) => settle(fail(error)));
        }
        readAnswer(response, reader, settle, abandon);
      });
      request.end(body);
    });
  }

  #open(
    call: KubeCall,
    agent: HttpAgent | HttpsAgent,
    credentials: KubeCredentials,
    body: Buffer | undefined,
  ): ClientRequest {
    const { hostname, port, pathname } = this.#server;
    const query = call.query === undefined || call.query.size === 0 ? '' : `?${call.query}`;
    const plain = {
      agent,
      method: call.method,
      // Brackets belong to URLs, not to addresses.
      host: hostname.replace(/^\[|\]$/g, ''),
      port: port === '' ? (this.#isTls() ? 443 : 80) : Number(port),
      path: `${pathname.replace(/\/$/, '')}${call.path}${query}`,
      headers: headersOf(call, credentials, body),
    };
    if (!this.#isTls()) return httpRequest(plain);
    return httpsRequest({ ...plain, ...loginTls(this.#config, credentials) });
  }

  #isTls(): boolean {
    return this.#server.protocol !== 'http:';
  }
}

interface AnswerReader<T> {
  readonly chunk: (chunk: Buffer) => KubeError | undefined;
  readonly end: () => Result<T, KubeError>;
  readonly timeout: () => Result<T, KubeError>;
}

function readAnswer<T>(
  response: IncomingMessage,
  reader: AnswerReader<T>,
  settle: (result: Result<T, KubeError>) => void,
  abandon: (result: Result<T, KubeError>) => void,
): void {
  let ended = false;
  response.on('data', (chunk: Buffer) => {
    if (ended) return;
    const error = reader.chunk(chunk);
    if (error === undefined) return;
    ended = true;
    abandon(fail(error));
  });
  response.on('end', () => {
    if (!ended) settle(reader.end());
    ended = true;
  });
  // Cut off in the middle.
  response.on('close', () => {
    if (!ended) settle(fail(new KubeError('KUBE_UNREACHABLE', 'the API server ended the answer in the middle')));
  });
  response.on('error', () => undefined);
}

/** The server takes connections, and says nothing. */
function late(call: KubeCall, server: URL, hint: string): KubeError {
  return new KubeError(
    'KUBE_TIMEOUT',
    `${describe(call)}: API server ${server.host}: no answer in ${call.timeoutMs} ms${hint}`,
  );
}

/** Enough for a Status object; the rest is not read. */
const MAX_REFUSAL_BYTES = 64 * 1024;

function readRefusal(
  call: KubeCall,
  forbiddenHint: string | undefined,
  response: IncomingMessage,
  done: (error: KubeError) => void,
): void {
  const status = response.statusCode ?? 0;
  const retryAfterSec = Number(response.headers['retry-after'] ?? 0);
  let body = '';
  response.setEncoding('utf8');
  response.on('data', (chunk: string) => {
    if (body.length < MAX_REFUSAL_BYTES) body += chunk;
  });
  response.on('error', () => undefined);
  response.on('close', () => {
    const retryAfterMs = Number.isFinite(retryAfterSec) ? Math.max(0, retryAfterSec * 1000) : 0;
    done(refusal(describe(call), status, body === '' ? {} : parseQuietly(body), retryAfterMs, forbiddenHint));
  });
}

function parseAnswer(call: string, bytes: Buffer): Result<unknown, KubeError> {
  try {
    return ok(JSON.parse(bytes.toString('utf8')));
  } catch {
    return fail(invalid(call, `it is not JSON${NO_STATUS_HINT}`));
  }
}

function parseQuietly(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A proxy in between may answer with a page; the status says enough.
    return undefined;
  }
}

/** Cuts chunks into lines of JSON. */
class LineSplitter {
  readonly #onLine: (value: unknown) => void;
  readonly #call: string;
  #parts: Buffer[] = [];
  #bytes = 0;

  constructor(onLine: (value: unknown) => void, call: string) {
    this.#onLine = onLine;
    this.#call = call;
  }

  push(chunk: Buffer): KubeError | undefined {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const error = this.#line(chunk.subarray(start, end));
      if (error !== undefined) return error;
      start = end + 1;
    }
    if (start === chunk.length) return undefined;
    this.#parts.push(chunk.subarray(start));
    this.#bytes += chunk.length - start;
    return this.#bytes > MAX_LINE_BYTES ? invalid(this.#call, `an event is over ${MAX_LINE_BYTES} bytes`) : undefined;
  }

  #line(rest: Buffer): KubeError | undefined {
    const line = this.#parts.length === 0 ? rest : Buffer.concat([...this.#parts, rest]);
    this.#parts = [];
    this.#bytes = 0;
    if (line.length === 0) return undefined;
    const parsed = parseAnswer(this.#call, line);
    if (!parsed.ok) return parsed.error;
    this.#onLine(parsed.value);
    return undefined;
  }
}

function headersOf(
  call: KubeCall,
  credentials: KubeCredentials,
  body: Buffer | undefined,
): Record<string, string | number> {
  return {
    accept: 'application/json',
    ...loginHeaders(credentials),
    ...(body === undefined
      ? {}
      : { 'content-type': call.contentType ?? 'application/json', 'content-length': body.length }),
  };
}

function unreachable(call: KubeCall, server: URL, hint: string, request: ClientRequest, cause: Error): KubeError {
  const reused = request.reusedSocket && systemErrorCode(cause) === 'ECONNRESET';
  return new KubeError('KUBE_UNREACHABLE', `${describe(call)}: API server ${server.host}: ${errorText(cause)}${hint}`, {
    cause,
    retry: reused ? 'reused-connection-only' : 'idempotent',
  });
}

function invalid(call: string, why: string): KubeError {
  return new KubeError('KUBE_ANSWER_INVALID', `the answer to ${call} cannot be used: ${why}`);
}

function describe(call: KubeCall): string {
  return `${call.method} ${call.path}`;
}
