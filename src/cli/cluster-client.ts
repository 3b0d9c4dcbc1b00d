/** The API server that a person's command talks to: kubeconfig as kubectl finds it, else the account of the pod. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { systemClock } from '../base/clock.ts';
import { AmbitError } from '../base/errors.ts';
import { KubeClient } from '../kube/kube-client.ts';
import { inClusterConfig, isInCluster, type KubeConfig } from '../kube/kube-config.ts';
import { kubeconfigFile } from '../kube/kubeconfig-file.ts';

/** The flags that every command about a cluster has. */
export interface ClusterFlags {
  readonly kubeconfig?: string;
  readonly context?: string;
}

/** What a person can do. */
const HINTS = {
  forbiddenHint: 'ask for this right, or take another context (kubectl auth can-i --list shows what this one may)',
  unreachableHint: ': is the cluster up, and is the context the right one (--context, --kubeconfig)?',
};

/** A client, and the namespace that is meant where none is named. */
export interface ClusterConnection {
  readonly client: KubeClient;
  readonly config: KubeConfig;
  readonly namespace: string;
}

/** @throws AmbitError KUBECONFIG_MISSING or KUBE_CONFIG with what to do */
export async function clusterClient(flags: ClusterFlags, environment: NodeJS.ProcessEnv): Promise<KubeClient> {
  const { client } = await clusterConnection(flags, environment);
  return client;
}

/** @throws AmbitError KUBECONFIG_MISSING or KUBE_CONFIG with what to do */
export async function clusterConnection(
  flags: ClusterFlags,
  environment: NodeJS.ProcessEnv,
): Promise<ClusterConnection> {
  const config = await clusterConfig(flags, environment);
  return { client: new KubeClient(config, { clock: systemClock }), config, namespace: config.namespace };
}

async function clusterConfig(flags: ClusterFlags, environment: NodeJS.ProcessEnv): Promise<KubeConfig> {
  const path = flags.kubeconfig ?? kubeconfigPath(environment);
  if (path === undefined && isInCluster(environment)) {
    const config = await inClusterConfig(environment, (file) => readFile(file, 'utf8'));
    // A person's pod: what the chart gives to the roles is not what it needs.
    return { ...config, ...HINTS };
  }
  if (path === undefined) {
    throw new AmbitError(
      'KUBECONFIG_MISSING',
      'no cluster is configured: give --kubeconfig FILE, set KUBECONFIG, or write ~/.kube/config',
    );
  }
  const context = flags.context === undefined ? {} : { context: flags.context };
  return { ...(await kubeconfigFile(path, { ...context, environment })), ...HINTS };
}

/** The first file of KUBECONFIG that exists, else the one in the home folder. */
function kubeconfigPath(environment: NodeJS.ProcessEnv): string | undefined {
  const listed = (environment['KUBECONFIG'] ?? '').split(delimiter).filter((path) => path !== '');
  if (listed.length > 0) return listed.find((path) => existsSync(path)) ?? listed[0];
  const home = join(environment['HOME'] ?? homedir(), '.kube', 'config');
  return existsSync(home) ? home : undefined;
}
