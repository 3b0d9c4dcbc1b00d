/** What is odd about a valid policy (facts l7-and-control 9.4). */
import {
  type AuthorizationRuleObject,
  type ConditionObject,
  givenL7,
  type OperationObject,
  type SourceObject,
} from '../../model/manifest/authorization-policy.ts';
import type { ManifestObject } from '../../model/manifest/manifest-object.ts';

/** Attributes of conditions that exist only in HTTP. */
const HTTP_CONDITION = /^(request\.|remote\.ip$|source\.trustDomain$|experimental\.)/;

/** Texts for whoever applies the object; none for most. */
export function policyWarnings(object: ManifestObject): string[] {
  if (object.kind !== 'AuthorizationPolicy' || object.action !== 'DENY') return [];
  return object.rules.flatMap((rule, index) =>
    hasOnlyHttpAttributes(rule)
      ? [
          `spec.rules[${index}]: a DENY rule with only HTTP attributes denies all TCP traffic under its scope; name the ports that it is meant for`,
        ]
      : [],
  );
}

function hasOnlyHttpAttributes({ from, to, when }: AuthorizationRuleObject): boolean {
  const hasHttp = [...from, ...to].some(({ l7 }) => givenL7(l7).length > 0) || when.some(isHttpCondition);
  return hasHttp && !from.some(hasTcpSource) && !to.some(hasTcpOperation) && when.every(isHttpCondition);
}

function isHttpCondition({ key }: ConditionObject): boolean {
  return HTTP_CONDITION.test(key);
}

function hasTcpSource({ l7: _, ...tcp }: SourceObject): boolean {
  return Object.values(tcp).some((values) => values.length > 0);
}

function hasTcpOperation({ ports, notPorts }: OperationObject): boolean {
  return ports.length + notPorts.length > 0;
}
