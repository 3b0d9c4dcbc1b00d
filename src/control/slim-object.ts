/** What is kept of an API object: with many pods, what nobody reads is most of the memory. */
import type { KubeMetadata, KubeObject } from '../kube/kube-object.ts';
import { fieldsOf, isRecord } from '../model/manifest/field-reader.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Nodes, namespaces: metadata only. */
export function slimToMetadata(object: KubeObject): KubeObject {
  return { apiVersion: object.apiVersion ?? '', kind: object.kind ?? '', metadata: slimMetadata(object.metadata) };
}

/**
 * Without metadata that only tools read, and of the status only addresses: conditions change without meaning anything
 * to the feed, not least when the control plane writes them itself.
 */
export function slimToSpec(object: KubeObject): KubeObject {
  const { apiVersion, kind, metadata, status, ...rest } = object;
  const kept = pick(fieldsOf(status), ['addresses', 'loadBalancer']);
  return {
    // Always in this order, so that equal objects have equal texts.
    apiVersion: apiVersion ?? '',
    kind: kind ?? '',
    metadata: slimMetadata(metadata),
    ...rest,
    ...(Object.keys(kept).length === 0 ? {} : { status: kept }),
  };
}

/** Addresses, readiness, ports, account and node of a pod. */
export function slimPod(object: KubeObject): KubeObject {
  const spec = fieldsOf(object['spec']);
  const status = fieldsOf(object['status']);
  return {
    ...slimToMetadata(object),
    spec: {
      ...pick(spec, ['nodeName', 'hostNetwork', 'serviceAccountName']),
      containers: listOf(spec['containers']).map((container) => pick(container, ['name', 'ports'])),
    },
    status: {
      ...pick(status, ['phase', 'podIP', 'podIPs']),
      conditions: listOf(status['conditions'])
        .filter(({ type }) => type === 'Ready')
        .map((condition) => pick(condition, ['type', 'status'])),
    },
  };
}

function slimMetadata(metadata: KubeMetadata): KubeMetadata {
  const { annotations } = metadata;
  return {
    name: metadata.name,
    ...pick(metadata, ['namespace', 'uid', 'creationTimestamp', 'deletionTimestamp', 'labels', 'ownerReferences']),
    ...(isRecord(annotations) ? { annotations: meshAnnotations(annotations) } : {}),
  };
}

/** Others are long (`last-applied-configuration`) or change often (leader records), and mean nothing to the mesh. */
function meshAnnotations(annotations: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(annotations).filter(([name]) => name.includes('istio.io/')));
}

function pick(fields: Fields, names: readonly string[]): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const name of names) if (fields[name] !== undefined) kept[name] = fields[name];
  return kept;
}

function listOf(value: unknown): Fields[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}
