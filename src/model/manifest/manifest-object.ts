/** Every kind of object that ambit reads, and the keys under which objects are stored. */
import type { AuthorizationPolicyObject } from './authorization-policy.ts';
import type { DeploymentObject, NamespaceObject, NodeObject, ServiceAccountObject } from './core-objects.ts';
import type { DestinationRuleObject } from './destination-rule.ts';
import type { GatewayObject } from './gateway.ts';
import type { GatewayClassObject } from './gateway-class.ts';
import type { EndpointSliceObject, ServiceObject } from './kubernetes-service.ts';
import type { MeshConfigMapObject } from './mesh-config-map.ts';
import type { PeerAuthenticationObject } from './peer-authentication.ts';
import type { PodObject } from './pod.ts';
import type { ReferenceGrantObject } from './reference-grant.ts';
import type { RequestAuthenticationObject } from './request-authentication.ts';
import type { RouteObject } from './route-object.ts';
import type { SecretObject } from './secret.ts';
import type { ServiceEntryObject } from './service-entry.ts';
import type { TelemetryObject } from './telemetry.ts';
import type { VirtualServiceObject } from './virtual-service.ts';
import type { WorkloadEntryObject } from './workload-entry.ts';

export type ManifestObject =
  | NamespaceObject
  | ServiceAccountObject
  | NodeObject
  | DeploymentObject
  | PodObject
  | ServiceObject
  | EndpointSliceObject
  | PeerAuthenticationObject
  | AuthorizationPolicyObject
  | RequestAuthenticationObject
  | ServiceEntryObject
  | WorkloadEntryObject
  | DestinationRuleObject
  | GatewayObject
  | GatewayClassObject
  | RouteObject
  | ReferenceGrantObject
  | VirtualServiceObject
  | MeshConfigMapObject
  | TelemetryObject
  | SecretObject;

export type ManifestKind = ManifestObject['kind'];

/** The object type of a kind. */
export type ObjectOfKind<K extends ManifestKind> = Extract<ManifestObject, { readonly kind: K }>;

/** `<kind>/<namespace>/<name>`; the namespace of cluster-scoped kinds is empty. */
export function objectKey(kind: ManifestKind, namespace: string, name: string): string {
  return `${kind}/${namespace}/${name}`;
}

/** The key of an object. */
export function keyOf(object: ManifestObject): string {
  return objectKey(object.kind, object.meta.namespace, object.meta.name);
}

/** `Pod demo/web`, or `Node worker-1` for a cluster-scoped kind. */
export function objectTitle(kind: string, namespace: string, name: string): string {
  return namespace === '' ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}

/** The title of the object with a key. */
export function titleOfKey(key: string): string {
  const [kind = '', namespace = '', name = ''] = key.split('/');
  return objectTitle(kind, namespace, name);
}
