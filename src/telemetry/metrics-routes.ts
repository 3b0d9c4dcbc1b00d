/**
 * The metrics endpoint of every role (facts ztunnel-wire 11.1): OpenMetrics when asked for, compressed when asked for.
 *
 * Invariants:
 * - Long pages are made in parts at the pace of their reader: a scrape delays nobody's traffic.
 * - Pages that are read at one time are few, and end in time: slow readers hold no memory.
 */
import { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createGzip, gzip } from 'node:zlib';
import type { HttpAnswer, HttpRequest, HttpRoutes } from '../net/http-endpoint.ts';
import { metricParts, OPEN_METRICS_CONTENT_TYPE, type ScrapedFamily, TEXT_CONTENT_TYPE } from './exposition.ts';

const compress = promisify(gzip);
/** Below this a compressed answer saves no packet. */
const MIN_COMPRESSED_BYTES = 1024;
const COMPRESSION = { level: 1 };
const MAX_LONG_PAGES = 4;
const LONG_PAGE_MS = 30_000;

/** Routes that render what `families` gives at the time of each scrape. */
export function metricsRoutes(
  families: () => Promise<readonly ScrapedFamily[]> | readonly ScrapedFamily[],
): HttpRoutes {
  let longPages = 0;
  const scrape = async ({ headers }: HttpRequest): Promise<HttpAnswer> => {
    const open = headers.accept?.includes('application/openmetrics-text') === true;
    const encoding = headers['accept-encoding'];
    const packed = acceptsGzip(typeof encoding === 'string' ? encoding : '');
    const common = { status: 200, contentType: open ? OPEN_METRICS_CONTENT_TYPE : TEXT_CONTENT_TYPE };
    const parts = metricParts(await families(), open ? 'openmetrics' : 'text');
    const first = parts.next();
    const second = first.done === true ? first : parts.next();
    if (second.done === true) return { ...common, ...(await shortPage(first.value ?? Buffer.alloc(0), packed)) };
    if (longPages >= MAX_LONG_PAGES) return { status: 503, body: `${MAX_LONG_PAGES} scrapes are not over yet\n` };
    longPages += 1;
    const page = longPage([first.value ?? Buffer.alloc(0), second.value], parts);
    page.once('close', () => {
      longPages -= 1;
    });
    const coding = packed ? { 'content-encoding': 'gzip' } : undefined;
    return { ...common, headers: { vary: 'accept-encoding', ...coding }, body: packed ? compressed(page) : page };
  };
  return { 'GET /metrics': scrape, 'GET /stats/prometheus': scrape };
}

async function shortPage(body: Buffer, packed: boolean): Promise<Pick<HttpAnswer, 'body' | 'headers'>> {
  const vary = { vary: 'accept-encoding' };
  if (!packed || body.length < MIN_COMPRESSED_BYTES) return { body, headers: vary };
  return { body: await compress(body, COMPRESSION), headers: { ...vary, 'content-encoding': 'gzip' } };
}

function longPage(begun: readonly Buffer[], rest: Iterable<Buffer>): Readable {
  async function* parts(): AsyncGenerator<Buffer> {
    yield* begun;
    for (const part of rest) {
      await nextTurn();
      yield part;
    }
  }
  return Readable.from(parts(), { objectMode: false, signal: AbortSignal.timeout(LONG_PAGE_MS) });
}

function compressed(page: Readable): Readable {
  const packer = createGzip(COMPRESSION);
  page.on('error', (error) => packer.destroy(error));
  packer.on('close', () => page.destroy());
  return page.pipe(packer);
}

/** Whether the list of codings has gzip, or anything, with a weight above zero (RFC 9110 12.5.3). */
export function acceptsGzip(acceptEncoding: string): boolean {
  let any = false;
  for (const item of acceptEncoding.split(',')) {
    const [coding = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase());
    const refused = parameters.some((parameter) => /^q=0(\.0{0,3})?$/.test(parameter));
    if (coding === 'gzip' || coding === 'x-gzip') return !refused;
    if (coding === '*') any = !refused;
  }
  return any;
}
