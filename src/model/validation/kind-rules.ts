/** The semantic rules of each kind of the mesh configuration: what its schema cannot say. */
import { FieldReader, type ReportProblem } from '../manifest/field-reader.ts';
import type { FieldPath } from '../manifest/manifest-problem.ts';
import { checkDestinationRule } from './destination-rule-rules.ts';
import { checkEnvoyFilter } from './envoy-filter-rules.ts';
import { checkGateway } from './gateway-rules.ts';
import { checkProxyConfig } from './proxy-config-rules.ts';
import { checkRequestAuthentication } from './request-authentication-rules.ts';
import { checkServiceEntry } from './service-entry-rules.ts';
import { checkSidecar } from './sidecar-rules.ts';
import { checkTelemetry } from './telemetry-rules.ts';
import { checkVirtualService } from './virtual-service-rules.ts';
import { checkWorkloadGroup } from './workload-group-rules.ts';

export type Severity = 'error' | 'warning';

/** The reader takes the errors, `warn` what is valid but odd. What the schema has reported of a field is not repeated. */
type KindRules = (spec: FieldReader, warn: ReportProblem) => void;

/** Errors, and as many warnings, of one object. Nobody reads more, and whoever wrote them all by intent shall not keep the reader busy. */
export const MAX_FINDINGS = 200;
const RULES: ReadonlyMap<string, KindRules> = new Map<string, KindRules>([
  ['networking.istio.io/DestinationRule', checkDestinationRule],
  ['networking.istio.io/EnvoyFilter', checkEnvoyFilter],
  ['networking.istio.io/Gateway', checkGateway],
  ['networking.istio.io/ProxyConfig', checkProxyConfig],
  ['networking.istio.io/ServiceEntry', checkServiceEntry],
  ['networking.istio.io/Sidecar', checkSidecar],
  ['networking.istio.io/VirtualService', checkVirtualService],
  ['networking.istio.io/WorkloadGroup', checkWorkloadGroup],
  ['security.istio.io/RequestAuthentication', checkRequestAuthentication],
  ['telemetry.istio.io/Telemetry', checkTelemetry],
]);

/**
 * Reports what is wrong or odd with the spec of an object, however it is shaped; nothing for a kind without rules.
 * Wrong types are reported too, at the same fields as by the schema. Never throws.
 * @param group without version
 */
export function checkKindRules(
  group: string,
  kind: string,
  spec: unknown,
  report: (path: FieldPath, reason: string, severity: Severity) => void,
): void {
  const rules = RULES.get(`${group}/${kind}`);
  if (rules === undefined) return;
  const bounded = (severity: Severity): ReportProblem => {
    let findings = 0;
    return (path, reason) => {
      if (findings++ < MAX_FINDINGS) report(path, reason, severity);
    };
  };
  rules(new FieldReader(spec ?? {}, ['spec'], bounded('error')), bounded('warning'));
}
