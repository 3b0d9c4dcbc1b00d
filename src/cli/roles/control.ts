/** The process of `ambit control`: over folders of manifests, or over the API server. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { systemClock } from '../../base/clock.ts';
import type { Environment } from '../../base/environment.ts';
import { AmbitError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { ControlOptions } from '../../control/control-options.ts';
import type { KubeControlOptions } from '../../control/kube-options.ts';
import type { MeshOptions } from '../../control/mesh-options.ts';
import { inClusterConfig, type KubeConfig } from '../../kube/kube-config.ts';
import { LogFilter } from '../../telemetry/log-filter.ts';
import { createLogger, standardOutput } from '../../telemetry/logger.ts';
import { onShutdownSignal } from '../shutdown.ts';
import { VERSION } from '../version.ts';

/** The flags of the command, checked. */
export interface ControlFlags extends Omit<MeshOptions, 'sendDryRunPolicies'> {
  readonly config?: readonly string[];
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly host: string;
  readonly grpcPort: number;
  readonly httpHost: string;
  readonly httpPort: number;
  readonly monitoringPort: number;
  readonly webhookPort: number;
  readonly caDir?: string;
  readonly ownRoot: boolean;
  readonly rootKey: 'ec' | 'rsa';
  readonly certTtl?: number;
  readonly maxCertTtl?: number;
  readonly rootOverlap?: number;
  readonly waypointImage?: string;
  readonly waypointPullPolicy: string;
  readonly tokenKeys?: string;
  readonly tokenAudience: string;
  readonly tokenIssuer?: string;
  readonly nodeAccount?: readonly string[];
  readonly dnsName?: readonly string[];
  readonly statusFile?: string;
  readonly logLevel: string;
  readonly logFormat: 'plain' | 'json';
}

/** So long other replicas and kube-proxy may take to notice that this one goes. */
const LEAVE_MS = 2000;

/** Runs until a signal ends it. @throws AmbitError when it cannot start */
export async function runControl(flags: ControlFlags, environment: Environment): Promise<void> {
  const logger = createLogger({
    format: flags.logFormat,
    filter: new LogFilter(flags.logLevel),
    destination: standardOutput(systemClock),
  });
  // Timers do not keep a process alive, and neither may a moment without connections.
  const alive = setInterval(() => undefined, 60_000);
  let stop: () => Promise<void> = () => Promise.resolve();
  onShutdownSignal(() => {
    clearInterval(alive);
    void stop().then(() => process.exit(0));
  });
  const run = flags.config === undefined ? runOnKubernetes : runOverFolders;
  try {
    await run(flags, environment, logger, (end) => {
      stop = end;
    });
  } catch (error) {
    clearInterval(alive);
    throw error;
  }
}

type Run = (
  flags: ControlFlags,
  environment: Environment,
  logger: Logger,
  stoppable: (stop: () => Promise<void>) => void,
) => Promise<void>;

const runOverFolders: Run = async (flags, _environment, logger, stoppable) => {
  const options = folderOptions(flags);
  requireReadable(options.tokenKeyFile);
  const { startControl } = await import('../../control/app.ts');
  const control = await startControl({ ...options, version: VERSION }, { clock: systemClock, logger });
  stoppable(() => control.stop());
};

const runOnKubernetes: Run = async (flags, environment, logger, stoppable) => {
  const kube = await kubeConfigOf(flags, environment);
  const { KubeControl } = await import('../../control/kube-app.ts');
  const control = new KubeControl(kubeOptions(flags, environment, kube), {
    clock: systemClock,
    logger,
    random: Math.random,
  });
  stoppable(() => control.stop());
  await control.start();
};

async function kubeConfigOf(flags: ControlFlags, environment: Environment): Promise<KubeConfig> {
  if (flags.kubeconfig === undefined) return inClusterConfig(environment, (path) => readFile(path, 'utf8'));
  const { kubeconfigFile } = await import('../../kube/kubeconfig-file.ts');
  return kubeconfigFile(flags.kubeconfig, {
    environment,
    ...(flags.context === undefined ? {} : { context: flags.context }),
  });
}

function kubeOptions(flags: ControlFlags, environment: Environment, kube: KubeConfig): KubeControlOptions {
  return {
    ...sharedOptions(flags),
    ...(flags.waypointImage !== undefined && {
      waypoint: { image: flags.waypointImage, imagePullPolicy: flags.waypointPullPolicy },
    }),
    kube,
    namespace: environment['POD_NAMESPACE'] || flags.rootNamespace,
    identity: environment['POD_NAME'] || hostname(),
    revision: environment['REVISION'] || 'default',
    monitoringPort: flags.monitoringPort,
    webhookPort: flags.webhookPort,
    leaveMs: LEAVE_MS,
    version: VERSION,
  };
}

function folderOptions(flags: ControlFlags): ControlOptions {
  const { config = [], caDir, tokenKeys, tokenIssuer, statusFile } = flags;
  if (caDir === undefined || tokenKeys === undefined) {
    throw new AmbitError('INVALID_CONFIGURATION', '--config needs --ca-dir and --token-keys as well');
  }
  return {
    ...sharedOptions(flags),
    configFolders: config,
    caDirectory: caDir,
    tokenKeyFile: tokenKeys,
    // Node proxies outside Kubernetes are no pods: the node in their signed token counts.
    trustNodeOfToken: true,
    ...(tokenIssuer === undefined ? {} : { tokenIssuer }),
    ...(statusFile === undefined ? {} : { statusFile }),
  };
}

function sharedOptions(flags: ControlFlags) {
  const { trustDomain, clusterDomain, clusterId, network, rootNamespace, missingWaypoint, rootPolicies } = flags;
  return {
    host: flags.host,
    grpcPort: flags.grpcPort,
    httpHost: flags.httpHost,
    httpPort: flags.httpPort,
    ownRoot: flags.ownRoot,
    ownRootKeyType: flags.rootKey,
    tokenAudience: flags.tokenAudience,
    ...(flags.certTtl === undefined ? {} : { defaultTtlMs: flags.certTtl }),
    ...(flags.maxCertTtl === undefined ? {} : { maxTtlMs: flags.maxCertTtl }),
    ...(flags.rootOverlap === undefined ? {} : { rootOverlapMs: flags.rootOverlap }),
    ...(flags.nodeAccount === undefined ? {} : { trustedNodeAccounts: flags.nodeAccount }),
    ...(flags.dnsName === undefined ? {} : { dnsNames: flags.dnsName }),
    mesh: { trustDomain, clusterDomain, clusterId, network, rootNamespace, missingWaypoint, rootPolicies },
  };
}

function requireReadable(file: string): void {
  try {
    readFileSync(file);
  } catch (cause) {
    throw new AmbitError('TOKEN_KEYS_UNREADABLE', `--token-keys ${file}: the file cannot be read`, { cause });
  }
}
