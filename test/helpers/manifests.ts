/** Manifest text for tests: small, valid, ordinary Kubernetes YAML. */

/** A YAML document from an object; JSON is YAML. */
export function document(object: unknown): string {
  return `---\n${JSON.stringify(object)}\n`;
}

export interface PodFields {
  readonly name: string;
  readonly namespace?: string;
  readonly ip?: string;
  readonly ips?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly node?: string;
  readonly serviceAccount?: string;
  readonly uid?: string;
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number; readonly protocol?: string }[];
  readonly phase?: string;
  readonly ready?: boolean;
  readonly hostNetwork?: boolean;
  readonly deleting?: boolean;
  readonly owners?: readonly { readonly kind: string; readonly name: string; readonly controller?: boolean }[];
}

/** A Pod that is in the mesh and running. */
export function pod(fields: PodFields): Record<string, unknown> {
  const ips = fields.ips ?? (fields.ip === undefined ? [] : [fields.ip]);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: fields.name,
      namespace: fields.namespace ?? 'demo',
      labels: fields.labels ?? { app: fields.name },
      annotations: fields.annotations ?? { 'ambient.istio.io/redirection': 'enabled' },
      ...(fields.uid === undefined ? {} : { uid: fields.uid }),
      ...(fields.deleting ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
      ...(fields.owners === undefined ? {} : { ownerReferences: fields.owners }),
    },
    spec: {
      nodeName: fields.node ?? 'node-a',
      serviceAccountName: fields.serviceAccount ?? fields.name,
      ...(fields.hostNetwork ? { hostNetwork: true } : {}),
      containers: [{ name: 'main', image: 'none', ports: fields.ports ?? [] }],
    },
    status: {
      phase: fields.phase ?? 'Running',
      ...(ips[0] === undefined ? {} : { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) }),
      conditions: [{ type: 'Ready', status: (fields.ready ?? true) ? 'True' : 'False' }],
    },
  };
}

/** A Service over `app: <name>`, port 80 to 8080 unless the spec says otherwise. */
export function service(name: string, spec: Record<string, unknown> = {}, meta: Record<string, unknown> = {}): unknown {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'demo', ...meta },
    spec: { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 8080 }], ...spec },
  };
}

/** Any namespaced object. */
export function object(
  apiVersion: string,
  kind: string,
  name: string,
  spec: unknown,
  meta: Record<string, unknown> = {},
): Record<string, unknown> {
  return { apiVersion, kind, metadata: { name, namespace: 'demo', ...meta }, spec };
}

/** An AuthorizationPolicy. */
export function authorizationPolicy(
  name: string,
  spec: unknown,
  meta: Record<string, unknown> = {},
): Record<string, unknown> {
  return object('security.istio.io/v1', 'AuthorizationPolicy', name, spec, meta);
}

/** A PeerAuthentication. */
export function peerAuthentication(
  name: string,
  spec: unknown,
  meta: Record<string, unknown> = {},
): Record<string, unknown> {
  return object('security.istio.io/v1', 'PeerAuthentication', name, spec, meta);
}
