/**
 * The answer of a waypoint's `/config_dump`: what it serves, and by which rules. Where ztunnel has the same, it has the
 * same shape.
 *
 * Invariant: no key and no token is in it. Credentials are named, values of headers that carry them are masked.
 */
import { plainJson } from '../base/plain-json.ts';
import { certificateDump } from '../hbone/certificate-dump.ts';
import type { CertificateState } from '../hbone/certificate-manager.ts';
import { serviceDump, workloadDump } from '../mesh/mesh-dump.ts';
import type { MeshState } from '../mesh/mesh-state.ts';
import { serviceKey } from '../model/service.ts';
import type { Workload } from '../model/workload.ts';
import type { Clusters } from './clusters.ts';
import type { WaypointConfig } from './config.ts';
import { isBoundTo } from './connect-target.ts';
import type { WaypointPolicies } from './policies.ts';
import type { Routes } from './routes.ts';

export interface ConfigDumpInput {
  readonly config: WaypointConfig;
  readonly version: string;
  /** Undefined until the feed named it. */
  readonly self: Workload | undefined;
  readonly state: MeshState;
  readonly policies: Pick<WaypointPolicies, 'held'>;
  readonly routes: Pick<Routes, 'held'>;
  readonly clusters: Pick<Clusters, 'summaries'>;
  readonly certificates: Iterable<readonly [identity: string, state: CertificateState]>;
  readonly connections: { readonly tunnels: number; readonly http: number };
}

/** The whole dump as a JSON value. */
export function configDump(input: ConfigDumpInput): unknown {
  const { config, version, self, state, policies, routes, clusters, certificates, connections } = input;
  const services = self === undefined ? [] : [...state.services()].filter((one) => isBoundTo(state, self, one));
  const workloads = self === undefined ? [] : [...state.workloads()].filter((one) => isBoundTo(state, self, one));
  return {
    certificates: [...certificates].map(([identity, entry]) => certificateDump(identity, entry)),
    clusters: clusters.summaries().map(({ policy, ...one }) => ({ ...one, policy: plainJson(policy) })),
    config: { ...config, authToken: '<redacted>' },
    connections,
    policies: [...policies.held()].map(({ targets, manifest }) => ({ targets, ...policyOf(manifest) })),
    routes: [...routes.held()].map(plainJson),
    services: services.map((service) => serviceDump(service, state.endpoints(serviceKey(service)))),
    version: { version },
    workload: self && workloadDump(self),
    workloads: workloads.map(workloadDump),
  };
}

/** Its object, without the keys of tokens: one of them may be symmetric. */
function policyOf(manifest: Uint8Array): object {
  const hide = (name: string, value: unknown) => (name === 'jwks' ? '<redacted>' : value);
  return JSON.parse(Buffer.from(manifest).toString('utf8'), hide) as object;
}
