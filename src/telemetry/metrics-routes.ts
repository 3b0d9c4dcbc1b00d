/** The metrics endpoint of every role (facts ztunnel-wire 11.1): OpenMetrics when asked for, compressed when asked for. */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { HttpAnswer, HttpRequest, HttpRoutes } from '../net/http-endpoint.ts';
import { type MetricFamily, OPEN_METRICS_CONTENT_TYPE, renderMetrics, TEXT_CONTENT_TYPE } from './exposition.ts';

const compress = promisify(gzip);
/** Below this a compressed answer saves no packet. */
const MIN_COMPRESSED_BYTES = 1024;

/** Routes that render what `families` gives at the time of each scrape. */
export function metricsRoutes(families: () => Promise<readonly MetricFamily[]> | readonly MetricFamily[]): HttpRoutes {
  const scrape = async ({ headers }: HttpRequest): Promise<HttpAnswer> => {
    const open = headers.accept?.includes('application/openmetrics-text') === true;
    const body = renderMetrics(await families(), open ? 'openmetrics' : 'text');
    const contentType = open ? OPEN_METRICS_CONTENT_TYPE : TEXT_CONTENT_TYPE;
    const encoding = headers['accept-encoding'];
    if (!acceptsGzip(typeof encoding === 'string' ? encoding : '') || body.length < MIN_COMPRESSED_BYTES) {
      return { status: 200, body, contentType, headers: { vary: 'accept-encoding' } };
    }
    const packed = await compress(body, { level: 1 });
    return {
      status: 200,
      body: packed,
      contentType,
      headers: { 'content-encoding': 'gzip', vary: 'accept-encoding' },
    };
  };
  return { 'GET /metrics': scrape, 'GET /stats/prometheus': scrape };
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
