/** What is the same for every object of one mesh. */
import type { ExternalAuthorizer } from '../model/extension-provider.ts';
import { DEFAULT_TRUST_DOMAIN } from '../model/spiffe.ts';
import { type MeshTelemetryConfig, NO_TELEMETRY_CONFIG } from '../model/telemetry-config.ts';

export interface MeshOptions {
  /** Default `cluster.local`. */
  readonly trustDomain: string;
  /** Domain of service host names. Default `cluster.local`. */
  readonly clusterDomain: string;
  /** First part of workload uids. Default `Kubernetes`. */
  readonly clusterId: string;
  /** Network of all addresses. Default empty. */
  readonly network: string;
  /** Policies here are mesh-wide. Default `istio-system`. */
  readonly rootNamespace: string;
  /**
   * What a reference to a waypoint that does not exist or does not admit the object does: `closed` makes connections
   * fail, `open` lets them pass without it, as Istio does. Default `closed`.
   */
  readonly missingWaypoint: 'closed' | 'open';
  /**
   * Where policies of the root namespace without selector and targets hold: `everywhere`, or at `ztunnel` alone, as in Istio.
   * Default `everywhere`.
   */
  readonly rootPolicies: 'everywhere' | 'ztunnel';
  /** Whether policies with `istio.io/dry-run` are sent: proxies log what they would do. Istio needs a flag for it. */
  readonly sendDryRunPolicies: boolean;
  /** Whom waypoints ask about what CUSTOM policies match. */
  readonly authorizers: readonly ExternalAuthorizer[];
  /** How waypoints trace and log requests. */
  readonly telemetry: MeshTelemetryConfig;
}

export const DEFAULT_MESH_OPTIONS: MeshOptions = {
  trustDomain: DEFAULT_TRUST_DOMAIN,
  clusterDomain: 'cluster.local',
  clusterId: 'Kubernetes',
  network: '',
  rootNamespace: 'istio-system',
  missingWaypoint: 'closed',
  rootPolicies: 'everywhere',
  sendDryRunPolicies: true,
  authorizers: [],
  telemetry: NO_TELEMETRY_CONFIG,
};

/** `<name>.<namespace>.svc.<cluster domain>`. */
export function serviceHostname(mesh: MeshOptions, namespace: string, name: string): string {
  return `${name}.${namespace}.svc.${mesh.clusterDomain}`;
}
