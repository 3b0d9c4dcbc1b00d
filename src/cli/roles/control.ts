/** The process of `ambit control`. */
import { readFileSync } from 'node:fs';
import { systemClock } from '../../base/clock.ts';
import { AmbitError } from '../../base/errors.ts';
import { startControl } from '../../control/app.ts';
import type { ControlOptions } from '../../control/control-options.ts';
import { LogFilter } from '../../telemetry/log-filter.ts';
import { createLogger } from '../../telemetry/logger.ts';
import { onShutdownSignal } from '../shutdown.ts';

/** The flags of the command, checked. */
export interface ControlFlags {
  readonly config: readonly string[];
  readonly host: string;
  readonly grpcPort: number;
  readonly httpHost: string;
  readonly httpPort: number;
  readonly caDir: string;
  readonly ownRoot: boolean;
  readonly rootKey: 'ec' | 'rsa';
  readonly certTtl?: number;
  readonly maxCertTtl?: number;
  readonly rootOverlap?: number;
  readonly tokenKeys: string;
  readonly tokenAudience: string;
  readonly tokenIssuer?: string;
  readonly nodeAccount?: readonly string[];
  readonly dnsName?: readonly string[];
  readonly statusFile?: string;
  readonly trustDomain: string;
  readonly clusterDomain: string;
  readonly clusterId: string;
  readonly network: string;
  readonly rootNamespace: string;
  readonly missingWaypoint: 'closed' | 'open';
  readonly logLevel: string;
  readonly logFormat: 'plain' | 'json';
}

/** Runs until a signal ends it. @throws AmbitError when it cannot start */
export async function runControl(flags: ControlFlags): Promise<void> {
  const logger = createLogger({ format: flags.logFormat, filter: new LogFilter(flags.logLevel) });
  requireReadable(flags.tokenKeys);
  const control = await startControl(controlOptions(flags), { clock: systemClock, logger });
  // Timers do not keep a process alive, and neither may a moment without connections.
  const alive = setInterval(() => undefined, 60_000);
  onShutdownSignal(() => {
    clearInterval(alive);
    void control.stop().then(() => process.exit(0));
  });
}

function controlOptions(flags: ControlFlags): ControlOptions {
  const { trustDomain, clusterDomain, clusterId, network, rootNamespace, missingWaypoint } = flags;
  return {
    configFolders: flags.config,
    host: flags.host,
    grpcPort: flags.grpcPort,
    httpHost: flags.httpHost,
    httpPort: flags.httpPort,
    caDirectory: flags.caDir,
    ownRoot: flags.ownRoot,
    ownRootKeyType: flags.rootKey,
    tokenKeyFile: flags.tokenKeys,
    tokenAudience: flags.tokenAudience,
    ...(flags.certTtl === undefined ? {} : { defaultTtlMs: flags.certTtl }),
    ...(flags.maxCertTtl === undefined ? {} : { maxTtlMs: flags.maxCertTtl }),
    ...(flags.rootOverlap === undefined ? {} : { rootOverlapMs: flags.rootOverlap }),
    ...(flags.tokenIssuer === undefined ? {} : { tokenIssuer: flags.tokenIssuer }),
    ...(flags.nodeAccount === undefined ? {} : { trustedNodeAccounts: flags.nodeAccount }),
    ...(flags.dnsName === undefined ? {} : { dnsNames: flags.dnsName }),
    ...(flags.statusFile === undefined ? {} : { statusFile: flags.statusFile }),
    mesh: { trustDomain, clusterDomain, clusterId, network, rootNamespace, missingWaypoint },
  };
}

function requireReadable(file: string): void {
  try {
    readFileSync(file);
  } catch (cause) {
    throw new AmbitError('TOKEN_KEYS_UNREADABLE', `--token-keys ${file}: the file cannot be read`, { cause });
  }
}
