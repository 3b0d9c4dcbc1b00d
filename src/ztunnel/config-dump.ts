/** The answer of `/config_dump`: the keys and shapes that `istioctl ztunnel-config` reads (facts ztunnel-wire 11.4). */
import { certificateDump } from '../hbone/certificate-dump.ts';
import type { CertificateState } from '../hbone/certificate-manager.ts';
import { endpointsDump, policyDump, serviceDump, workloadDump } from '../mesh/mesh-dump.ts';
import type { MeshState } from '../mesh/mesh-state.ts';
import { serviceKey } from '../model/service.ts';
import type { ZtunnelConfig } from './config.ts';
import type { ConnectionSummary } from './data/connection-tracker.ts';
import type { PodSummary } from './pod-manager.ts';

export interface ConfigDumpInput {
  readonly state: MeshState;
  readonly config: ZtunnelConfig;
  readonly version: Readonly<Record<string, string>>;
  readonly certificates: Iterable<readonly [identity: string, state: CertificateState]>;
  readonly pods: Iterable<PodSummary>;
  readonly connections: ReadonlyMap<string, readonly ConnectionSummary[]>;
}

/** The whole dump as a JSON value. Secrets are masked. */
export function configDump(input: ConfigDumpInput): unknown {
  const { state, config, version, certificates, pods, connections } = input;
  return {
    certificates: [...certificates].map(([identity, entry]) => certificateDump(identity, entry)),
    config: { ...config, authToken: '<redacted>', ...mapsAsObjects(config) },
    policies: [...state.policies()].map(policyDump),
    services: [...state.services()].map((service) => serviceDump(service, state.endpoints(serviceKey(service)))),
    stagedServices: Object.fromEntries(
      [...state.stagedEndpoints()].map(([key, endpoints]) => [key, endpointsDump(endpoints)]),
    ),
    staticConfig: { policies: [], services: [], workloads: [] },
    version,
    workloads: [...state.workloads()].map(workloadDump),
    workloadState: Object.fromEntries(
      [...pods].map(({ uid, state: podState, info }) => [uid, podDump(podState, info, connections.get(uid) ?? [])]),
    ),
  };
}

function mapsAsObjects(config: ZtunnelConfig): Record<string, unknown> {
  const entries = Object.entries(config).filter(([, value]) => value instanceof Map);
  return Object.fromEntries(
    entries.map(([key, value]) => [key, key.endsWith('Headers') ? '<redacted>' : Object.fromEntries(value)]),
  );
}

function podDump(state: PodSummary['state'], info: PodSummary['info'], connections: readonly ConnectionSummary[]) {
  const of = (direction: ConnectionSummary['direction']) =>
    connections
      .filter((connection) => connection.direction === direction)
      .map(({ src, originalDst, actualDst, protocol }) => ({ src, originalDst, actualDst, protocol }));
  return { state, connections: { inbound: of('inbound'), outbound: of('outbound') }, info };
}
