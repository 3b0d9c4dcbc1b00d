/** The kinds of objects that are read or written, and their paths in the API (Kubernetes API conventions). */

export interface ResourceKind {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
}

function kindOf(group: string, version: string, kind: string, plural: string, namespaced = true): ResourceKind {
  return { group, version, kind, plural, namespaced };
}

export const PODS = kindOf('', 'v1', 'Pod', 'pods');
export const NAMESPACES = kindOf('', 'v1', 'Namespace', 'namespaces', false);
export const NODES = kindOf('', 'v1', 'Node', 'nodes', false);
export const SERVICES = kindOf('', 'v1', 'Service', 'services');
export const SERVICE_ACCOUNTS = kindOf('', 'v1', 'ServiceAccount', 'serviceaccounts');
export const SECRETS = kindOf('', 'v1', 'Secret', 'secrets');
export const CONFIG_MAPS = kindOf('', 'v1', 'ConfigMap', 'configmaps');
export const EVENTS = kindOf('', 'v1', 'Event', 'events');
export const DEPLOYMENTS = kindOf('apps', 'v1', 'Deployment', 'deployments');
export const DAEMON_SETS = kindOf('apps', 'v1', 'DaemonSet', 'daemonsets');
export const ENDPOINT_SLICES = kindOf('discovery.k8s.io', 'v1', 'EndpointSlice', 'endpointslices');
export const LEASES = kindOf('coordination.k8s.io', 'v1', 'Lease', 'leases');
export const TOKEN_REVIEWS = kindOf('authentication.k8s.io', 'v1', 'TokenReview', 'tokenreviews', false);
export const ACCESS_REVIEWS = kindOf(
  'authorization.k8s.io',
  'v1',
  'SelfSubjectAccessReview',
  'selfsubjectaccessreviews',
  false,
);
export const SUBJECT_ACCESS_REVIEWS = kindOf(
  'authorization.k8s.io',
  'v1',
  'SubjectAccessReview',
  'subjectaccessreviews',
  false,
);
export const POD_DISRUPTION_BUDGETS = kindOf('policy', 'v1', 'PodDisruptionBudget', 'poddisruptionbudgets');
export const HORIZONTAL_POD_AUTOSCALERS = kindOf(
  'autoscaling',
  'v2',
  'HorizontalPodAutoscaler',
  'horizontalpodautoscalers',
);
export const VALIDATING_WEBHOOKS = kindOf(
  'admissionregistration.k8s.io',
  'v1',
  'ValidatingWebhookConfiguration',
  'validatingwebhookconfigurations',
  false,
);
export const CUSTOM_RESOURCE_DEFINITIONS = kindOf(
  'apiextensions.k8s.io',
  'v1',
  'CustomResourceDefinition',
  'customresourcedefinitions',
  false,
);
export const CLUSTER_ROLES = kindOf('rbac.authorization.k8s.io', 'v1', 'ClusterRole', 'clusterroles', false);
export const CLUSTER_ROLE_BINDINGS = kindOf(
  'rbac.authorization.k8s.io',
  'v1',
  'ClusterRoleBinding',
  'clusterrolebindings',
  false,
);
export const ROLES = kindOf('rbac.authorization.k8s.io', 'v1', 'Role', 'roles');
export const ROLE_BINDINGS = kindOf('rbac.authorization.k8s.io', 'v1', 'RoleBinding', 'rolebindings');
export const PEER_AUTHENTICATIONS = kindOf('security.istio.io', 'v1', 'PeerAuthentication', 'peerauthentications');
export const AUTHORIZATION_POLICIES = kindOf('security.istio.io', 'v1', 'AuthorizationPolicy', 'authorizationpolicies');
export const REQUEST_AUTHENTICATIONS = kindOf(
  'security.istio.io',
  'v1',
  'RequestAuthentication',
  'requestauthentications',
);
export const TELEMETRIES = kindOf('telemetry.istio.io', 'v1', 'Telemetry', 'telemetries');
export const SERVICE_ENTRIES = kindOf('networking.istio.io', 'v1', 'ServiceEntry', 'serviceentries');
export const WORKLOAD_ENTRIES = kindOf('networking.istio.io', 'v1', 'WorkloadEntry', 'workloadentries');
export const VIRTUAL_SERVICES = kindOf('networking.istio.io', 'v1', 'VirtualService', 'virtualservices');
export const DESTINATION_RULES = kindOf('networking.istio.io', 'v1', 'DestinationRule', 'destinationrules');
export const GATEWAYS = kindOf('gateway.networking.k8s.io', 'v1', 'Gateway', 'gateways');
export const GATEWAY_CLASSES = kindOf('gateway.networking.k8s.io', 'v1', 'GatewayClass', 'gatewayclasses', false);
export const HTTP_ROUTES = kindOf('gateway.networking.k8s.io', 'v1', 'HTTPRoute', 'httproutes');
export const GRPC_ROUTES = kindOf('gateway.networking.k8s.io', 'v1', 'GRPCRoute', 'grpcroutes');
export const TCP_ROUTES = kindOf('gateway.networking.k8s.io', 'v1', 'TCPRoute', 'tcproutes');
export const TLS_ROUTES = kindOf('gateway.networking.k8s.io', 'v1', 'TLSRoute', 'tlsroutes');
export const REFERENCE_GRANTS = kindOf('gateway.networking.k8s.io', 'v1', 'ReferenceGrant', 'referencegrants');

/** `v1`, or `<group>/<version>`. */
export function apiVersionOf(kind: ResourceKind): string {
  return kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
}

/**
 * The path of a collection, or of one object of it.
 * @param namespace empty: all namespaces, or a cluster-scoped kind
 * @param name empty: the collection
 */
export function resourcePath(kind: ResourceKind, namespace: string, name = '', subresource = ''): string {
  const base = kind.group === '' ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
  const scope = kind.namespaced && namespace !== '' ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  const object = name === '' ? '' : `/${encodeURIComponent(name)}`;
  return `${base}${scope}/${kind.plural}${object}${subresource === '' ? '' : `/${subresource}`}`;
}
