/** What a waypoint tells collectors of its requests, and by which settings. */
import { type Clock, sleep } from '../../base/clock.ts';
import type { MetricFamily } from '../../telemetry/exposition.ts';
import type { WaypointConfig } from '../config.ts';
import { nodeId } from '../node-id.ts';
import { TelemetrySettings } from '../telemetry-settings.ts';
import { LogReporters } from './log-reporters.ts';
import { SpanReporters, type SpanReportersDeps } from './span-reporters.ts';

/** A collector that is gone holds up the end of a waypoint no longer than this. */
const DRAIN_MS = 2000;
const DRAIN_POLL_MS = 20;

export interface Reporting {
  readonly settings: TelemetrySettings;
  families(): MetricFamily[];
  /** Sends what is there, and waits for it as long as may be. */
  drain(): Promise<void>;
  stop(): void;
}

export function createReporting(config: WaypointConfig, deps: Omit<SpanReportersDeps, 'source'>): Reporting {
  const { serviceAccount, podNamespace, instanceIp } = config;
  const source = { serviceName: `${serviceAccount}.${podNamespace}`, ip: instanceIp };
  const reporters = new SpanReporters({ ...deps, source });
  const lines = new LogReporters({ ...deps, source: { serviceName: source.serviceName, nodeId: nodeId(config) } });
  const { logger } = deps;
  const variables = publicVariables(config);
  const settings = new TelemetrySettings({ namespace: podNamespace, logger, reporters, lines, variables });
  const all = [reporters, lines];
  return {
    settings,
    families: () => all.flatMap((one) => one.families()),
    drain: () => drain(all, deps.clock),
    stop: () => {
      for (const one of all) one.stop();
    },
  };
}

async function drain(all: readonly (SpanReporters | LogReporters)[], clock: Clock): Promise<void> {
  const deadlineMs = clock.monotonicMs() + DRAIN_MS;
  while (all.some(({ pending }) => pending > 0) && clock.monotonicMs() < deadlineMs) {
    for (const one of all) one.flush();
    await sleep(clock, DRAIN_POLL_MS);
  }
}

/** What of its environment a waypoint may tell (model/harmless-variables.ts). */
function publicVariables(config: WaypointConfig): ReadonlyMap<string, string> {
  return new Map([
    ['POD_NAME', config.podName],
    ['POD_NAMESPACE', config.podNamespace],
    ['NODE_NAME', config.nodeName],
    ['INSTANCE_IP', config.instanceIp],
    ['SERVICE_ACCOUNT', config.serviceAccount],
    ['CLUSTER_ID', config.clusterId],
    ['NETWORK', config.network],
    ['TRUST_DOMAIN', config.trustDomain],
  ]);
}
