/** What a waypoint tells collectors of its requests, and by which settings. */
import type { MetricFamily } from '../../telemetry/exposition.ts';
import type { WaypointConfig } from '../config.ts';
import { nodeId } from '../node-id.ts';
import { TelemetrySettings } from '../telemetry-settings.ts';
import { LogReporters } from './log-reporters.ts';
import { SpanReporters, type SpanReportersDeps } from './span-reporters.ts';

export interface Reporting {
  readonly settings: TelemetrySettings;
  families(): MetricFamily[];
  /** Sends what is there without waiting for more. */
  flush(): void;
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
    flush: () => {
      for (const one of all) one.flush();
    },
    stop: () => {
      for (const one of all) one.stop();
    },
  };
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
