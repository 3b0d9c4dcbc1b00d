/**
 * The static configuration of `LOCAL_XDS_PATH` and `LOCAL_XDS` (facts ztunnel-wire 15.2): YAML with `workloads`,
 * `services` and `policies`; unknown keys are errors, every problem is named with its path.
 */
import { parseDocument, type ScalarTag } from 'yaml';
import { z } from 'zod';
import { AmbitError } from '../base/errors.ts';
import type { StateChange } from '../mesh/mesh-state.ts';
import { type Cidr, type IpAddress, parseCidr, parseIpAddress } from '../model/address.ts';
import type { GatewayAddress, NetworkAddress } from '../model/gateway-address.ts';
import type { StringMatch } from '../model/policy.ts';
import { NO_LOCALITY, type PortMap } from '../model/workload.ts';

/** `!Exact x` and its kin read as `{Exact: x}`, so that both spellings mean the same. */
const MATCH_TAGS: ScalarTag[] = ['Exact', 'Prefix', 'Suffix'].map((name) => ({
  tag: `!${name}`,
  resolve: (text: string) => ({ [name]: text }),
}));
const PRESENCE_TAG = { tag: '!Presence', collection: 'seq' as const, resolve: () => ({ Presence: [] }) };

const ip = z.string().transform((text, context): IpAddress => {
  const address = parseIpAddress(text);
  if (address !== undefined) return address;
  context.addIssue(`"${text}" is no IP address`);
  return z.NEVER;
});

const cidr = z.string().transform((text, context): Cidr => {
  const block = parseCidr(text);
  if (block !== undefined) return block;
  context.addIssue(`"${text}" is no CIDR block`);
  return z.NEVER;
});

/** `<network>/<ip>`; an empty network is `/<ip>`. */
const networkAddress = z.string().transform((text, context): NetworkAddress => {
  const slash = text.indexOf('/');
  const address = parseIpAddress(text.slice(slash + 1));
  if (slash >= 0 && address !== undefined) return { network: text.slice(0, slash), address };
  context.addIssue(`"${text}" is not <network>/<ip>`);
  return z.NEVER;
});

const portMap = z
  .record(z.string().regex(/^\d{1,5}$/), z.number().int().min(0).max(65535))
  .transform((ports): PortMap => new Map(Object.entries(ports).map(([port, target]) => [Number(port), target])));

const gatewayAddress = z
  .strictObject({ destination: z.string(), hboneMtlsPort: z.number().int().min(1).max(65535).default(15008) })
  .transform(({ destination, hboneMtlsPort }, context): GatewayAddress => {
    const [left, right, ...rest] = destination.split('/');
    if (left === undefined || right === undefined || rest.length > 0) {
      context.addIssue(`"${destination}" is neither <network>/<ip> nor <namespace>/<hostname>`);
      return z.NEVER;
    }
    const address = parseIpAddress(right);
    return address === undefined
      ? { destination: { kind: 'hostname', hostname: { namespace: left, hostname: right } }, hboneMtlsPort }
      : { destination: { kind: 'address', address: { network: left, address } }, hboneMtlsPort };
  });

const locality = z.strictObject({ region: z.string(), zone: z.string(), subzone: z.string() });
const applicationTunnel = z.strictObject({
  protocol: z.enum(['NONE', 'PROXY']),
  port: z
    .number()
    .int()
    .nullish()
    .transform((port) => port ?? undefined),
});
const text = z.string().default('');

const workload = z.strictObject({
  workloadIps: z.array(ip),
  namespace: z.string(),
  services: z.record(z.string(), portMap),
  uid: text,
  name: text,
  serviceAccount: text,
  network: text,
  workloadName: text,
  workloadType: z
    .string()
    .default('pod')
    .transform((type) => type.toLowerCase())
    .pipe(z.enum(['deployment', 'cronjob', 'pod', 'job'])),
  canonicalName: text,
  canonicalRevision: text,
  hostname: text,
  node: text,
  clusterId: text,
  trustDomain: text,
  protocol: z.enum(['HBONE', 'TCP']).default('TCP'),
  networkMode: z.enum(['Standard', 'HostNetwork']).default('Standard'),
  waypoint: gatewayAddress.optional(),
  networkGateway: gatewayAddress.optional(),
  nativeTunnel: z.boolean().default(false),
  applicationTunnel: applicationTunnel.optional(),
  authorizationPolicies: z.array(z.string()).default([]),
  status: z.enum(['Healthy', 'Unhealthy']).default('Healthy'),
  locality: locality.default(NO_LOCALITY),
  capacity: z.number().int().min(0).default(1),
});

const service = z.strictObject({
  name: z.string(),
  namespace: z.string(),
  hostname: z.string(),
  vips: z.array(networkAddress),
  ports: portMap,
  cidrVips: z.array(z.strictObject({ network: z.string(), cidr })).default([]),
  // Endpoints follow from the workloads' own `services`.
  endpoints: z.record(z.string(), z.unknown()).default({}),
  subjectAltNames: z.array(z.string()).default([]),
  waypoint: gatewayAddress.optional(),
  weightedWaypoints: z
    .array(z.strictObject({ destination: gatewayAddress, weight: z.number().int().min(0) }))
    .default([]),
  loadBalancer: z
    .strictObject({
      routingPreferences: z.array(z.enum(['Region', 'Zone', 'Subzone', 'Node', 'Cluster', 'Network'])),
      mode: z.enum(['Standard', 'Strict', 'Failover', 'Passthrough']),
      healthPolicy: z.enum(['OnlyHealthy', 'AllowAll']),
    })
    .optional(),
  ipFamilies: z.enum(['Dual', 'IPv4', 'IPv6']).optional(),
  canonical: z.boolean().default(false),
  visibility: z.enum(['Public', 'Namespace']).default('Public'),
});

const stringMatch = z.union([
  z.strictObject({ Exact: z.string() }).transform(({ Exact }): StringMatch => ({ kind: 'exact', value: Exact })),
  z.strictObject({ Prefix: z.string() }).transform(({ Prefix }): StringMatch => ({ kind: 'prefix', value: Prefix })),
  z.strictObject({ Suffix: z.string() }).transform(({ Suffix }): StringMatch => ({ kind: 'suffix', value: Suffix })),
  z.strictObject({ Presence: z.unknown() }).transform((): StringMatch => ({ kind: 'presence' })),
]);
const matches = z.array(stringMatch).default([]);
const cidrs = z.array(cidr).default([]);
const ports = z.array(z.number().int().min(0).max(65535)).default([]);
const accounts = z.array(z.strictObject({ namespace: z.string(), serviceAccount: z.string() })).default([]);

const policy = z.strictObject({
  name: z.string(),
  namespace: z.string(),
  scope: z.enum(['Global', 'Namespace', 'WorkloadSelector']),
  action: z.enum(['Allow', 'Deny']),
  dryRun: z.boolean(),
  rules: z.array(
    z.array(
      z.array(
        z.strictObject({
          namespaces: matches,
          notNamespaces: matches,
          serviceAccounts: accounts,
          notServiceAccounts: accounts,
          principals: matches,
          notPrincipals: matches,
          sourceIps: cidrs,
          notSourceIps: cidrs,
          destinationIps: cidrs,
          notDestinationIps: cidrs,
          destinationPorts: ports,
          notDestinationPorts: ports,
        }),
      ),
    ),
  ),
});

const localConfig = z.strictObject({
  workloads: z.array(workload).nullish(),
  services: z.array(service).nullish(),
  policies: z.array(policy).nullish(),
});

/** Reads the text of a static configuration. Throws one AmbitError that names every problem. */
export function parseLocalConfig(yaml: string, source: string): StateChange[] {
  const document = parseDocument(yaml, { customTags: [...MATCH_TAGS, PRESENCE_TAG], prettyErrors: true });
  const [problem] = document.errors;
  if (problem !== undefined) throw invalid(`${source}: ${problem.message}`);
  const result = localConfig.safeParse(document.toJS({ maxAliasCount: 100 }) ?? {});
  if (!result.success) {
    const problems = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw invalid(`${source}: ${problems.join('; ')}`);
  }
  const { workloads, services, policies } = result.data;
  return [
    ...(services ?? []).map(
      ({ endpoints: _, ...rest }): StateChange => ({
        kind: 'service',
        service: { ...rest, waypoint: rest.waypoint, loadBalancer: rest.loadBalancer, ipFamilies: rest.ipFamilies },
      }),
    ),
    ...(workloads ?? []).map(
      ({ workloadIps, services: endpointOf, ...rest }): StateChange => ({
        kind: 'workload',
        workload: {
          ...rest,
          addresses: workloadIps,
          services: new Map(Object.entries(endpointOf)),
          waypoint: rest.waypoint,
          networkGateway: rest.networkGateway,
          applicationTunnel: rest.applicationTunnel,
        },
      }),
    ),
    ...(policies ?? []).map((entry): StateChange => ({ kind: 'policy', policy: entry })),
  ];
}

function invalid(message: string): AmbitError {
  return new AmbitError('INVALID_LOCAL_CONFIG', `invalid local configuration: ${message}`);
}
