/** The options of `ambit control` on Kubernetes, with their defaults. */
import type { KubeConfig } from '../kube/kube-config.ts';
import type { MeshOptions } from './mesh-options.ts';

export interface KubeControlOptions {
  readonly kube: KubeConfig;
  /** Namespace of the control plane: its Secrets, its Lease, its MeshConfig. Default `istio-system`. */
  readonly namespace?: string;
  /** Unique to this replica: the name of its pod. */
  readonly identity: string;
  /** Objects of another revision are ignored. Default `default`. */
  readonly revision?: string;
  /** Default `0.0.0.0`. */
  readonly host?: string;
  /** gRPC over TLS. Default 15012; 0 takes a free one. */
  readonly grpcPort?: number;
  /** Plain HTTP: `/ready`, `/debug`. Default 8080; 0 takes a free one. */
  readonly httpPort?: number;
  /** Default `127.0.0.1`. */
  readonly httpHost?: string;
  /** `/metrics`, `/version`. Default 15014; 0 takes a free one. */
  readonly monitoringPort?: number;
  /** `/validate` over HTTPS. Default 15017; 0 takes a free one. */
  readonly webhookPort?: number;
  /** Whether a root is created where nobody plugged one in. Default true. */
  readonly ownRoot?: boolean;
  /** Key of an own root. Default `ec`. */
  readonly ownRootKeyType?: 'ec' | 'rsa';
  /** How long a next root is distributed before it signs. Default 48 h. */
  readonly rootOverlapMs?: number;
  /** Lifetime of leafs that ask for none. Default 24 h. */
  readonly defaultTtlMs?: number;
  /** Default 90 days. */
  readonly maxTtlMs?: number;
  /** Default `istio-ca`. */
  readonly tokenAudience?: string;
  /** Default: `ztunnel` in the namespace of the control plane. */
  readonly trustedNodeAccounts?: readonly string[];
  /** In the serving certificate, besides istiod's names. */
  readonly dnsNames?: readonly string[];
  /** Where MeshConfig says nothing. */
  readonly mesh?: Partial<MeshOptions>;
  /** With it the waypoints that Gateways ask for are run. */
  readonly waypoint?: { readonly image: string; readonly imagePullPolicy: string };
  /** How long it goes on serving after it is no longer ready, so that clients stop coming. Default 0 */
  readonly leaveMs?: number;
  /** Of this build, for `/version`. */
  readonly version: string;
}

export const DEFAULT_REVISION = 'default';
