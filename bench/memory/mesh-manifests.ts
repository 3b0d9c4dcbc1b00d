/** The objects of the memory bench in `ambit up`: a namespace with a waypoint, its services, and pods that only sleep. */
import type { LocalMesh } from '../../test/helpers/local-mesh.ts';
import type { NodeSize } from './measure.ts';

export const POD_PORT = 8080;
const NAMESPACE = 'bench';
const FIRST_SLEEP_SEC = 10_000_000;

/** So long a pod sleeps, which names it in its process. */
export function sleepSec(pod: number): number {
  return FIRST_SLEEP_SEC + pod;
}

export function writeManifests(mesh: LocalMesh, { pods, services }: NodeSize): void {
  mesh.write('mesh.yaml', ...WAYPOINT, ...Array.from({ length: services }, (_, index) => service(index, pods)));
  mesh.write('pods.yaml', ...Array.from({ length: pods }, (_, index) => pod(index)));
}

const WAYPOINT = [
  {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: NAMESPACE, labels: { 'istio.io/dataplane-mode': 'ambient', 'istio.io/use-waypoint': 'gate' } },
  },
  {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name: 'gate', namespace: NAMESPACE },
    spec: { gatewayClassName: 'istio-waypoint', listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }] },
  },
];

function service(index: number, pods: number): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: `s${index}`, namespace: NAMESPACE },
    spec: { selector: { app: `p${index % pods}` }, ports: [{ name: 'http', port: 80, targetPort: POD_PORT }] },
  };
}

function pod(index: number): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `p${index}`, namespace: NAMESPACE, labels: { app: `p${index}` } },
    spec: { containers: [{ name: 'main', image: 'none', command: ['sleep', String(sleepSec(index))] }] },
  };
}
