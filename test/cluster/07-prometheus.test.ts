/** A real Prometheus finds the programs of the mesh by the configuration of deploy/observability, and answers as it should. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { apply, kubectl, kubectlJson, nodeNames, podExec, podsReady, until } from '../helpers/cluster.ts';
import {
  accountObject,
  deleteNamespace,
  namespaceObject,
  podSpec,
  programsObject,
  serviceObject,
} from '../helpers/cluster-objects.ts';
import { GatewayCrd, gatewayObject, programmed } from '../helpers/gateway-crd.ts';
import { RULES_FILE, type ScrapeConfig, scrapeConfigs } from '../helpers/observability.ts';
import { type DiscoveredPod, type PodDiscovery, servePodDiscovery } from '../helpers/pod-discovery.ts';
import { PrometheusServer } from '../helpers/prometheus.ts';

const NS = 'counted';
const MONITORING = 'monitoring';
/** What the graph of Kiali groups by. */
const KIALI =
  'source_cluster, source_workload_namespace, source_workload, source_canonical_service, source_canonical_revision, ' +
  'destination_cluster, destination_service_namespace, destination_service, destination_service_name, ' +
  'destination_workload_namespace, destination_workload, destination_canonical_service, ' +
  'destination_canonical_revision, request_protocol';

function deployment(name: string, version: string, command: readonly string[]): object {
  const labels = { app: name, version };
  const readinessProbe = { tcpSocket: { port: 8080 }, periodSeconds: 1 };
  const probed = command.includes('8080') ? { container: { readinessProbe } } : {};
  const template = { metadata: { labels }, spec: podSpec(command, { account: name, ...probed }) };
  const spec = { replicas: 1, selector: { matchLabels: labels }, template };
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace: NS }, spec };
}

/** The account of Prometheus, which may list and watch pods and nothing else. */
function monitoringAccount(): object[] {
  const group = 'rbac.authorization.k8s.io';
  const metadata = { name: 'ambit-test-prometheus' };
  const rules = [{ apiGroups: [''], resources: ['pods'], verbs: ['list', 'watch'] }];
  const roleRef = { apiGroup: group, kind: 'ClusterRole', name: metadata.name };
  const subjects = [{ kind: 'ServiceAccount', name: 'prometheus', namespace: MONITORING }];
  return [
    accountObject(MONITORING, 'prometheus'),
    { apiVersion: `${group}/v1`, kind: 'ClusterRole', metadata, rules },
    { apiVersion: `${group}/v1`, kind: 'ClusterRoleBinding', metadata, roleRef, subjects },
  ];
}

/** The configuration as it is, with another way to find the pods that it finds. */
function discovering({ kubernetes_sd_configs: ways, ...config }: ScrapeConfig, url: string): object {
  assert.deepEqual(ways, [{ role: 'pod' }]);
  return { ...config, http_sd_configs: [{ url, refresh_interval: '1s' }] };
}

/** The pods that the account of Prometheus sees. */
async function podsOfPrometheus(): Promise<readonly DiscoveredPod[]> {
  const as = `--as=system:serviceaccount:${MONITORING}:prometheus`;
  return (await kubectlJson<{ items: DiscoveredPod[] }>(['get', 'pods', '-A', as])).items;
}

describe('Prometheus on a cluster', () => {
  const crd = new GatewayCrd();
  let discovery: PodDiscovery;
  let prometheus: PrometheusServer;
  before(async () => {
    await crd.ensure();
    const labels = { 'istio.io/dataplane-mode': 'ambient', 'istio.io/use-waypoint': 'gate' };
    const raw = serviceObject(NS, 'raw', { selector: { app: 'shop' } }) as { metadata: object };
    await apply(
      namespaceObject(NS, labels),
      namespaceObject(MONITORING),
      ...monitoringAccount(),
      programsObject(NS),
      gatewayObject(NS, 'gate'),
      accountObject(NS, 'shop'),
      accountObject(NS, 'client'),
      deployment('shop', 'v2', ['python3', '/programs/server.py', '8080']),
      deployment('client', 'v1', ['sleep', 'infinity']),
      serviceObject(NS, 'shop'),
      { ...raw, metadata: { ...raw.metadata, labels: { 'istio.io/use-waypoint': 'none' } } },
    );
    await programmed(NS, 'gate');
    await podsReady(NS);
    discovery = await servePodDiscovery(podsOfPrometheus);
    prometheus = await PrometheusServer.start({
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: [RULES_FILE],
      scrape_configs: scrapeConfigs().map((config) => discovering(config, discovery.url)),
    });
    await until('an answer through the waypoint', async () => (await ask('shop', '/'))[0] === '200');
    await until('an answer past it', async () => (await ask('raw', '/'))[0] === '200');
  });
  after(async () => {
    await prometheus?.[Symbol.asyncDispose]();
    await discovery?.[Symbol.asyncDispose]();
    await deleteNamespace(NS);
    await deleteNamespace(MONITORING);
    await kubectl(['delete', 'clusterrole,clusterrolebinding', 'ambit-test-prometheus', '--ignore-not-found']);
    await crd.restore();
  });

  /** The statuses of calls one after the other, each with a connection of its own. */
  async function ask(host: string, ...paths: readonly string[]): Promise<readonly string[]> {
    const urls = paths.flatMap((path) => ['-o', '/dev/null', `http://${host}${path}`]);
    const command = ['curl', '-s', '-m', '20', '-H', 'connection: close', '-w', '%{http_code}\n', ...urls];
    return (await podExec(NS, 'deployment/client', command)).trim().split('\n');
  }
  const times = (count: number, path: string) => Array(count).fill(path) as string[];

  it('scrapes every ztunnel, waypoint, control plane and agent, each once, and nothing else', async () => {
    const nodes = (await nodeNames()).length;
    const targets = await until('all targets', async () => {
      const found = await prometheus.targets();
      return found.length >= 2 * nodes + 3 && found.every(({ health }) => health === 'up') && found;
    });
    const apps = targets.map(({ labels: { app, namespace } }) => `${namespace}/${app}`).sort();
    const of = (name: string, count: number) => times(count, `istio-system/${name}`);
    assert.deepEqual(apps, [
      ...times(1, `${NS}/gate`),
      ...of('ambit-agent', nodes),
      ...of('istiod', 2),
      ...of('ztunnel', nodes),
    ]);
    const addresses = new Set(targets.map(({ scrapeUrl }) => scrapeUrl));
    assert.equal(addresses.size, targets.length);
    const builds = await prometheus.query('count(istio_build) by (component, app)');
    const parts = builds.map(({ metric: { component, app }, value: [, n] }) => `${app} ${component} ${n}`).sort();
    assert.deepEqual(parts, ['gate proxy 1', 'istiod pilot 2', `ztunnel ztunnel ${nodes}`]);
  });

  it('has the requests that were sent, once, by all that the graph of Kiali groups them by', async () => {
    const all = `istio_requests_total{reporter=~"waypoint|destination",destination_workload_namespace="${NS}"}`;
    const before = await prometheus.value(`sum(${all})`);
    const by = `sum(${all}) by (${KIALI}, response_code, grpc_response_status, response_flags)`;
    const codes = async () =>
      Object.fromEntries((await prometheus.query(by)).map(({ metric, value: [, n] }) => [metric['response_code'], +n]));
    const start = await codes();
    const statuses = await ask('shop', ...times(30, '/'), ...times(6, '/status/503'), ...times(4, '/status/404'));
    assert.equal(statuses.length, 40);
    await until('all requests', async () => (await prometheus.value(`sum(${all})`)) === before + 40);
    const end = await codes();
    assert.deepEqual([end['200'] - (start['200'] ?? 0), end['503'], end['404']], [30, 6, 4]);
    const edges = (await prometheus.query(`sum(${all}) by (${KIALI})`)).map(({ metric }) => metric);
    assert.deepEqual(edges, [
      {
        source_cluster: 'Kubernetes',
        source_workload_namespace: NS,
        source_workload: 'client',
        source_canonical_service: 'client',
        source_canonical_revision: 'v1',
        destination_cluster: 'Kubernetes',
        destination_service_namespace: NS,
        destination_service: `shop.${NS}.svc.cluster.local`,
        destination_service_name: 'shop',
        destination_workload_namespace: NS,
        destination_workload: 'shop',
        destination_canonical_service: 'shop',
        destination_canonical_revision: 'v2',
        request_protocol: 'http',
      },
    ]);
  });

  it('has the connections that both ztunnels saw, with the labels of both ends', async () => {
    const opened = (reporter: string) =>
      `istio_tcp_connections_opened_total{reporter="${reporter}",app="ztunnel",destination_service_name="raw",destination_workload_namespace="${NS}"}`;
    const counts = () =>
      Promise.all(['source', 'destination'].map((reporter) => prometheus.value(`sum(${opened(reporter)})`)));
    const before = await until('the first calls', async () => {
      const seen = await counts();
      return seen.every((count) => count > 0) && seen;
    });
    assert.deepEqual(new Set(await ask('raw', ...times(25, '/'))), new Set(['200']));
    const wanted = before.map((count) => count + 25).join();
    await until('all connections', async () => (await counts()).join() === wanted);
    for (const reporter of ['source', 'destination']) {
      const [edge, ...others] = await prometheus.query(`sum(${opened(reporter)}) by (${KIALI}, app)`);
      assert.deepEqual(others, []);
      const {
        source_workload,
        source_canonical_revision,
        destination_workload,
        destination_service,
        request_protocol,
      } = edge?.metric ?? {};
      assert.deepEqual(
        [source_workload, source_canonical_revision, destination_workload, destination_service, request_protocol],
        ['client', 'v1', 'shop', `raw.${NS}.svc.cluster.local`, 'tcp'],
        reporter,
      );
    }
    const sent = `istio_tcp_sent_bytes_total{reporter="source",app="ztunnel",destination_service_name="raw"}`;
    assert.ok((await prometheus.value(`sum(${sent})`)) > 25 * 100, 'the answers');
  });

  it('has the identities of both ends for the badge of mutual TLS, from every reporter', async () => {
    const principals =
      '{source_principal!="unknown",destination_principal!="unknown",connection_security_policy="mutual_tls"';
    const of = `source_principal="spiffe://cluster.local/ns/${NS}/sa/client",destination_principal="spiffe://cluster.local/ns/${NS}/sa/shop"`;
    const seen = async (metric: string) =>
      (await prometheus.query(`sum(${metric}${principals},${of}}) by (reporter)`)).map(
        ({ metric: m }) => m['reporter'],
      );
    assert.deepEqual(await seen('istio_requests_total'), ['waypoint']);
    assert.deepEqual([...(await seen('istio_tcp_connections_opened_total'))].sort(), ['destination', 'source']);
  });

  it('gives canary tools the success and the latency of what happens while they look', async () => {
    const of = (metric: string, more = '') =>
      `sum(rate(${metric}{reporter="waypoint",destination_workload_namespace="${NS}",destination_workload=~"shop"${more}}[15s]))`;
    const success = `${of('istio_requests_total', ',response_code!~"5.*"')} / ${of('istio_requests_total')} * 100`;
    const p99 = `histogram_quantile(0.99, ${of('istio_request_duration_milliseconds_bucket')} by (le))`;
    let asking = true;
    const load = (async () => {
      while (asking) await ask('shop', ...times(8, '/'), ...times(2, '/status/500'));
    })();
    try {
      await until('four fifths', async () => Math.abs((await prometheus.value(success)) - 80) < 4);
      const latencyMs = await prometheus.value(p99);
      assert.ok(latencyMs > 0 && latencyMs < 5000, String(latencyMs));
      const recorded = `service:istio_requests:rate1m{destination_service="shop.${NS}.svc.cluster.local"}`;
      await until('what rules record', async () => (await prometheus.value(`sum(${recorded})`)) > 0);
    } finally {
      asking = false;
      await load;
    }
  });
});
