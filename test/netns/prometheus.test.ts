/** A real Prometheus scrapes the proxies of `ambit up`, and the questions that tools ask get the right answers. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { questionsOf } from '../../src/dashboard/prometheus-history.ts';
import { eventually } from '../helpers/eventually.ts';
import { LocalMesh } from '../helpers/local-mesh.ts';
import { dashboardQuestions, RULES_FILE } from '../helpers/observability.ts';

/** Answers with the status in the path; `/grpc` is a call of gRPC with status 5 in the trailers. */
const SERVER = `
require('http').createServer((req, res) => {
  const status = Number(req.url.split('/')[1]) || 200;
  req.resume().on('end', () => { res.writeHead(status); res.end('0123456789'); });
}).listen(8080, '::');`;

/** Sends a body of 5 bytes to each path in turn; prints the statuses. */
const ASK = `
const [...paths] = process.argv.slice(1);
(async () => {
  for (const path of paths) {
    const r = await fetch('http://shop' + path, { method: 'POST', body: '12345' });
    await r.text();
    console.log(r.status);
  }
})();`;

/** Asks Prometheus each question; prints whether it could be answered. */
const QUERY_ALL = `
(async () => {
  for (const expr of JSON.parse(process.argv[1])) {
    const r = await fetch('http://127.0.0.1:9090/api/v1/query?query=' + encodeURIComponent(expr));
    const { status, error } = await r.json();
    console.log(status === 'success' ? status : error);
  }
})();`;

const NS = 'metrics';

const object = (apiVersion: string, kind: string, name: string, spec: object, namespace = NS) => ({
  apiVersion,
  kind,
  metadata: { name, namespace },
  spec,
});

function namespace(name: string, labels: object = {}): object {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}

function pod(name: string, node: string, command: readonly string[], ns = NS): object {
  const readinessProbe = name === 'shop' ? { tcpSocket: { port: 8080 }, periodSeconds: 1 } : undefined;
  const containers = [{ name: 'main', image: 'none', command, ...(readinessProbe && { readinessProbe }) }];
  const metadata = { name, namespace: ns, labels: { app: name, version: 'v2' } };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { nodeName: node, containers } };
}

interface Answer {
  readonly data: {
    readonly result: readonly { readonly metric: Record<string, string>; readonly value: readonly [number, string] }[];
  };
}

describe('Prometheus', { timeout: 110_000 }, () => {
  const mesh = new LocalMesh();
  const folder = mkdtempSync(join(tmpdir(), 'ambit-prometheus-'));
  const ask = async (...paths: readonly string[]) =>
    (await mesh.exec('client', '-n', NS, '--', 'node', '-e', ASK, ...paths)).stdout.trim().split('\n');
  const query = async (text: string) => {
    const url = `http://127.0.0.1:9090/api/v1/query?query=${encodeURIComponent(text)}`;
    const { stdout } = await mesh.exec('prometheus', '-n', 'monitoring', '--', 'curl', '-s', '-m', '5', url);
    // It may still be on its way up, and say so.
    return stdout.startsWith('{') ? (JSON.parse(stdout) as Answer).data.result : [];
  };
  const value = async (text: string) => Number((await query(text))[0]?.value[1] ?? 0);

  before(async () => {
    const listeners = [{ name: 'mesh', port: 15008, protocol: 'HBONE' }];
    const gateway = { gatewayClassName: 'istio-waypoint', listeners };
    const ports = [{ name: 'http', port: 80, targetPort: 8080 }];
    const targetRefs = [{ group: '', kind: 'Service', name: 'shop' }];
    const rules = [{ to: [{ operation: { paths: ['/secret'] } }] }];
    mesh.write(
      'mesh.yaml',
      namespace(NS, { 'istio.io/dataplane-mode': 'ambient', 'istio.io/use-waypoint': 'gate' }),
      namespace('monitoring'),
      object('gateway.networking.k8s.io/v1', 'Gateway', 'gate', gateway),
      object('v1', 'Service', 'shop', { selector: { app: 'shop' }, ports }),
      object('security.istio.io/v1', 'AuthorizationPolicy', 'no', { targetRefs, action: 'DENY', rules }),
      pod('shop', 'node2', ['node', '-e', SERVER]),
      pod('client', 'node1', ['sleep', 'infinity']),
    );
    await mesh.up(3, '--nodes', '2');
    const waypoint = mesh.readyPods().find(({ name }) => name.includes('gate'));
    assert.ok(waypoint, 'the waypoint is a pod');
    const job = (name: string, targets: readonly string[], metricsPath: string) => ({
      job_name: name,
      scrape_interval: '1s',
      metrics_path: metricsPath,
      static_configs: [{ targets: targets.map((address) => `${address}:15020`) }],
    });
    const config = {
      global: { evaluation_interval: '1s' },
      rule_files: [RULES_FILE],
      scrape_configs: [
        job('waypoint', [waypoint.ips[0] ?? ''], '/stats/prometheus'),
        job('ztunnel', ['10.240.0.11', '10.240.0.12'], '/metrics'),
      ],
    };
    writeFileSync(join(folder, 'prometheus.yml'), JSON.stringify(config));
    const flags = [`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`, '--log.level=warn'];
    mesh.write('prometheus.yaml', pod('prometheus', 'node1', ['prometheus', ...flags], 'monitoring'));
    await eventually('Prometheus scrapes all', async () => (await value('sum(up)')) === 3, 30_000);
  });
  after(async () => {
    await mesh[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  it('gets the numbers of the traffic at the waypoint, by what the graph of Kiali groups them', async () => {
    const paths = [...Array(20).fill('/200'), ...Array(5).fill('/503'), ...Array(3).fill('/secret')] as string[];
    const statuses = await ask(...paths);
    assert.equal(statuses.filter((status) => status === '403').length, 3);
    const by =
      'source_cluster, source_workload_namespace, source_workload, source_canonical_service, ' +
      'source_canonical_revision, destination_cluster, destination_service_namespace, destination_service, ' +
      'destination_service_name, destination_workload_namespace, destination_workload, ' +
      'destination_canonical_service, destination_canonical_revision, request_protocol, response_code, ' +
      'grpc_response_status, response_flags';
    const all = 'istio_requests_total{reporter=~"waypoint|destination",destination_service_namespace="metrics"}';
    await eventually('all requests', async () => (await value(`sum(${all})`)) === 28);
    const result = await query(`sum(${all}) by (${by})`);
    const counts = Object.fromEntries(result.map(({ metric, value: [, count] }) => [metric['response_code'], count]));
    assert.deepEqual(counts, { 200: '20', 403: '3', 503: '5' });
    const answered = result.find(({ metric }) => metric['response_code'] === '200')?.metric;
    assert.deepEqual(answered, {
      source_cluster: 'Kubernetes',
      source_workload_namespace: 'metrics',
      source_workload: 'client',
      source_canonical_service: 'client',
      source_canonical_revision: 'v2',
      destination_cluster: 'Kubernetes',
      destination_service_namespace: 'metrics',
      destination_service: 'shop.metrics.svc.cluster.local',
      destination_service_name: 'shop',
      destination_workload_namespace: 'metrics',
      destination_workload: 'shop',
      destination_canonical_service: 'shop',
      destination_canonical_revision: 'v2',
      request_protocol: 'http',
      response_code: '200',
      response_flags: '-',
    });
    const denied = result.find(({ metric }) => metric['response_code'] === '403')?.metric;
    assert.equal(denied?.['destination_workload'], 'unknown');
    assert.equal(denied?.['destination_service'], 'shop.metrics.svc.cluster.local');
  });

  it('gets sizes, durations and the seal of mutual TLS', async () => {
    const answered = '{reporter="waypoint",destination_workload="shop",response_code="200"}';
    assert.equal(await value(`sum(istio_request_bytes_sum${answered})`), 100);
    assert.equal(await value(`sum(istio_response_bytes_sum${answered})`), 200);
    const quantile = `histogram_quantile(0.99, sum(istio_request_duration_milliseconds_bucket${answered}) by (le, destination_workload, destination_workload_namespace))`;
    assert.ok((await value(quantile)) > 0);
    const sealed = await query(
      `istio_requests_total{source_principal="spiffe://cluster.local/ns/metrics/sa/default",destination_principal="spiffe://cluster.local/ns/metrics/sa/default",connection_security_policy="mutual_tls",response_code="200"}`,
    );
    assert.equal(sealed.length, 1);
  });

  it('gets success rates as canary tools ask for them, from what happens while it looks', async () => {
    const of = (more: string) =>
      `sum(rate(istio_requests_total{reporter="waypoint",destination_workload_namespace="metrics",destination_workload=~"shop"${more}}[30s]))`;
    await eventually(
      'a rate',
      async () => {
        await ask(...(Array(6).fill('/200') as string[]), '/503', '/503');
        const rate = await value(`${of(',response_code!~"5.*"')} / ${of('')} * 100`);
        return rate > 70 && rate < 80;
      },
      40_000,
    );
  });

  it('understands every question of the dashboards, and every rule', async () => {
    const questions = dashboardQuestions();
    const list = JSON.stringify(questions.map(({ expr }) => expr));
    const asked = await mesh.exec('prometheus', '-n', 'monitoring', '--', 'node', '-e', QUERY_ALL, list);
    const statuses = asked.stdout.trim().split('\n');
    assert.equal(statuses.length, questions.length, asked.stderr);
    for (const [index, { place, expr }] of questions.entries())
      assert.equal(statuses[index], 'success', `${place}: ${expr}`);
    const url = 'http://127.0.0.1:9090/api/v1/rules';
    const { stdout } = await mesh.exec('prometheus', '-n', 'monitoring', '--', 'curl', '-s', '-m', '5', url);
    const { data } = JSON.parse(stdout) as { data: { groups: { rules: { name: string; health: string }[] }[] } };
    const rules = data.groups.flatMap((group) => group.rules);
    assert.ok(rules.length > 10);
    await eventually('what rules record', async () => (await value('sum(service:istio_requests:rate1m)')) > 0);
    assert.deepEqual(
      rules.filter(({ health }) => health === 'err'),
      [],
    );
  });

  it('is not needed for ambit edges, which asks the proxies themselves', async () => {
    const asking = ask(...(Array(200).fill('/200') as string[]), '/503');
    const { stdout, stderr } = await mesh.ambit(['edges', '--name', 'test', '--window', '2s', '-n', NS, '-o', 'json']);
    assert.equal(stderr, '');
    await asking;
    const edges = JSON.parse(stdout) as { protocol: string; requestsPerSec: number; source: { workload: string } }[];
    const [http] = edges.filter(({ protocol, source }) => protocol === 'http' && source.workload === 'client');
    assert.ok((http?.requestsPerSec ?? 0) > 1, stdout);
    assert.ok(
      edges.some(({ protocol, source }) => protocol === 'tcp' && source.workload.startsWith('gate')),
      stdout,
    );
  });

  it('gets the connections of both ztunnels, and what runs where', async () => {
    await eventually('connections', async () => {
      const opened = await query('sum(istio_tcp_connections_opened_total{job="ztunnel"}) by (reporter)');
      return opened.length === 2 && opened.every(({ value: [, count] }) => Number(count) > 0);
    });
    const builds = await query('sum(istio_build) by (component)');
    assert.deepEqual(builds.map(({ metric, value: [, n] }) => `${metric['component']} ${n}`).sort(), [
      'proxy 1',
      'ztunnel 2',
    ]);
  });

  it('answers what the dashboard asks of long histories', async () => {
    await ask(...(Array(9).fill('/200') as string[]), '/503');
    for (const subject of ['service', 'workload'] as const) {
      const questions = questionsOf({ kind: subject, namespace: NS, name: 'shop', revision: '' }, 60);
      // All is old enough for a rate when the last of it is.
      await eventually(`${subject}: requests`, async () => (await value(questions.errorsPerSec)) > 0);
      const requests = await value(questions.requestsPerSec);
      assert.ok(requests > (await value(questions.errorsPerSec)), 'some were answered');
      for (const metric of ['p50Ms', 'p99Ms'] as const) {
        assert.ok((await value(questions[metric])) > 0, `${subject} ${metric}`);
      }
      // Connections are kept: there may be no new one.
      for (const metric of ['openedPerSec', 'bytesPerSec'] as const) {
        assert.equal((await query(questions[metric])).length, 1, `${subject} ${metric}`);
      }
      const other = questionsOf({ kind: subject, namespace: NS, name: 'shop', revision: 'v9' }, 60);
      assert.equal(await value(other.requestsPerSec), 0, 'there is no version 9');
    }
  });
});
