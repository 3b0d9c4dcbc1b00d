/**
 * One Kubernetes object, as parsed YAML or JSON, to its typed form. Whoever has the text behind it (a file, an API
 * answer) gives the function that finds the position of a field.
 */
import { MESH_CONFIG_MAP } from '../installed-names.ts';
import { readAuthorizationPolicy } from './authorization-policy.ts';
import { readDeployment, readNamespace, readNode, readServiceAccount } from './core-objects.ts';
import { readDestinationRule } from './destination-rule.ts';
import { FieldReader, isRecord } from './field-reader.ts';
import { readGateway } from './gateway.ts';
import { readGatewayClass } from './gateway-class.ts';
import { readGrpcRoute } from './grpc-route.ts';
import { readHttpRoute } from './http-route.ts';
import { readEndpointSlice, readService } from './kubernetes-service.ts';
import { type ManifestKind, type ManifestObject, objectKey, objectTitle } from './manifest-object.ts';
import { type FieldPath, formatFieldPath, type ManifestProblem, type SourcePosition } from './manifest-problem.ts';
import { readMeshConfigMap } from './mesh-config-map.ts';
import { DEFAULT_NAMESPACE, isObjectName, type ObjectMeta, readObjectMeta } from './object-meta.ts';
import { readPeerAuthentication } from './peer-authentication.ts';
import { readPod } from './pod.ts';
import { readReferenceGrant } from './reference-grant.ts';
import { readRequestAuthentication } from './request-authentication.ts';
import { readSecret } from './secret.ts';
import { readServiceEntry } from './service-entry.ts';
import { readTcpRoute, readTlsRoute } from './tcp-route.ts';
import { readTelemetry } from './telemetry.ts';
import { readVirtualService } from './virtual-service.ts';
import { readWorkloadEntry } from './workload-entry.ts';

/** Where a field is in the text. */
export type LocateField = (path: FieldPath) => SourcePosition;

export type ObjectReading =
  | { readonly kind: 'accepted'; readonly key: string; readonly object: ManifestObject }
  /** The object is known by name, but not valid. `key` is undefined when not even its name can be read. */
  | { readonly kind: 'refused'; readonly key: string | undefined; readonly problems: readonly ManifestProblem[] }
  /** A kind that the mesh does not use. */
  | { readonly kind: 'ignored'; readonly note: ManifestProblem };

interface KindReader {
  readonly kind: ManifestKind;
  readonly versions: readonly string[];
  readonly namespaced: boolean;
  /** The name of the only objects of this kind that the mesh uses. */
  readonly only?: string;
  readonly read: (meta: ObjectMeta, root: FieldReader) => ManifestObject;
}

const ISTIO_VERSIONS = ['v1', 'v1beta1', 'v1alpha3'];
const GATEWAY_API = 'gateway.networking.k8s.io';
const KINDS: readonly (KindReader & { readonly group: string })[] = [
  { group: '', kind: 'Namespace', versions: ['v1'], namespaced: false, read: readNamespace },
  { group: '', kind: 'ServiceAccount', versions: ['v1'], namespaced: true, read: readServiceAccount },
  { group: '', kind: 'Node', versions: ['v1'], namespaced: false, read: readNode },
  { group: '', kind: 'ConfigMap', versions: ['v1'], namespaced: true, only: MESH_CONFIG_MAP, read: readMeshConfigMap },
  { group: '', kind: 'Secret', versions: ['v1'], namespaced: true, read: readSecret },
  { group: '', kind: 'Pod', versions: ['v1'], namespaced: true, read: readPod },
  { group: '', kind: 'Service', versions: ['v1'], namespaced: true, read: readService },
  { group: 'apps', kind: 'Deployment', versions: ['v1'], namespaced: true, read: readDeployment },
  {
    group: 'discovery.k8s.io',
    kind: 'EndpointSlice',
    versions: ['v1', 'v1beta1'],
    namespaced: true,
    read: readEndpointSlice,
  },
  {
    group: 'security.istio.io',
    kind: 'PeerAuthentication',
    versions: ISTIO_VERSIONS,
    namespaced: true,
    read: readPeerAuthentication,
  },
  {
    group: 'security.istio.io',
    kind: 'AuthorizationPolicy',
    versions: ISTIO_VERSIONS,
    namespaced: true,
    read: readAuthorizationPolicy,
  },
  {
    group: 'security.istio.io',
    kind: 'RequestAuthentication',
    versions: ['v1', 'v1beta1'],
    namespaced: true,
    read: readRequestAuthentication,
  },
  {
    group: 'telemetry.istio.io',
    kind: 'Telemetry',
    versions: ['v1', 'v1alpha1'],
    namespaced: true,
    read: readTelemetry,
  },
  {
    group: 'networking.istio.io',
    kind: 'ServiceEntry',
    versions: ISTIO_VERSIONS,
    namespaced: true,
    read: readServiceEntry,
  },
  {
    group: 'networking.istio.io',
    kind: 'WorkloadEntry',
    versions: ISTIO_VERSIONS,
    namespaced: true,
    read: readWorkloadEntry,
  },
  {
    group: 'networking.istio.io',
    kind: 'VirtualService',
    versions: ISTIO_VERSIONS,
    namespaced: true,
    read: readVirtualService,
  },
  {
    group: 'networking.istio.io',
    kind: 'DestinationRule',
    versions: ISTIO_VERSIONS,
    namespaced: true,
    read: readDestinationRule,
  },
  {
    group: GATEWAY_API,
    kind: 'Gateway',
    versions: ['v1', 'v1beta1'],
    namespaced: true,
    read: readGateway,
  },
  {
    group: GATEWAY_API,
    kind: 'GatewayClass',
    versions: ['v1', 'v1beta1'],
    namespaced: false,
    read: readGatewayClass,
  },
  { group: GATEWAY_API, kind: 'HTTPRoute', versions: ['v1', 'v1beta1'], namespaced: true, read: readHttpRoute },
  { group: GATEWAY_API, kind: 'GRPCRoute', versions: ['v1'], namespaced: true, read: readGrpcRoute },
  { group: GATEWAY_API, kind: 'TCPRoute', versions: ['v1', 'v1alpha2'], namespaced: true, read: readTcpRoute },
  {
    group: GATEWAY_API,
    kind: 'TLSRoute',
    versions: ['v1', 'v1alpha3', 'v1alpha2'],
    namespaced: true,
    read: readTlsRoute,
  },
  {
    group: GATEWAY_API,
    kind: 'ReferenceGrant',
    versions: ['v1', 'v1beta1'],
    namespaced: true,
    read: readReferenceGrant,
  },
];
const BY_GROUP_KIND = new Map(KINDS.map((entry) => [`${entry.group}/${entry.kind}`, entry]));

/** Reads one object. Never throws on any value. */
export function readObject(value: unknown, locate: LocateField): ObjectReading {
  if (!isRecord(value)) return refusedDocument([], 'is not a Kubernetes object', locate);
  const { apiVersion, kind } = value;
  if (typeof kind !== 'string' || kind === '') return refusedDocument(['kind'], 'is required', locate);
  if (typeof apiVersion !== 'string') return refusedDocument(['apiVersion'], 'is required', locate);
  const slash = apiVersion.indexOf('/');
  const entry = BY_GROUP_KIND.get(`${slash < 0 ? '' : apiVersion.slice(0, slash)}/${kind}`);
  if (entry === undefined || isUnused(entry, value)) return ignored(value, apiVersion, kind, locate);
  return readKnown(entry, value, apiVersion.slice(slash + 1), locate);
}

function isUnused({ only }: KindReader, { metadata }: Readonly<Record<string, unknown>>): boolean {
  return only !== undefined && isRecord(metadata) && metadata['name'] !== only;
}

function readKnown(entry: KindReader, value: unknown, version: string, locate: LocateField): ObjectReading {
  const identity = identityOf(value, entry);
  const title = identity === undefined ? entry.kind : objectTitle(entry.kind, identity.namespace, identity.name);
  const problems: ManifestProblem[] = [];
  const report = (path: FieldPath, reason: string) => {
    problems.push({ severity: 'error', object: title, field: formatFieldPath(path), reason, position: locate(path) });
  };
  if (!entry.versions.includes(version)) report(['apiVersion'], `version "${version}" of ${entry.kind} is not known`);
  const root = new FieldReader(value, [], report);
  const object = entry.read(readObjectMeta(root, entry.namespaced), root);
  const key = identity && objectKey(entry.kind, identity.namespace, identity.name);
  if (problems.length > 0 || key === undefined) return { kind: 'refused', key, problems };
  return { kind: 'accepted', key, object };
}

/** The identity of an object whose other fields may be wrong. */
function identityOf(value: unknown, entry: KindReader): { namespace: string; name: string } | undefined {
  const meta = isRecord(value) ? value['metadata'] : undefined;
  if (!isRecord(meta)) return undefined;
  const { name } = meta;
  const namespace = entry.namespaced ? (meta['namespace'] ?? DEFAULT_NAMESPACE) : '';
  if (typeof name !== 'string' || !isObjectName(name) || typeof namespace !== 'string') return undefined;
  return { namespace, name };
}

function ignored(
  value: Readonly<Record<string, unknown>>,
  apiVersion: string,
  kind: string,
  locate: LocateField,
): ObjectReading {
  const meta = value['metadata'];
  const name = isRecord(meta) && typeof meta['name'] === 'string' ? meta['name'] : '';
  const note: ManifestProblem = {
    severity: 'note',
    object: `${kind} ${name}`.trimEnd(),
    field: '',
    reason: `${apiVersion} ${kind} is not used by the mesh`,
    position: locate([]),
  };
  return { kind: 'ignored', note };
}

function refusedDocument(path: FieldPath, reason: string, locate: LocateField): ObjectReading {
  const field = formatFieldPath(path);
  return {
    kind: 'refused',
    key: undefined,
    problems: [{ severity: 'error', object: '', field, reason, position: locate(path) }],
  };
}
