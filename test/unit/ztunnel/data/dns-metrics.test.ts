import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createWorkload } from '../../../../src/model/workload.ts';
import { renderMetrics } from '../../../../src/telemetry/exposition.ts';
import { DnsMetrics, observeUpstreamDuration } from '../../../../src/ztunnel/data/dns-metrics.ts';

const client = (name: string) => createWorkload({ uid: name, canonicalName: name, canonicalRevision: 'v1' });

describe('DnsMetrics', () => {
  it('renders a histogram with the bounds of the real peer', () => {
    const metrics = new DnsMetrics();
    const series = metrics.series('AAAA', 'tcp', client('web'));
    series.upstreamRequests = 4;
    for (const seconds of [0.0005, 0.02, 5, 7]) observeUpstreamDuration(series, seconds);
    const lines = renderMetrics(metrics.families(), 'openmetrics').split('\n');
    const labels =
      'request_query_type="AAAA",request_protocol="tcp",source_canonical_service="web",source_canonical_revision="v1"';
    const name = 'istio_dns_upstream_request_duration_seconds';
    const counts = { '0.0005': 1, '0.001': 1, '0.01': 1, '0.1': 2, '1.0': 2, '5.0': 3, '+Inf': 4 };
    for (const [bound, count] of Object.entries(counts)) {
      assert.ok(lines.includes(`${name}_bucket{${labels},le="${bound}"} ${count}`), bound);
    }
    assert.ok(lines.includes(`${name}_count{${labels}} 4`));
    assert.ok(lines.includes(`${name}_sum{${labels}} 12.0205`));
    assert.ok(lines.includes(`# TYPE ${name} histogram`));
    assert.ok(lines.includes(`istio_dns_upstream_requests_total{${labels}} 4`));
  });

  it('keeps the number of label sets bounded', () => {
    const metrics = new DnsMetrics(3);
    for (let index = 0; index < 50; index++) metrics.series('A', 'udp', client(`pod-${index}`)).requests++;
    const samples = metrics.families()[0]?.samples ?? [];
    assert.deepEqual(
      samples.map(({ value }) => value),
      [1, 1, 1, 47],
    );
    assert.match(samples[3]?.labels ?? '', /^request_query_type="unknown",request_protocol="unknown"/);
  });
});
