/** Every kind of custom resources that the mesh defines, and how to find one. */
import { DESTINATION_RULE_KIND } from './destination-rule-kind.ts';
import { GATEWAY_KIND } from './gateway-kind.ts';
import type { KindSchema } from './kind-schema.ts';
import { ENVOY_FILTER_KIND, PROXY_CONFIG_KIND, SIDECAR_KIND } from './proxy-kinds.ts';
import { any, object, type Schema } from './schema.ts';
import { AUTHORIZATION_POLICY_KIND, PEER_AUTHENTICATION_KIND, REQUEST_AUTHENTICATION_KIND } from './security-kinds.ts';
import { TELEMETRY_KIND } from './telemetry-kind.ts';
import { VIRTUAL_SERVICE_KIND } from './virtual-service-kind.ts';
import { SERVICE_ENTRY_KIND, WORKLOAD_ENTRY_KIND, WORKLOAD_GROUP_KIND } from './workload-kinds.ts';

export const KIND_SCHEMAS: readonly KindSchema[] = [
  AUTHORIZATION_POLICY_KIND,
  DESTINATION_RULE_KIND,
  ENVOY_FILTER_KIND,
  GATEWAY_KIND,
  PEER_AUTHENTICATION_KIND,
  PROXY_CONFIG_KIND,
  REQUEST_AUTHENTICATION_KIND,
  SERVICE_ENTRY_KIND,
  SIDECAR_KIND,
  TELEMETRY_KIND,
  VIRTUAL_SERVICE_KIND,
  WORKLOAD_ENTRY_KIND,
  WORKLOAD_GROUP_KIND,
];
const BY_NAME = new Map<string, Schema>(
  KIND_SCHEMAS.map(({ group, kind, spec, status }) => [
    `${group}/${kind}`,
    object({ apiVersion: any, kind: any, metadata: any, spec, status }),
  ]),
);

/**
 * The schema of a whole object; metadata is the API server's to check and may be anything.
 * @param group without version @returns undefined for a kind that the mesh does not define
 */
export function kindSchema(group: string, kind: string): Schema | undefined {
  return BY_NAME.get(`${group}/${kind}`);
}
