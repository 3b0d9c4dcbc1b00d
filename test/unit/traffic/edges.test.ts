import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { renderMetrics } from '../../../src/telemetry/exposition.ts';
import { RequestMetrics } from '../../../src/telemetry/request-metrics.ts';
import { TcpMetrics } from '../../../src/telemetry/tcp-metrics.ts';
import { edgeRates, isServerError, quantileMs } from '../../../src/traffic/edge-rates.ts';
import { addSamples, type Edge, type EdgeCounters, isEdgeMetric } from '../../../src/traffic/edges.ts';
import { mergeReporters } from '../../../src/traffic/merge-reporters.ts';
import { LabelCache, parseExposition } from '../../../src/traffic/parse-exposition.ts';

const peer = (name: string) => ({
  workload: `${name}-v1`,
  namespace: 'shop',
  canonicalService: name,
  canonicalRevision: 'v1',
  cluster: 'Kubernetes',
  region: '',
  zone: '',
});
const labels = {
  reporter: 'waypoint',
  source: peer('web'),
  sourcePrincipal: 'spiffe://cluster.local/ns/shop/sa/web',
  destination: peer('cart'),
  destinationPrincipal: undefined,
  service: { name: 'cart', namespace: 'shop', hostname: 'cart.shop.svc.cluster.local' },
  mutualTls: true,
} as const;

function count(metrics: RequestMetrics, times: number, code: number, durationMs: number, grpcStatus = ''): void {
  const protocol = grpcStatus === '' ? 'http' : 'grpc';
  const sizes = { requestBytes: 10, responseBytes: 100, requestMessages: 1, responseMessages: 1 };
  for (let i = 0; i < times; i++)
    metrics.count('e', () => labels, { protocol, code, grpcStatus, flags: '-', durationMs, ...sizes }, 0);
}

const cache = new LabelCache();
function reading(...texts: readonly string[]) {
  const edges = new Map<string, { edge: Edge; counters: EdgeCounters }>();
  for (const text of texts) addSamples(edges, parseExposition(text, isEdgeMetric, cache));
  return edges;
}
const text = (metrics: RequestMetrics | TcpMetrics) => renderMetrics(metrics.families(), 'text');

describe('edges', () => {
  it('are read from what a waypoint counts', () => {
    const metrics = new RequestMetrics();
    count(metrics, 9, 200, 20);
    const before = reading(text(metrics));
    count(metrics, 6, 200, 20);
    count(metrics, 2, 503, 2000);
    const [rates] = edgeRates(before, reading(text(metrics)), 2000);
    assert.equal(rates?.requestsPerSec, 4);
    assert.equal(rates.successShare, 0.75);
    assert.deepEqual(rates.codesPerSec, { 200: 3, 503: 1 });
    assert.ok((rates.p50Ms ?? 0) > 10 && (rates.p50Ms ?? 0) <= 25);
    assert.ok((rates.p99Ms ?? 0) > 1000 && (rates.p99Ms ?? 0) <= 2500);
    const { edge } = rates;
    assert.deepEqual(
      [edge.reporter, edge.source.workload, edge.destination.workload, edge.service.hostname, edge.mutualTls],
      ['waypoint', 'web-v1', 'cart-v1', 'cart.shop.svc.cluster.local', true],
    );
    assert.equal(edge.destination.principal, '');
  });

  it('of several proxies are one where they mean the same', () => {
    const replicas = [1, 2].map(() => new RequestMetrics());
    for (const metrics of replicas) count(metrics, 3, 200, 1);
    const edges = reading(...replicas.map(text));
    assert.equal(edges.size, 1);
    assert.equal([...edges.values()][0]?.counters.requests.get('200'), 6);
  });

  it('of connections have bytes, failures, and what is open', () => {
    const metrics = new TcpMetrics();
    const open = metrics.open({ ...labels, reporter: 'source' }, 'client');
    open.bytesFromSocket = 1000;
    metrics.open({ ...labels, reporter: 'source' }, 'client').close('CONNECT', true);
    const [rates] = edgeRates(new Map(), reading(text(metrics)), 1000);
    assert.deepEqual(
      [rates?.openedPerSec, rates?.failedPerSec, rates?.open, rates?.receivedBytesPerSec, rates?.edge.protocol],
      [2, 1, 1, 1000, 'tcp'],
    );
  });

  it('tell what the mesh refused from what a program refuses', () => {
    const metrics = new RequestMetrics();
    count(metrics, 4, 403, 1);
    const [byProgram] = edgeRates(new Map(), reading(text(metrics)), 1000);
    assert.deepEqual([byProgram?.deniedPerSec, byProgram?.successShare], [0, 1]);
    const refused = new RequestMetrics();
    const outcome = { protocol: 'http', grpcStatus: '', flags: '-', durationMs: 1 } as const;
    const sizes = { requestBytes: 0, responseBytes: 19, requestMessages: 1, responseMessages: 1 };
    const nowhere = { ...labels, destination: undefined };
    for (const code of [403, 401, 404]) refused.count('e', () => nowhere, { ...outcome, code, ...sizes }, 0);
    const [byMesh] = edgeRates(new Map(), reading(text(refused)), 1000);
    assert.deepEqual([byMesh?.requestsPerSec, byMesh?.deniedPerSec, byMesh?.successShare], [3, 2, 1]);
  });

  it('of which the mesh refused all have no share of success', () => {
    const metrics = new RequestMetrics();
    const outcome = { protocol: 'http', code: 403, grpcStatus: '', flags: '-', durationMs: 1 } as const;
    const sizes = { requestBytes: 0, responseBytes: 19, requestMessages: 1, responseMessages: 1 };
    metrics.count('e', () => ({ ...labels, destination: undefined }), { ...outcome, ...sizes }, 0);
    const [rates] = edgeRates(new Map(), reading(text(metrics)), 1000);
    assert.deepEqual([rates?.deniedPerSec, rates?.successShare], [1, undefined]);
  });

  it('of connections that the proxy of the server refuses say so as the proxy of the client tells of them', () => {
    const metrics = new TcpMetrics();
    metrics.open({ ...labels, reporter: 'source' }, 'client').close('CONNECT', true);
    metrics.open({ ...labels, reporter: 'destination' }, 'server').close('DENY', true);
    const edges = mergeReporters(edgeRates(new Map(), reading(text(metrics)), 1000));
    assert.deepEqual(
      edges.map(({ edge, failedPerSec, deniedPerSec }) => [edge.reporter, failedPerSec, deniedPerSec]),
      [['source', 1, 1]],
    );
  });

  it('of a proxy that was started anew count from zero', () => {
    const [old, fresh] = [new RequestMetrics(), new RequestMetrics()];
    count(old, 100, 200, 1);
    count(fresh, 5, 200, 1);
    const [rates] = edgeRates(reading(text(old)), reading(text(fresh)), 1000);
    assert.equal(rates?.requestsPerSec, 5);
  });

  it('on which nothing happens are left out', () => {
    const metrics = new RequestMetrics();
    count(metrics, 1, 200, 1);
    assert.deepEqual(edgeRates(reading(text(metrics)), reading(text(metrics)), 1000), []);
  });
});

describe('errors of servers', () => {
  it('are those of HTTP, no answer at all, and some of gRPC', () => {
    const all = ['200', '404', '500', '503', '0', '200/0', '200/5', '200/13', '200/14'];
    assert.deepEqual(all.filter(isServerError), ['500', '503', '0', '200/13', '200/14']);
  });
});

describe('quantiles', () => {
  it('lie within the bucket that holds them', () => {
    const buckets = new Map([
      [10, 50],
      [100, 100],
      [Infinity, 100],
    ]);
    assert.equal(quantileMs(new Map(), buckets, 0.5), 10);
    assert.equal(quantileMs(new Map(), buckets, 0.75), 55);
    assert.equal(quantileMs(new Map(), new Map([[10, 0]]), 0.5), undefined);
    assert.equal(
      quantileMs(
        new Map(),
        new Map([
          [10, 1],
          [Infinity, 4],
        ]),
        0.99,
      ),
      10,
    );
  });
});

describe('the reader of metrics', () => {
  it('gives back what the writer wrote, whatever the values hold', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer(), (name, value) => {
        const escaped = name.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
        // A carriage return is no line end of this format, and stays.
        const line = `istio_requests_total{source_workload="${escaped}",le="1"} ${value}\n`;
        const [sample] = parseExposition(`# HELP x\n${line}`, () => true, new LabelCache());
        assert.deepEqual(sample?.labels['source_workload'], name);
        assert.equal(sample?.value, value);
      }),
    );
  });

  it('skips what is no sample, and never throws', () => {
    fc.assert(fc.property(fc.string(), (junk) => void parseExposition(junk, () => true, new LabelCache())));
    assert.deepEqual(
      parseExposition('a{b="c} 1\nx y\n{} 1\nok 2', () => true, new LabelCache()),
      [{ name: 'ok', labels: {}, value: 2 }],
    );
  });

  it('knows labels by names that objects of JavaScript have', () => {
    const [sample] = parseExposition('a{__proto__="x",constructor="y"} 1', () => true, new LabelCache());
    assert.equal(sample?.labels['constructor'], 'y');
  });
});
