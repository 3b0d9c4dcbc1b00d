/** The options of `ambit control`, with their defaults. */
import type { MeshOptions } from './mesh-options.ts';

export interface ControlOptions {
  /** Of this program, for who asks. */
  readonly version?: string;
  /** Folders of manifests; of two objects with one name the first folder's wins. */
  readonly configFolders: readonly string[];
  /** Default `0.0.0.0`. */
  readonly host?: string;
  /** gRPC over TLS. Default 15012; 0 takes a free one. */
  readonly grpcPort?: number;
  /** Plain HTTP. Default 8080; 0 takes a free one. */
  readonly httpPort?: number;
  /** Default `127.0.0.1`. */
  readonly httpHost?: string;
  /** Directory of the CA in the `cacerts` layout. */
  readonly caDirectory: string;
  /** Whether a root is created in an empty CA directory and rotated by ambit. Default true. */
  readonly ownRoot?: boolean;
  /** Key of an own root. Default `ec`. */
  readonly ownRootKeyType?: 'ec' | 'rsa';
  /** Lifetime of leafs that ask for none. Default 24 h. */
  readonly defaultTtlMs?: number;
  /** Default 90 days. */
  readonly maxTtlMs?: number;
  /** How long a next root is distributed before it signs. Default 48 h. */
  readonly rootOverlapMs?: number;
  /** PEM public keys or a JSON Web Key Set that signed the callers' tokens. */
  readonly tokenKeyFile: string;
  /** Default `istio-ca`. */
  readonly tokenAudience?: string;
  readonly tokenIssuer?: string;
  /** Default: `ztunnel` in the namespace of the control plane. */
  readonly trustedNodeAccounts?: readonly string[];
  /** Whether a signed token's node counts for callers that are not pods. Default false. */
  readonly trustNodeOfToken?: boolean;
  /** DNS names and IP addresses in the serving certificate, besides istiod's names and those of the loopback. */
  readonly dnsNames?: readonly string[];
  /** Where the status goes; none: nowhere but `/debug/statusz`. */
  readonly statusFile?: string;
  readonly mesh?: Partial<MeshOptions>;
  /** Default 2 ms. */
  readonly debounceMs?: number;
  /** Default 2000 ms. */
  readonly rescanMs?: number;
}

/** The account of ztunnel beside the control plane. @param namespace of the control plane */
export function defaultNodeAccounts(namespace: string): readonly string[] {
  return [`${namespace}/ztunnel`];
}

/** The names under which proxies of an ambient mesh look for their control plane (facts l7-and-control 9.1). */
export function servingNames(rootNamespace: string, extra: readonly string[] = []): string[] {
  const names = ['istiod', 'istio-pilot', 'ambit-control'].flatMap((name) => [
    `${name}.${rootNamespace}.svc`,
    `${name}.${rootNamespace}`,
  ]);
  return [...new Set([...names, 'localhost', '127.0.0.1', '::1', ...extra])];
}
