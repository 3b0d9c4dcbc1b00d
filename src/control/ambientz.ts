/**
 * `/debug/ambientz`: the feed as JSON in the shape of istiod (facts samples/istiod-ambientz.json): protobuf names in
 * lower camel case, defaults left out, bytes as base64, enums by name.
 */
import { Authorization } from '../proto/gen/authorization.ts';
import { Address } from '../proto/gen/workload.ts';
import type { ResourceStore } from '../xds/server/resource-store.ts';

type Json = string | number | boolean | Json[] | { [key: string]: Json };
type EnumNames = Readonly<Record<string, readonly string[]>>;

const WORKLOAD_ENUMS: EnumNames = {
  tunnelProtocol: ['NONE', 'HBONE', 'LEGACY_ISTIO_MTLS'],
  workloadType: ['DEPLOYMENT', 'CRONJOB', 'POD', 'JOB'],
  status: ['HEALTHY', 'UNHEALTHY'],
  networkMode: ['STANDARD', 'HOST_NETWORK'],
  protocol: ['NONE', 'PROXY'],
};
const SERVICE_ENUMS: EnumNames = {
  appProtocol: ['UNKNOWN', 'HTTP11', 'HTTP2', 'GRPC', 'TCP', 'TLS'],
  ipFamilies: ['AUTOMATIC', 'IPV4_ONLY', 'IPV6_ONLY', 'DUAL'],
  visibility: ['PUBLIC', 'NAMESPACE'],
  mode: ['UNSPECIFIED_MODE', 'STRICT', 'FAILOVER', 'PASSTHROUGH'],
  healthPolicy: ['ONLY_HEALTHY', 'ALLOW_ALL'],
  routingPreference: ['UNSPECIFIED_SCOPE', 'REGION', 'ZONE', 'SUBZONE', 'NODE', 'CLUSTER', 'NETWORK'],
};
const POLICY_ENUMS: EnumNames = {
  scope: ['GLOBAL', 'NAMESPACE', 'WORKLOAD_SELECTOR'],
  action: ['ALLOW', 'DENY'],
};
/** istiod's names of layers that carry other names in ztunnel's copy of the schema. */
const RENAMED: Readonly<Record<string, string>> = { rules: 'groups', clauses: 'rules' };

export interface Ambientz {
  readonly workloads: readonly unknown[];
  readonly services: readonly unknown[];
  readonly policies: readonly unknown[];
}

/** Everything the feed holds. */
export function renderAmbientz(addresses: ResourceStore, authorizations: ResourceStore): Ambientz {
  const workloads: unknown[] = [];
  const services: unknown[] = [];
  for (const name of addresses.names()) {
    const { type } = Address.decode(addresses.get(name)?.value ?? Buffer.alloc(0));
    if (type?.$case === 'workload') workloads.push(toJson(type.workload, WORKLOAD_ENUMS, {}));
    else if (type?.$case === 'service') services.push(toJson(type.service, SERVICE_ENUMS, {}));
  }
  const policies = [...authorizations.names()].map((name) =>
    toJson(Authorization.decode(authorizations.get(name)?.value ?? Buffer.alloc(0)), POLICY_ENUMS, RENAMED),
  );
  return { workloads, services, policies };
}

function toJson(message: object, enums: EnumNames, renamed: Readonly<Record<string, string>>): Record<string, Json> {
  const fields: Record<string, Json> = {};
  for (const [key, value] of Object.entries(message)) {
    if (isDefault(value)) continue;
    if (isOneof(value)) {
      fields[value.$case] = convert(value.$case, value[value.$case], enums, renamed);
    } else {
      fields[renamed[key] ?? key] = convert(key, value, enums, renamed);
    }
  }
  return fields;
}

function convert(key: string, value: unknown, enums: EnumNames, renamed: Readonly<Record<string, string>>): Json {
  if (Buffer.isBuffer(value)) return value.toString('base64');
  if (Array.isArray(value)) return value.map((item) => convert(key, item, enums, renamed));
  if (value instanceof Map) {
    return Object.fromEntries([...value].map(([name, item]) => [name, convert('', item, enums, renamed)]));
  }
  if (typeof value === 'object' && value !== null) return toJson(value, enums, renamed);
  if (typeof value === 'number') return enums[key]?.[value] ?? value;
  return typeof value === 'boolean' ? value : String(value);
}

function isDefault(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === 0 || value === false) return true;
  if (value instanceof Map) return value.size === 0;
  return Array.isArray(value) && value.length === 0;
}

function isOneof(value: unknown): value is { $case: string } & Record<string, unknown> {
  return typeof value === 'object' && value !== null && '$case' in value && typeof value.$case === 'string';
}
