import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { renderMetrics } from '../../../src/telemetry/exposition.ts';
import { type MetricView, REQUEST_METRICS } from '../../../src/telemetry/metric-view.ts';
import type { RequestEdgeLabels } from '../../../src/telemetry/request-labels.ts';
import { RequestMetrics, type RequestOutcome } from '../../../src/telemetry/request-metrics.ts';

const peer = (name: string) => ({
  workload: `${name}-v1`,
  namespace: 'shop',
  canonicalService: name,
  canonicalRevision: 'v1',
  cluster: 'Kubernetes',
  region: '',
  zone: '',
});

const edge: RequestEdgeLabels = {
  reporter: 'waypoint',
  source: peer('web'),
  sourcePrincipal: 'spiffe://cluster.local/ns/shop/sa/web',
  destination: peer('cart'),
  destinationPrincipal: 'spiffe://cluster.local/ns/shop/sa/cart',
  service: { name: 'cart', namespace: 'shop', hostname: 'cart.shop.svc.cluster.local' },
  mutualTls: true,
};

const good: RequestOutcome = {
  protocol: 'http',
  code: 200,
  grpcStatus: '',
  flags: '-',
  durationMs: 12,
  requestBytes: 3,
  responseBytes: 1000,
  requestMessages: 0,
  responseMessages: 0,
};

const text = (metrics: RequestMetrics) => renderMetrics(metrics.families(), 'text');
const lines = (metrics: RequestMetrics, pattern: RegExp) =>
  text(metrics)
    .split('\n')
    .filter((line) => pattern.test(line));

describe('request metrics', () => {
  it('have the labels of the peers, in their order', () => {
    const metrics = new RequestMetrics();
    metrics.count('edge', () => edge, good, 0);
    const [line = ''] = lines(metrics, /^istio_requests_total/);
    assert.equal(
      line,
      'istio_requests_total{reporter="waypoint",source_workload="web-v1",source_canonical_service="web",' +
        'source_canonical_revision="v1",source_workload_namespace="shop",' +
        'source_principal="spiffe://cluster.local/ns/shop/sa/web",source_app="web",source_version="v1",' +
        'source_cluster="Kubernetes",destination_workload="cart-v1",destination_workload_namespace="shop",' +
        'destination_principal="spiffe://cluster.local/ns/shop/sa/cart",destination_app="cart",' +
        'destination_version="v1",destination_service="cart.shop.svc.cluster.local",' +
        'destination_canonical_service="cart",destination_canonical_revision="v1",destination_service_name="cart",' +
        'destination_service_namespace="shop",destination_cluster="Kubernetes",request_protocol="http",' +
        'response_code="200",grpc_response_status="",response_flags="-",' +
        'connection_security_policy="mutual_tls"} 1',
    );
  });

  it('count each outcome of an edge by itself', () => {
    const metrics = new RequestMetrics();
    for (const code of [200, 200, 503]) metrics.count('edge', () => edge, { ...good, code }, 0);
    const counts = lines(metrics, /^istio_requests_total/).map((line) =>
      /response_code="(\d+)".* (\d+)$/.exec(line)?.slice(1),
    );
    assert.deepEqual(counts, [
      ['200', '2'],
      ['503', '1'],
    ]);
  });

  it('put durations and sizes into the buckets that dashboards expect', () => {
    const metrics = new RequestMetrics();
    for (const durationMs of [0.4, 12, 4_000_000]) metrics.count('edge', () => edge, { ...good, durationMs }, 0);
    const buckets = lines(metrics, /^istio_request_duration_milliseconds_bucket/).map((line) =>
      /le="([^"]+)"} (\d+)$/.exec(line)?.slice(1).join(':'),
    );
    assert.equal(buckets.length, 20);
    assert.deepEqual(buckets.slice(0, 5), ['0.5:1', '1:1', '5:1', '10:1', '25:2']);
    assert.deepEqual(buckets.slice(-2), ['3600000:2', '+Inf:3']);
    assert.match(text(metrics), /istio_request_duration_milliseconds_sum\{[^}]*\} 4000012.4\n/);
    assert.match(text(metrics), /istio_response_bytes_sum\{[^}]*\} 3000\n/);
  });

  it('count messages for gRPC alone', () => {
    const metrics = new RequestMetrics();
    metrics.count('edge', () => edge, good, 0);
    assert.deepEqual(lines(metrics, /_messages_total/), []);
    const call = { ...good, protocol: 'grpc', grpcStatus: '14', requestMessages: 2, responseMessages: 5 } as const;
    metrics.count('edge', () => edge, call, 0);
    assert.match(text(metrics), /istio_request_messages_total\{.*grpc_response_status="14".*\} 2\n/);
    assert.match(text(metrics), /istio_response_messages_total\{.*request_protocol="grpc".*\} 5\n/);
  });

  it('say unknown where nothing is known', () => {
    const metrics = new RequestMetrics();
    const nobody = { ...edge, source: undefined, sourcePrincipal: undefined, destination: undefined };
    metrics.count('edge', () => nobody, { ...good, code: 0, flags: 'DC' }, 0);
    const [line = ''] = lines(metrics, /^istio_requests_total/);
    assert.match(line, /source_workload="unknown".*destination_workload="unknown"/);
    assert.match(line, /response_code="0",grpc_response_status="",response_flags="DC"/);
  });

  it('are bounded: beyond the bound requests are counted for nobody', () => {
    const metrics = new RequestMetrics({ maxSeries: 3 });
    for (let number = 0; number < 1000; number++)
      metrics.count(`edge-${number}`, () => ({ ...edge, source: peer(`web-${number}`) }), good, 0);
    const counted = lines(metrics, /^istio_requests_total/);
    assert.equal(counted.length, 4);
    assert.match(counted.at(-1) ?? '', /source_workload="unknown".*destination_service="unknown".* 997$/);
  });

  it('are dropped when nothing happened for a while, which makes room for others', () => {
    const metrics = new RequestMetrics({ maxSeries: 2, idleMs: 1000 });
    metrics.count('old', () => edge, good, 0);
    metrics.count('new', () => ({ ...edge, source: peer('new') }), good, 900);
    metrics.dropIdle(1500);
    assert.deepEqual(lines(metrics, /^istio_requests_total.*web-v1/), []);
    metrics.count('next', () => ({ ...edge, source: peer('next') }), good, 1500);
    assert.equal(lines(metrics, /^istio_requests_total.*(new|next)-v1/).length, 2);
  });

  it('escape what names of objects may hold', () => {
    const metrics = new RequestMetrics();
    metrics.count('edge', () => ({ ...edge, source: { ...peer('web'), workload: 'a"b\\c\nd' } }), good, 0);
    assert.match(text(metrics), /source_workload="a\\"b\\\\c\\nd"/);
  });

  describe('as a Telemetry object wants them', () => {
    const ALL = new Set(REQUEST_METRICS);
    const view = (fields: Partial<MetricView>): MetricView => ({
      id: 'v',
      metrics: ALL,
      removed: new Set(),
      added: [],
      ...fields,
    });
    const other = { ...edge, source: peer('till') };

    it('count edges that a removed label told apart in one set', () => {
      const metrics = new RequestMetrics();
      const removed = new Set(['source_workload', 'source_canonical_service', 'source_app', 'response_code']);
      metrics.count('a', () => edge, good, 0, [view({ removed })]);
      metrics.count('b', () => other, { ...good, code: 404 }, 0, [view({ removed })]);
      const found = lines(metrics, /^istio_requests_total/);
      assert.equal(found.length, 1);
      assert.match(found[0] ?? '', / 2$/);
      assert.doesNotMatch(found[0] ?? '', /source_workload=|response_code=/);
      assert.equal(lines(metrics, /^istio_request_bytes_count/).length, 1);
    });

    it('go on in the same set when a view changes nothing of its labels', () => {
      const metrics = new RequestMetrics();
      metrics.count('a', () => edge, good, 0);
      metrics.count('a', () => edge, good, 0, [view({ metrics: new Set(['REQUEST_COUNT']) })]);
      assert.match(lines(metrics, /^istio_requests_total/)[0] ?? '', / 2$/);
      assert.match(lines(metrics, /^istio_request_bytes_count/)[0] ?? '', / 1$/);
    });

    it('have labels of their own, escaped, in place of others or after them', () => {
      const metrics = new RequestMetrics();
      const added = [
        ['shelf', 'a"b'],
        ['source_app', 'x'],
      ] as const;
      metrics.count('a', () => edge, good, 0, [view({ added })]);
      const [line = ''] = lines(metrics, /^istio_requests_total/);
      assert.match(line, /source_app="x"/);
      assert.match(line, /connection_security_policy="mutual_tls",shelf="a\\"b"} 1$/);
    });

    it('do not show what is left out', () => {
      const metrics = new RequestMetrics();
      metrics.count('a', () => edge, good, 0, [view({ metrics: new Set(['REQUEST_DURATION']) })]);
      assert.deepEqual(lines(metrics, /^istio_requests_total|^istio_request_bytes/), []);
      assert.equal(lines(metrics, /^istio_request_duration_milliseconds_count/).length, 1);
    });

    it('are bounded, whatever values requests bring', () => {
      const metrics = new RequestMetrics({ maxSeries: 10 });
      for (let id = 0; id < 1000; id++) {
        metrics.count('a', () => edge, good, 0, [view({ added: [['id', `${id}|v|`]] })]);
      }
      const found = lines(metrics, /^istio_requests_total/);
      assert.equal(found.length, 11);
      assert.match(found.at(-1) ?? '', /source_workload="unknown".* 990$/);
      assert.doesNotMatch(found.at(-1) ?? '', /,id=/);
    });

    it('forget a set when nothing was counted in by anybody for long', () => {
      const metrics = new RequestMetrics({ idleMs: 100 });
      const removed = new Set(['source_workload', 'source_canonical_service', 'source_app']);
      metrics.count('a', () => edge, good, 0, [view({ removed })]);
      metrics.count('b', () => other, good, 90, [view({ removed })]);
      metrics.dropIdle(150);
      assert.match(lines(metrics, /^istio_requests_total/)[0] ?? '', / 2$/);
      metrics.dropIdle(300);
      assert.deepEqual(lines(metrics, /^istio_requests_total/), []);
    });
  });
});
