/** Pods of the size that an API server sends: about 9 KB. */

type Fields = Record<string, unknown> & { readonly metadata: Record<string, unknown> };

const PODS_PER_NODE = 50;
/** Half of a pod that an API server sends is who wrote which of its fields: about 5 KB, as on a real cluster. */
const MANAGED_FIELDS = ['kube-controller-manager', 'kubelet', 'ambit'].map((manager) => ({
  manager,
  operation: 'Update',
  apiVersion: 'v1',
  time: '2026-01-01T00:00:00Z',
  fieldsType: 'FieldsV1',
  fieldsV1: Object.fromEntries(
    Array.from({ length: 24 }, (_, index) => [`f:field-${manager}-${index}`, { '.': {}, 'f:name': {}, 'f:value': {} }]),
  ),
}));
const ENVIRONMENT = Array.from({ length: 30 }, (_, index) => ({
  name: `A_VARIABLE_OF_THE_PROGRAM_${index}`,
  value: `https://service-${index}.example.svc.cluster.local:8443/path`,
}));

const CONDITIONS = ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled'];

/** A pod as kubelets and controllers leave it behind. @param ip empty: not yet */
export function realisticPod(number: number, ip: string): Fields {
  const app = `app-${number % 200}`;
  return { metadata: metadata(number, app), spec: spec(number, app), status: status(ip) };
}

export function addressOf(number: number): string {
  return `10.${128 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
}

function metadata(number: number, app: string): Record<string, unknown> {
  return {
    name: `${app}-7d4b9c8f6d-${number}`,
    namespace: `ns-${number % 20}`,
    uid: `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`,
    labels: { app, 'pod-template-hash': '7d4b9c8f6d', version: 'v1', 'app.kubernetes.io/name': app },
    annotations: { 'ambient.istio.io/redirection': 'enabled', 'prometheus.io/scrape': 'true' },
    managedFields: MANAGED_FIELDS,
    ownerReferences: [
      { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `${app}-7d4b9c8f6d`, uid: 'r', controller: true },
    ],
  };
}

function spec(number: number, app: string): object {
  return {
    nodeName: `node-${Math.floor(number / PODS_PER_NODE)}`,
    serviceAccountName: app,
    containers: [
      {
        name: 'main',
        image: `registry.example/${app}:1.2.3`,
        ports: [{ containerPort: 8080, name: 'http' }],
        env: ENVIRONMENT,
      },
    ],
  };
}

function status(ip: string): object {
  return {
    phase: ip === '' ? 'Pending' : 'Running',
    conditions: CONDITIONS.map((type) => ({ type, status: ip === '' ? 'False' : 'True' })),
    ...(ip === '' ? {} : { podIP: ip, podIPs: [{ ip }], hostIP: '10.0.0.1' }),
  };
}
