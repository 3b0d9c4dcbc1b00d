import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createWorkload } from '../../../src/model/workload.ts';
import { metricParts, renderLabels, renderMetrics } from '../../../src/telemetry/exposition.ts';
import { acceptsGzip } from '../../../src/telemetry/metrics-routes.ts';
import { TcpMetrics } from '../../../src/telemetry/tcp-metrics.ts';
import { workloadPeer } from '../../../src/telemetry/traffic-labels.ts';

/** As the real peers print it, in this order (facts ztunnel-wire 11.1 and samples). */
const TRAFFIC_LABELS =
  'reporter source_workload source_canonical_service source_canonical_revision source_workload_namespace ' +
  'source_principal source_app source_version source_cluster destination_service destination_service_namespace ' +
  'destination_service_name destination_workload destination_canonical_service destination_canonical_revision ' +
  'destination_workload_namespace destination_principal destination_app destination_version destination_cluster ' +
  'request_protocol response_flags connection_security_policy source_region source_zone destination_region destination_zone';

const web = workloadPeer(
  createWorkload({ uid: 'u', workloadName: 'web', canonicalName: 'web-app', namespace: 'shop' }),
);
const UNKNOWN = {
  reporter: 'source',
  source: undefined,
  destination: undefined,
  sourcePrincipal: undefined,
  destinationPrincipal: undefined,
  service: undefined,
  mutualTls: false,
} as const;

describe('a page of metrics', () => {
  it('comes in parts of whole lines, whatever their letters and their length', () => {
    const values = ['a', '€'.repeat(3000), 'ü'.repeat(60_000), 'x'.repeat(200_000), '𝄞'.repeat(999)];
    const samples = Array.from({ length: 300 }, (_, n) => ({ labels: `name="${values[n % 5]}"`, value: n }));
    const family = { name: 'm', help: 'h', type: 'gauge', samples } as const;
    const parts = [...metricParts([family, { ...family, name: 'none', samples: [] }], 'openmetrics')];
    assert.ok(parts.length > 10);
    assert.ok(parts.every((part) => part.at(-1) === 0x0a));
    const lines = samples.map(({ labels, value }) => `m{${labels}} ${value}\n`).join('');
    assert.equal(Buffer.concat(parts).toString('utf8'), `# HELP m h\n# TYPE m gauge\n${lines}# EOF\n`);
  });
});

describe('the traffic metrics', () => {
  it('have the labels of the real peers in their order, unknown where there is nothing', () => {
    const metrics = new TcpMetrics();
    metrics.open({ ...UNKNOWN, source: web }, 'client');
    const line =
      renderMetrics(metrics.families(), 'text')
        .split('\n')
        .find((one) => one.startsWith('istio_tcp_connections_opened_total')) ?? '';
    const names = [...line.matchAll(/([a-z_]+)="/g)].map(([, name]) => name);
    assert.equal(names.join(' '), TRAFFIC_LABELS);
    assert.match(line, /source_workload="web",source_canonical_service="web-app"/);
    assert.match(line, /source_app="web-app",source_version="unknown"/);
    assert.match(line, /destination_principal="unknown"/);
  });

  it('count received from client to server, live, whichever end the socket is', () => {
    for (const [end, from, to] of [
      ['client', 11, 22],
      ['server', 22, 11],
    ] as const) {
      const metrics = new TcpMetrics();
      const meter = metrics.open(UNKNOWN, end);
      meter.bytesFromSocket += from;
      meter.bytesToSocket += to;
      const text = () => renderMetrics(metrics.families(), 'text');
      assert.match(text(), /istio_tcp_received_bytes_total\{[^}]*\} 11\n/);
      assert.match(text(), /istio_tcp_sent_bytes_total\{[^}]*\} 22\n/);
      assert.match(text(), /istio_tcp_received_bytes_total\{[^}]*\} 11\n/, 'a second scrape counts nothing twice');
      meter.close('DENY', true);
      meter.close('-', false);
      assert.match(text(), /connections_closed_total\{[^}]*response_flags="DENY"[^}]*\} 1\n/);
      assert.match(text(), /connections_failed_total\{[^}]*response_flags="DENY"[^}]*\} 1\n/);
      assert.match(text(), /connections_opened_total\{[^}]*response_flags="-"[^}]*\} 1\n/);
    }
  });

  it('stop making new label sets at their limit and count the rest as unknown', () => {
    const metrics = new TcpMetrics(2);
    for (let index = 0; index < 5; index++) {
      metrics.open({ ...UNKNOWN, sourcePrincipal: `spiffe://td/ns/a/sa/${index}` }, 'client');
    }
    const opened = metrics.families().find(({ name }) => name === 'istio_tcp_connections_opened');
    assert.deepEqual(
      opened?.samples.map(({ value }) => value),
      [1, 1, 3],
    );
  });
});

describe('the exposition', () => {
  const family = { name: 'x_things', help: 'Things.', type: 'counter', unit: 'bytes' } as const;
  it('has both formats', () => {
    const families = [
      { ...family, samples: [{ labels: 'a="b"', value: 1 }] },
      { ...family, name: 'empty', samples: [] },
    ];
    assert.equal(
      renderMetrics(families, 'text'),
      '# HELP x_things_total Things.\n# TYPE x_things_total counter\nx_things_total{a="b"} 1\n',
    );
    assert.equal(
      renderMetrics(families, 'openmetrics'),
      '# HELP x_things Things.\n# TYPE x_things counter\n# UNIT x_things bytes\nx_things_total{a="b"} 1\n# EOF\n',
    );
  });

  it('keeps any label value inside its quotes and on its line', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('"', '\\', '\n', 'a', '}', ',') }), (value) => {
        const text = renderLabels([['name', value]]);
        const inner = /^name="((?:[^"\\\n]|\\["\\n])*)"$/.exec(text)?.[1];
        assert.ok(inner !== undefined, text);
        assert.equal(
          inner.replace(/\\(.)/g, (_, one) => (one === 'n' ? '\n' : one)),
          value,
        );
      }),
    );
  });
});

describe('a scraper', () => {
  for (const [header, expected] of [
    ['gzip', true],
    ['deflate, GZIP;q=0.5', true],
    ['*', true],
    ['gzip;q=0', false],
    ['gzip;q=0.0, *', false],
    ['*;q=0', false],
    ['identity', false],
    ['', false],
  ] as const) {
    it(`that says "${header}" ${expected ? 'gets' : 'does not get'} gzip`, () =>
      assert.equal(acceptsGzip(header), expected));
  }

  it('leaves a counter without `_total` where its name is bare, and calls it no counter in OpenMetrics', () => {
    const samples = [{ labels: '', value: 1 }];
    const family = { name: 'pilot_xds_pushes', help: 'h', type: 'counter', bareName: true, samples } as const;
    assert.match(renderMetrics([family], 'text'), /# TYPE pilot_xds_pushes counter\npilot_xds_pushes 1\n/);
    assert.match(renderMetrics([family], 'openmetrics'), /# TYPE pilot_xds_pushes unknown\npilot_xds_pushes 1\n/);
  });
});
