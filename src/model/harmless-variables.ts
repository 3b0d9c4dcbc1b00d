/** Variables of a waypoint's environment that anybody may read: what it is, and where. */

const HARMLESS: ReadonlySet<string> = new Set([
  'POD_NAME',
  'POD_NAMESPACE',
  'NODE_NAME',
  'INSTANCE_IP',
  'SERVICE_ACCOUNT',
  'CLUSTER_ID',
  'NETWORK',
  'TRUST_DOMAIN',
]);

export function isHarmlessVariable(name: string): boolean {
  return HARMLESS.has(name);
}
