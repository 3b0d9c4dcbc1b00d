// docs/metrics.md: every metric family that ztunnel exports, taken from the code that renders them.
import { X509Certificate } from 'node:crypto';
import { AgentMetrics } from '../../src/agent/agent-metrics.ts';
import { systemClock } from '../../src/base/clock.ts';
import { createCaServiceStats } from '../../src/control/ca-service.ts';
import { ControlMetrics } from '../../src/control/control-metrics.ts';
import { FakeCertificateSource } from '../../src/hbone/fake-certificate-source.ts';
import { Revocations } from '../../src/hbone/revocations.ts';
import { ADDRESS_TYPE_URL } from '../../src/model/feed-encode.ts';
import { createWorkload } from '../../src/model/workload.ts';
import { policyFamily } from '../../src/telemetry/policy-metrics.ts';
import { processFamilies } from '../../src/telemetry/process-metrics.ts';
import { RequestMetrics } from '../../src/telemetry/request-metrics.ts';
import { TcpMetrics } from '../../src/telemetry/tcp-metrics.ts';
import { XdsMetrics } from '../../src/telemetry/xds-metrics.ts';
import { revocationKeys } from '../../src/tls/revocation-list.ts';
import { FairShares, shareFamilies } from '../../src/waypoint/fair-shares.ts';
import { LogReporters } from '../../src/waypoint/reporting/log-reporters.ts';
import { SpanReporters } from '../../src/waypoint/reporting/span-reporters.ts';
import { createDeltaServerStats } from '../../src/xds/server/delta-server.ts';
import { ConnectionTracker } from '../../src/ztunnel/data/connection-tracker.ts';
import { DnsMetrics, observeUpstreamDuration } from '../../src/ztunnel/data/dns-metrics.ts';
import { OnDemandDnsMetrics } from '../../src/ztunnel/data/on-demand-dns-metrics.ts';
import { podFamilies } from '../../src/ztunnel/process-metrics.ts';
import { code, table } from './markdown.mjs';
import { sourceFiles } from './source-files.mjs';

const { chainPem } = await new FakeCertificateSource(60_000, systemClock).fetch('spiffe://cluster.local/ns/a/sa/b');
const CERTIFICATE = new X509Certificate(chainPem[0]);

function policyDecisions() {
  const policy = { namespace: 'a', name: 'p', action: 'ALLOW', dryRun: false, tally: { hits: 1, refusals: 0 } };
  return policyFamily([policy], { enforced: 1, dryRun: 1 });
}

/** Every family with at least one sample, so that its labels show. */
function families() {
  const tcp = new TcpMetrics();
  const nobody = { source: undefined, destination: undefined, sourcePrincipal: undefined };
  const labels = {
    reporter: 'source',
    ...nobody,
    destinationPrincipal: undefined,
    service: undefined,
    mutualTls: false,
  };
  tcp.open(labels, 'client').close('CONNECT', true);
  const dns = new DnsMetrics();
  const series = dns.series('A', 'udp', undefined);
  series.requests = series.upstreamRequests = series.upstreamFailures = 1;
  observeUpstreamDuration(series, 0.001);
  const revocations = new Revocations();
  revocations.replace(revocationKeys(CERTIFICATE));
  revocations.refuses(CERTIFICATE, 'source');
  revocations.watch({ raw: Buffer.from('3000', 'hex') }, 'source', () => undefined);
  const onDemand = new OnDemandDnsMetrics();
  onDemand.count(createWorkload({}), 'host');
  const xds = new XdsMetrics();
  xds.message('url', 1);
  xds.terminated('Complete');
  const pods = podFamilies({ active: 1, pending: 1, started: 1, stopped: 1 });
  return [
    ...tcp.families(),
    policyDecisions(),
    ...new ConnectionTracker().families(),
    ...revocations.families(),
    ...dns.families(),
    ...onDemand.families(),
    ...xds.families(),
    ...pods,
    ...processFamilies('ztunnel', 'version'),
  ];
}

const labelNames = (family) => [
  ...new Set([...family.samples].flatMap(({ labels }) => [...labels.matchAll(/([a-z_]+)="/g)].map(([, name]) => name))),
];

/** Every family of the control plane with at least one sample. */
function controlFamilies() {
  const xds = createDeltaServerStats();
  xds.pushesOfType.set(ADDRESS_TYPE_URL, 1);
  xds.rejectsOfType.set(ADDRESS_TYPE_URL, 1);
  const source = {
    version: 'version',
    startedMs: 0,
    xds,
    ca: createCaServiceStats(),
    events: () => new Map([['Pod', { added: 1, updated: 1, deleted: 1 }]]),
    rootExpiryMs: () => 0,
    isLeader: () => true,
    resources: () => new Map([[ADDRESS_TYPE_URL, 1]]),
  };
  return new ControlMetrics(source).families();
}

/** Every family of the agent with at least one sample. */
function agentFamilies() {
  const agent = new AgentMetrics();
  agent.outcome('enrolled');
  agent.install('success');
  return agent.families({ podStates: ['enrolled'], zdsConnections: 1, isCniInstalled: true });
}

function reportFamilies() {
  const reporters = new SpanReporters({});
  reporters.of({ name: 'zipkin', collector: {}, kind: { $case: 'zipkin', zipkin: { path: '/' } } });
  const lines = new LogReporters({ source: {} });
  lines.of({ name: 'otlp', collector: {}, kind: { $case: 'otlpLogs', otlpLogs: { logName: '', text: '', json: '' } } });
  return [...reporters.families(), ...lines.families()];
}

/** Every family of a waypoint that ztunnel does not have, with at least one sample. */
function waypointFamilies() {
  const requests = new RequestMetrics();
  const outcome = { code: 200, flags: '-', durationMs: 1, requestBytes: 1, responseBytes: 1 };
  const messages = { requestMessages: 1, responseMessages: 1 };
  const call = { protocol: 'grpc', grpcStatus: '0', ...outcome, ...messages };
  const labels = { reporter: 'waypoint', source: undefined, destination: undefined, service: undefined };
  requests.count('edge', () => labels, call, 0);
  const shares = shareFamilies({ connections: new FairShares(1), requests: new FairShares(1) });
  return [...requests.families(), policyDecisions(), ...shares, ...reportFamilies()];
}

const exposedName = ({ name, type, bareName }) => (type === 'counter' && !bareName ? `${name}_total` : name);

/** Every family of every role, with at least one sample each. */
export function allFamilies() {
  return [...families(), ...waypointFamilies(), ...controlFamilies(), ...agentFamilies()];
}

/** Throws when a file that makes families names one that this page does not have. */
function requireAllFamilies() {
  const known = new Set(allFamilies().map(({ name }) => name));
  for (const { path, text } of sourceFiles()) {
    if (!text.includes('MetricFamily')) continue;
    for (const [, name] of text.matchAll(/'((?:ambit|istio|workload_manager|process)_[a-z0-9_]+)'/g)) {
      if (!known.has(name)) throw new Error(`scripts/docs/metrics.mjs does not make the family ${name} of ${path}`);
    }
  }
}

/** The table of families. The long list of traffic labels has a table of its own. */
export function metricTable() {
  requireAllFamilies();
  return familyTable(families());
}

/** The table of a waypoint's families. */
export function waypointMetricTable() {
  return familyTable(waypointFamilies());
}

/** The table of the control plane's families. */
export function controlMetricTable() {
  return familyTable(controlFamilies());
}

/** The table of the agent's families. */
export function agentMetricTable() {
  return familyTable(agentFamilies());
}

function familyTable(list) {
  const rows = list.map((family) => {
    const names = labelNames(family);
    const labels = names.includes('response_code')
      ? `request labels, below${names.includes('le') ? ', `le`' : ''}`
      : names.includes('response_flags')
        ? 'traffic labels, below'
        : names.map(code).join(', ') || '-';
    return [code(exposedName(family)), family.type, labels, family.help.replace(/\.$/, '')];
  });
  return table(['metric', 'type', 'labels', 'meaning'], rows);
}

const TRAFFIC_TEXT = {
  reporter: '`source` from the proxy of the client, `destination` from the proxy of the server',
  request_protocol: 'always `tcp`',
  response_flags: 'why the connection ended: see [errors.md](errors.md); `-` is success',
  connection_security_policy: '`mutual_tls` in a tunnel, else `unknown`',
  destination_service: 'host name of the service',
  destination_service_namespace: 'namespace of the service',
  destination_service_name: 'name of the service',
};
const PEER_TEXT = {
  workload: 'name of the Deployment, Job or other owner',
  canonical_service: 'canonical name of the workload',
  canonical_revision: 'canonical revision, `latest` unless labelled',
  workload_namespace: 'namespace',
  principal: 'SPIFFE identity from the certificate; `unknown` in plaintext',
  app: 'the same as the canonical service',
  version: 'the same as the canonical revision',
  cluster: 'cluster id',
  region: 'region of its node',
  zone: 'zone of its node',
};

/** The traffic labels in their order. Throws when one is not explained. */
export function trafficLabelTable() {
  const names = labelNames(families()[0]);
  const rows = names.map((name) => {
    const [, side, rest] = /^(source|destination)_(.*)$/.exec(name) ?? [];
    const peer = PEER_TEXT[rest] && `${side === 'source' ? 'client' : 'server'}: ${PEER_TEXT[rest]}`;
    const text = TRAFFIC_TEXT[name] ?? peer;
    if (text === undefined) throw new Error(`scripts/docs/metrics.mjs does not explain the label ${name}`);
    return [code(name), text];
  });
  return table(['label', 'meaning'], rows);
}
