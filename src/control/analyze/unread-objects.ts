/** Objects of a folder that are written for a mesh and that nobody here reads, with what is there in their place. */
import type { ManifestProblem } from '../../model/manifest/manifest-problem.ts';

/** Groups of meshes; what others write is nobody's business. */
const GROUPS =
  /^(?:\w+\.istio\.io|(?:\w+\.)?linkerd\.io|split\.smi-spec\.io|specs\.smi-spec\.io|access\.smi-spec\.io)\//;
const LINKERD = 'write AuthorizationPolicies and routes of the Gateway API: docs/migrating-from-linkerd.md';
const INSTEAD: Readonly<Record<string, string>> = {
  EnvoyFilter: 'waypoints are no Envoy: routes, Telemetry and CUSTOM providers take the place of most filters',
  WasmPlugin: 'no code runs in waypoints: a CUSTOM policy asks a service of yours',
  Sidecar: 'every proxy knows all services: nothing has to be scoped',
  ProxyConfig: 'proxies are configured by the installation: docs/config.md',
  Gateway: 'there are no gateways: keep the one that you have, and take its pods into the mesh',
  IstioOperator: 'ambit install has values of its own: deploy/helm/ambit/README.md',
};

/** The problem with a reason that says what to do; undefined for what was never meant for a mesh. */
export function unreadObject(problem: ManifestProblem): ManifestProblem | undefined {
  const { severity, reason, object } = problem;
  if (severity !== 'note' || !GROUPS.test(reason)) return undefined;
  const [kind = ''] = object.split(' ');
  const hint = /(?:linkerd|smi-spec)\.io\//.test(reason) ? LINKERD : INSTEAD[kind];
  return { ...problem, reason: hint === undefined ? reason : `${reason}: ${hint}` };
}
