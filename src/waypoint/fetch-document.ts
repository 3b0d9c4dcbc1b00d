/**
 * A document by URL, for what a waypoint needs itself: over a connection that the caller provides, or one of its own.
 *
 * Invariant: one deadline covers everything, no more is read than may be, and nothing is left open.
 */
import { lookup } from 'node:dns';
import type { IncomingMessage } from 'node:http';
import { isIP, type LookupFunction } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import type { Clock } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import { fail, ok, type Result } from '../base/result.ts';

export interface FetchDocumentDeps {
  readonly clock: Clock;
  /** A connection for the URL; undefined where Node makes its own. */
  readonly connect: (url: URL) => Promise<Result<Duplex | undefined, string>>;
  /** Whether Node may connect to the address. */
  readonly mayCall: (address: string) => boolean;
}

const MAX_DOCUMENT_BYTES = 1_048_576;
const MAX_REDIRECTS = 3;
const NOT_CALLED = 'its host is this machine, or one of its links, which nothing is fetched from';

/** Fails with the reason as text. Never rejects. */
export async function fetchDocument(
  address: string,
  timeoutMs: number,
  { clock, connect, mayCall }: FetchDocumentDeps,
): Promise<Result<string, string>> {
  const deadline = new AbortController();
  const timer = clock.after(timeoutMs, () => deadline.abort());
  try {
    let url = new URL(address);
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      if (url.protocol !== 'http:' && url.protocol !== 'https:') return fail(`${url.protocol} is not spoken`);
      const connection = await connectWithin(connect(url), deadline.signal);
      if (!connection.ok) return connection;
      const answer = await ask(url, connection.value, mayCall, deadline.signal);
      if (typeof answer === 'string') return ok(answer);
      if (!mayFollow(url, answer)) return fail('it is moved to another host');
      url = answer;
    }
    return fail('it is moved too often');
  } catch (error) {
    return fail(deadline.signal.aborted ? `no answer within ${timeoutMs} ms` : errorText(error));
  } finally {
    timer.cancel();
  }
}

/** A connection that comes too late is closed. */
async function connectWithin(
  connecting: Promise<Result<Duplex | undefined, string>>,
  signal: AbortSignal,
): Promise<Result<Duplex | undefined, string>> {
  const tooLate = new Promise<undefined>((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  const connected = await Promise.race([connecting, tooLate]);
  if (connected !== undefined && !signal.aborted) return connected;
  void connecting.then((late) => late.ok && late.value?.destroy());
  throw new Error('too late');
}

/** Encryption never ends on the way. */
function mayFollow(from: URL, to: URL): boolean {
  return from.hostname === to.hostname && (from.protocol === to.protocol || to.protocol === 'https:');
}

/** @returns the document, or where it is instead */
function ask(
  url: URL,
  connection: Duplex | undefined,
  mayCall: FetchDocumentDeps['mayCall'],
  signal: AbortSignal,
): Promise<string | URL> {
  const isTls = url.protocol === 'https:';
  const literal = url.hostname.replace(/^\[(.*)\]$/, '$1');
  // Nobody looks up an address.
  if (connection === undefined && isIP(literal) !== 0 && !mayCall(literal))
    return Promise.reject(new Error(NOT_CALLED));
  // Node loads more for its HTTP client than a waypoint needs that fetches nothing.
  const { request } = process.getBuiltinModule(isTls ? 'node:https' : 'node:http');
  const over =
    connection === undefined
      ? { agent: false, lookup: lookupAllowed(mayCall) }
      : { createConnection: () => wrapped(url, connection, isTls), defaultPort: isTls ? 443 : 80 };
  return new Promise<string | URL>((resolve, reject) => {
    const asked = request(url, { ...over, signal, headers: { accept: 'application/json', connection: 'close' } });
    asked.on('error', reject);
    asked.on('response', (response) => {
      read(response, url).then(resolve, reject);
    });
    asked.end();
  }).finally(() => connection?.destroy());
}

/** The system's, without the addresses that may not be called. */
function lookupAllowed(mayCall: FetchDocumentDeps['mayCall']): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, '');
      const allowed = addresses.filter(({ address }) => mayCall(address));
      const [first] = allowed;
      if (first === undefined) return callback(new Error(NOT_CALLED), '');
      if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

function wrapped({ hostname }: URL, socket: Duplex, isTls: boolean): Duplex {
  if (!isTls) return socket;
  return connectTls({ socket, host: hostname, ...(isIP(hostname) === 0 ? { servername: hostname } : {}) });
}

async function read(response: IncomingMessage, url: URL): Promise<string | URL> {
  const { statusCode = 0, headers } = response;
  if ([301, 302, 303, 307, 308].includes(statusCode) && headers.location !== undefined) {
    response.destroy();
    return new URL(headers.location, url);
  }
  if (statusCode !== 200) {
    response.destroy();
    throw new Error(`it is answered with ${statusCode}`);
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_DOCUMENT_BYTES) throw new Error(`it is longer than ${MAX_DOCUMENT_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
