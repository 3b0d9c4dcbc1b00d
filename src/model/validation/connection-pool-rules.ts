/** Limits of connections to a service (facts l7-and-control 2.3, 2.6). */
import type { FieldReader } from '../manifest/field-reader.ts';
import { checkDuration, checkNotNegative } from './value-rules.ts';

const HTTP_LIMITS = [
  'http1MaxPendingRequests',
  'http2MaxRequests',
  'maxRequestsPerConnection',
  'maxRetries',
  'maxConcurrentStreams',
];

export function checkConnectionPool(pool: FieldReader): void {
  if (!pool.isPresent) return;
  const tcp = pool.child('tcp');
  const http = pool.child('http');
  if (!tcp.isPresent && !http.isPresent) pool.report(undefined, 'must not be empty: needs tcp or http');
  checkNotNegative(tcp, ['maxConnections']);
  for (const name of ['connectTimeout', 'maxConnectionDuration']) checkDuration(tcp, name);
  checkDuration(tcp, 'idleTimeout', 'zero');
  for (const name of ['time', 'interval']) checkDuration(tcp.child('tcpKeepalive'), name);
  checkNotNegative(http, HTTP_LIMITS);
  checkDuration(http, 'idleTimeout', 'zero');
  if (http.raw('h2UpgradePolicy') === 'UPGRADE' && http.raw('useClientProtocol') === true) {
    http.report('useClientProtocol', 'cannot be combined with h2UpgradePolicy UPGRADE');
  }
  const keepAlive = http.child('http2KeepAlive');
  if (!keepAlive.isPresent) return;
  for (const name of ['interval', 'timeout']) {
    if (!keepAlive.has(name)) keepAlive.report(name, 'is required: interval and timeout go together');
    checkDuration(keepAlive, name);
  }
}
