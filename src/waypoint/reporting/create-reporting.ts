/** What a waypoint tells collectors of its requests, and by which settings. */
import type { WaypointConfig } from '../config.ts';
import { TelemetrySettings } from '../telemetry-settings.ts';
import { SpanReporters, type SpanReportersDeps } from './span-reporters.ts';

export interface Reporting {
  readonly reporters: SpanReporters;
  readonly settings: TelemetrySettings;
}

export function createReporting(config: WaypointConfig, deps: Omit<SpanReportersDeps, 'source'>): Reporting {
  const { serviceAccount, podNamespace, instanceIp } = config;
  const source = { serviceName: `${serviceAccount}.${podNamespace}`, ip: instanceIp };
  const reporters = new SpanReporters({ ...deps, source });
  const { logger } = deps;
  const variables = publicVariables(config);
  return { reporters, settings: new TelemetrySettings({ namespace: podNamespace, logger, reporters, variables }) };
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
