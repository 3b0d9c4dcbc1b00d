/** Where the API server is and how to log in: from inside a pod. */
import type { Environment } from '../base/environment.ts';
import { errorText } from '../base/errors.ts';
import { KubeError } from './kube-error.ts';

/** What one request logs in with. */
export interface KubeCredentials {
  readonly token?: string;
  readonly basic?: { readonly user: string; readonly password: string };
  readonly certPem?: string;
  readonly keyPem?: string;
}

export interface KubeConfig {
  /** `https://10.96.0.1:443`, maybe with a path. */
  readonly server: string;
  /** Undefined: the roots of the system. */
  readonly caPem: string | undefined;
  /** Name to verify in place of the server's. */
  readonly serverName?: string;
  /** Only where a kubeconfig asks for it. */
  readonly skipVerify?: boolean;
  /** Namespace of the context; `default` when it names none. */
  readonly namespace: string;
  /** What to do when this account lacks a right; the API server itself says which one. */
  readonly forbiddenHint?: string;
  /** What to do when the API server is not there. */
  readonly unreachableHint?: string;
  /** Read anew for each request: tokens are renewed on disk. Rejects with a KubeError. */
  readonly credentials: () => Promise<KubeCredentials>;
}

export type ReadTextFile = (path: string) => Promise<string>;

const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Whether the program runs in a pod with a service account. */
export function isInCluster(environment: Environment): boolean {
  return (environment['KUBERNETES_SERVICE_HOST'] ?? '') !== '';
}

/** The account of the pod. Rejects with KUBE_CONFIG when this is no pod or the account is not mounted. */
export async function inClusterConfig(environment: Environment, readFile: ReadTextFile): Promise<KubeConfig> {
  const host = environment['KUBERNETES_SERVICE_HOST'] ?? '';
  const port = environment['KUBERNETES_SERVICE_PORT'] ?? '443';
  if (host === '') {
    throw new KubeError(
      'KUBE_CONFIG',
      'not in a cluster: KUBERNETES_SERVICE_HOST is not set. Give a kubeconfig, or folders of manifests',
    );
  }
  const caPem = await mounted(readFile, `${ACCOUNT}/ca.crt`);
  const namespace = await mounted(readFile, `${ACCOUNT}/namespace`);
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    caPem,
    namespace: namespace.trim(),
    forbiddenHint: 'a role lacks this right; compare the ClusterRole with what the chart installs',
    credentials: async () => ({ token: (await mounted(readFile, `${ACCOUNT}/token`)).trim() }),
  };
}

async function mounted(readFile: ReadTextFile, path: string): Promise<string> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new KubeError(
      'KUBE_CONFIG',
      `${path} cannot be read (${errorText(cause)}): is automountServiceAccountToken off for this pod?`,
      { cause },
    );
  }
}
