/** What an installation can be told, with defaults: the values of the Helm chart and of `ambit install --set`. */
import { z } from 'zod';
import { AmbitError } from '../base/errors.ts';
import type { PlainNode } from './template.ts';
import {
  durationSchema,
  labelValueSchema,
  lifetimeSchema,
  logLevelSchema,
  meshConfigSchema,
  resourcesSchema,
} from './value-schemas.ts';

const textMap = z.record(z.string(), z.string());
const anyMap = z.record(z.string(), z.json());

/** @param cpu request, @param memory request */
function resources(cpu: string, memory: string) {
  return resourcesSchema
    .default({ requests: { cpu, memory } })
    .describe('Requests and limits of the container, as in a pod spec.');
}

/** @param annotations of the pods */
function placement(annotations: Record<string, string> = {}) {
  return {
    nodeSelector: textMap.default({ 'kubernetes.io/os': 'linux' }).describe('Labels that nodes must have.'),
    podAnnotations: textMap.default(annotations).describe('Annotations of the pods.'),
  };
}

/** @param port of the metrics */
function scrapeAnnotations(port: string): Record<string, string> {
  return { 'prometheus.io/scrape': 'true', 'prometheus.io/port': port, 'prometheus.io/path': '/metrics' };
}

const TOLERATE_ALL = [
  { effect: 'NoSchedule', operator: 'Exists' },
  { effect: 'NoExecute', operator: 'Exists' },
];

const imageSchema = z.strictObject({
  repository: z.string().min(1).default('ambit').describe('Image of all roles, without its tag.'),
  tag: z.string().min(1).default('0.1.0').describe('Tag of the image.'),
  pullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']).default('IfNotPresent').describe('When nodes pull it.'),
});

const controlSchema = z.strictObject({
  replicas: z.int().min(1).max(20).default(2).describe('Replicas of the control plane; all of them serve at once.'),
  resources: resources('100m', '128Mi'),
  tolerations: z.array(anyMap).default([]).describe('Taints that its pods tolerate.'),
  affinity: anyMap.default({}).describe('Affinity of its pods.'),
  podDisruptionBudget: z.boolean().default(true).describe('Whether one replica stays when nodes are drained.'),
  certTtl: lifetimeSchema.default('24h').describe('Lifetime of workload certificates that ask for none.'),
  ...placement(scrapeAnnotations('15014')),
});

const agentSchema = z.strictObject({
  cniBinDir: z.string().default('/opt/cni/bin').describe('Where the container runtime looks for CNI plugins.'),
  cniConfDir: z.string().default('/etc/cni/net.d').describe('Where the container runtime reads CNI configurations.'),
  excludeNamespaces: z.string().default('kube-system').describe('Namespaces that are never enrolled, with commas.'),
  joinDrain: durationSchema.default('5m').describe('How long connections from before a running pod joined may go on.'),
  leaveDrain: durationSchema
    .default('30s')
    .describe('How long open connections of a pod that leaves the mesh have to end.'),
  dnsCapture: z.boolean().default(true).describe('Whether ztunnel answers the DNS queries of pods.'),
  ruleBackend: z.enum(['auto', 'iptables', 'nft']).default('auto').describe('Which tool writes the rules of pods.'),
  resources: resources('50m', '64Mi'),
  ...placement({
    ...scrapeAnnotations('15014'),
    // It enters namespaces and reads processes of pods, which the default profile of some nodes forbids.
    'container.apparmor.security.beta.kubernetes.io/agent': 'unconfined',
  }),
});

const ztunnelSchema = z.strictObject({
  terminationGracePeriodSeconds: z
    .int()
    .min(2)
    .default(30)
    .describe('How long connections may go on after an upgrade; the drain ends five seconds earlier.'),
  env: textMap.default({}).describe('Further environment variables, see docs/config.md.'),
  resources: resources('100m', '128Mi'),
  ...placement(scrapeAnnotations('15020')),
});

const dashboardSchema = z.strictObject({
  enabled: z.boolean().default(false).describe('Whether the dashboard runs in the cluster, too.'),
  hosts: z
    .string()
    .regex(/^[a-z0-9.,-]*$/, 'host names with commas are needed, without ports')
    .default('')
    .describe('Names that browsers call it by besides those of its Service, with commas.'),
  prometheus: z
    .union([z.literal(''), z.url()])
    .default('')
    .describe('Where it finds histories of more than an hour.'),
  resources: resources('50m', '96Mi'),
  tolerations: z.array(anyMap).default([]).describe('Taints that its pod tolerates.'),
  ...placement(),
});

export const installValuesSchema = z.strictObject({
  image: imageSchema.prefault({}).describe('The image that all roles run.'),
  imagePullSecrets: z
    .array(z.strictObject({ name: z.string() }))
    .default([])
    .describe('Secrets of private registries.'),
  revision: labelValueSchema.default('default').describe('Objects labelled with another istio.io/rev are left alone.'),
  clusterId: z.string().min(1).default('Kubernetes').describe('Name of the cluster in workload ids.'),
  clusterDomain: z.string().min(1).default('cluster.local').describe('Domain of service host names.'),
  network: z.string().default('').describe('Name of the network that all pods are in.'),
  logLevel: logLevelSchema.default('info').describe('Such as info or info,xds=debug.'),
  logFormat: z.enum(['plain', 'json']).default('plain').describe('Format of log lines.'),
  missingWaypoint: z
    .enum(['closed', 'open'])
    .default('closed')
    .describe(
      'What a reference to a waypoint that is missing does: closed makes connections fail, open (as Istio) lets them pass.',
    ),
  rootPolicies: z
    .enum(['everywhere', 'ztunnel'])
    .default('everywhere')
    .describe(
      'Where policies of the root namespace without selector and targets hold: also at waypoints, or (as Istio) not there.',
    ),
  meshConfig: meshConfigSchema
    .default({})
    .describe('MeshConfig: trustDomain, discoverySelectors, ...; changes are taken while running.'),
  webhook: z
    .strictObject({
      enabled: z.boolean().default(true).describe('Whether invalid objects are refused by the API server.'),
    })
    .prefault({})
    .describe('Admission of mesh objects.'),
  control: controlSchema.prefault({}).describe('The control plane, a Deployment.'),
  agent: agentSchema.prefault({}).describe('The node agent, a DaemonSet.'),
  ztunnel: ztunnelSchema.prefault({}).describe('The node proxy, a DaemonSet.'),
  dashboard: dashboardSchema.prefault({}).describe('The dashboard, a Deployment; off by default.'),
  tolerations: z.array(anyMap).default(TOLERATE_ALL).describe('Taints that the DaemonSets tolerate.'),
});

export type InstallValues = z.infer<typeof installValuesSchema>;
export type ValuesErrorCode = 'INSTALL_VALUES_INVALID';

/**
 * Values from what a user gave.
 * @throws AmbitError INSTALL_VALUES_INVALID that names every wrong value
 */
export function parseInstallValues(given: unknown): InstallValues {
  const parsed = installValuesSchema.safeParse(given ?? {});
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'values'}: ${issue.message}`);
  throw new AmbitError<ValuesErrorCode>('INSTALL_VALUES_INVALID', `invalid values: ${problems.join('; ')}`);
}

/**
 * Puts one `--set path=value` into values, as Helm reads it: `true`, `false`, `null` and whole numbers are typed, braces
 * make a list (`a={x,y}`), everything else is text; a dot in a key is written `\.`.
 * @throws AmbitError INSTALL_VALUES_INVALID
 */
export function setValue(values: { [key: string]: PlainNode }, assignment: string): void {
  const equals = assignment.indexOf('=');
  const path =
    equals < 0
      ? []
      : assignment
          .slice(0, equals)
          .split(/(?<!\\)\./)
          .map((key) => key.replaceAll('\\.', '.'));
  if (path.length === 0 || path.some((key) => key === '' || key === '__proto__')) {
    throw new AmbitError<ValuesErrorCode>('INSTALL_VALUES_INVALID', `--set ${assignment}: expected path=value`);
  }
  let at = values;
  for (const key of path.slice(0, -1)) {
    const next = at[key];
    const isMap = next !== undefined && next !== null && typeof next === 'object' && !Array.isArray(next);
    const child: { [key: string]: PlainNode } = isMap ? next : {};
    at[key] = child;
    at = child;
  }
  at[path.at(-1) ?? ''] = typedValue(assignment.slice(equals + 1));
}

function typedValue(text: string): PlainNode {
  if (text.startsWith('{') && text.endsWith('}')) {
    const inner = text.slice(1, -1);
    return inner === '' ? [] : inner.split(',').map((item) => typedValue(item.trim()));
  }
  if (text === 'true' || text === 'false') return text === 'true';
  if (text === 'null') return null;
  return /^-?(0|[1-9]\d{0,14})$/.test(text) ? Number(text) : text;
}
