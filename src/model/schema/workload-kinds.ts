/** The kinds of networking.istio.io that bring services and workloads into the mesh (facts l7-and-control 6.2, 6.3). */
import { AGE, type KindSchema, statusSchema, WORKLOAD_LABELS } from './kind-schema.ts';
import { count, integer, list, map, nonEmptyText, object, oneOf, port, text } from './schema.ts';

const GROUP = 'networking.istio.io';
const VERSIONS = ['v1', 'v1beta1', 'v1alpha3'];
const MAX_HOSTS = 256;

const ENDPOINT_FIELDS = {
  address: { type: 'string', maxLength: 256 },
  ports: map(port, { maxEntries: 128 }),
  labels: map(text, { maxEntries: 256 }),
  network: { type: 'string', maxLength: 2048 },
  locality: { type: 'string', maxLength: 2048 },
  weight: count,
  serviceAccount: { type: 'string', maxLength: 253 },
} as const;
const HOSTS_COLUMN = {
  name: 'Hosts',
  type: 'string',
  path: '.spec.hosts',
  description: 'The names that it is about',
} as const;

export const SERVICE_ENTRY_KIND: KindSchema = {
  group: GROUP,
  kind: 'ServiceEntry',
  plural: 'serviceentries',
  singular: 'serviceentry',
  shortNames: ['se'],
  versions: VERSIONS,
  columns: [
    HOSTS_COLUMN,
    { name: 'Location', type: 'string', path: '.spec.location', description: 'Inside or outside of the mesh' },
    { name: 'Resolution', type: 'string', path: '.spec.resolution', description: 'How endpoints are found' },
    AGE,
  ],
  spec: object(
    {
      hosts: list(nonEmptyText, { minItems: 1, maxItems: MAX_HOSTS }),
      addresses: list({ type: 'string', maxLength: 64 }, { maxItems: MAX_HOSTS }),
      ports: list(
        object(
          { number: port, name: nonEmptyText, protocol: text, targetPort: port },
          { required: ['number', 'name'] },
        ),
        { maxItems: MAX_HOSTS },
      ),
      location: oneOf('MESH_EXTERNAL', 'MESH_INTERNAL'),
      resolution: oneOf('NONE', 'STATIC', 'DNS', 'DNS_ROUND_ROBIN', 'DYNAMIC_DNS'),
      endpoints: list(object(ENDPOINT_FIELDS), { maxItems: 4096 }),
      workloadSelector: WORKLOAD_LABELS,
      exportTo: list(text),
      subjectAltNames: list(nonEmptyText),
    },
    {
      required: ['hosts'],
      atMostOne: [['endpoints', 'workloadSelector']],
      description: 'A service that Kubernetes does not know.',
    },
  ),
  status: statusSchema({ addresses: list(object({ value: text, host: text })) }),
};

export const WORKLOAD_ENTRY_KIND: KindSchema = {
  group: GROUP,
  kind: 'WorkloadEntry',
  plural: 'workloadentries',
  singular: 'workloadentry',
  shortNames: ['we'],
  versions: VERSIONS,
  columns: [AGE, { name: 'Address', type: 'string', path: '.spec.address', description: 'Where the workload is' }],
  spec: object(ENDPOINT_FIELDS, { description: 'A workload that is no pod.' }),
  status: statusSchema(),
};

const PROBE = object(
  {
    initialDelaySeconds: integer,
    timeoutSeconds: { type: 'integer', minimum: 0 },
    periodSeconds: { type: 'integer', minimum: 0 },
    successThreshold: { type: 'integer', minimum: 0 },
    failureThreshold: { type: 'integer', minimum: 0 },
    httpGet: object(
      { path: text, port, host: text, scheme: text, httpHeaders: list(object({ name: text, value: text })) },
      { required: ['port'] },
    ),
    tcpSocket: object({ host: text, port }, { required: ['port'] }),
    exec: object({ command: list(text) }, { required: ['command'] }),
    grpc: object({ port, service: text }),
  },
  { atMostOne: [['httpGet', 'tcpSocket', 'exec', 'grpc']] },
);

export const WORKLOAD_GROUP_KIND: KindSchema = {
  group: GROUP,
  kind: 'WorkloadGroup',
  plural: 'workloadgroups',
  singular: 'workloadgroup',
  shortNames: ['wg'],
  versions: VERSIONS,
  columns: [AGE],
  spec: object(
    {
      metadata: object({ labels: map(text), annotations: map(text) }),
      template: object(ENDPOINT_FIELDS),
      probe: PROBE,
    },
    { required: ['template'], description: 'What the entries of a group of machines have in common.' },
  ),
  status: statusSchema(),
};
