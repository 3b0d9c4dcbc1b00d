/** Pods of the memory bench on a cluster: programs that answer and call, alone or with a sidecar each. */
import { sidecarConfig } from './sidecar-config.ts';

export const NAMESPACE = 'bench-memory';
const APP_PORT = 8080;
/** Of sidecars, which share the network of their node: three for each pod. */
const FIRST_PORT = 20_000;

/** What the programs do: answer 1 KB, and call an address so often a second on one connection. */
const PROGRAM = `
const http = require('node:http');
const [port, url, host, perSecond] = process.argv.slice(1);
http.createServer((_, response) => response.end('a'.repeat(1024))).listen(Number(port));
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const call = () => http.get(url, { agent, headers: { host } }, (response) => response.resume()).on('error', () => undefined);
if (Number(perSecond) > 0) setInterval(call, 1000 / Number(perSecond));
`;

export interface ClusterSize {
  readonly node: string;
  readonly pods: number;
  readonly services: number;
  readonly callsPerSec: number;
}

interface Program {
  readonly port: number;
  readonly url: string;
  readonly host: string;
  readonly callsPerSec: number;
}

function program({ port, url, host, callsPerSec }: Program): object {
  const command = ['node', '-e', PROGRAM, String(port), url, host, String(callsPerSec)];
  return { name: 'main', image: 'ambit-bench-envoy:1', imagePullPolicy: 'Never', command };
}

function deployed(name: string, node: string, spec: object): object {
  const labels = { app: name };
  const template = {
    metadata: { labels },
    spec: { nodeName: node, terminationGracePeriodSeconds: 0, ...spec },
  };
  const metadata = { name, namespace: NAMESPACE };
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { selector: { matchLabels: labels }, template } };
}

const target = (pod: number, { pods, services }: ClusterSize) => ((pod + 1) % pods) % services;

/** Each calls the service of its neighbour. */
export function plainPods(size: ClusterSize): object[] {
  const { node, pods, services, callsPerSec } = size;
  const serviceObjects = Array.from({ length: services }, (_, index) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: `s${index}`, namespace: NAMESPACE },
    spec: { selector: { app: `p${index % pods}` }, ports: [{ name: 'http', port: 80, targetPort: APP_PORT }] },
  }));
  const podObjects = Array.from({ length: pods }, (_, pod) => {
    const host = `s${target(pod, size)}`;
    return deployed(`p${pod}`, node, {
      containers: [program({ port: APP_PORT, url: `http://${host}/`, host, callsPerSec })],
    });
  });
  return [...serviceObjects, ...podObjects];
}

interface MeshService {
  readonly name: string;
  readonly endpointPort: number;
}

const outboundPort = (pod: number) => FIRST_PORT + 3 * pod;

/** Each calls the service of its neighbour through its own sidecar, whose configuration has all services. */
export function podsWithSidecars(size: ClusterSize, tls: { readonly ca: string; readonly leaf: string }): object[] {
  const { pods, services } = size;
  const mesh = Array.from({ length: services }, (_, index) => ({
    name: `s${index}`,
    endpointPort: outboundPort(index % pods) + 1,
  }));
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'tls', namespace: NAMESPACE },
    stringData: { 'ca.pem': tls.ca, 'leaf.pem': tls.leaf },
  };
  return [secret, ...Array.from({ length: pods }, (_, pod) => podWithSidecar(pod, size, mesh)).flat()];
}

function podWithSidecar(pod: number, size: ClusterSize, services: readonly MeshService[]): object[] {
  const outbound = outboundPort(pod);
  const ports = { outboundPort: outbound, inboundPort: outbound + 1, applicationPort: outbound + 2 };
  const config = sidecarConfig({ ...ports, services, ca: '/tls/ca.pem', leaf: '/tls/leaf.pem' });
  const name = `sidecar-${pod}`;
  const url = `http://127.0.0.1:${outbound}/`;
  const host = `s${target(pod, size)}.bench`;
  const application = program({ port: ports.applicationPort, url, host, callsPerSec: size.callsPerSec });
  const volumes = [
    { name: 'config', configMap: { name } },
    { name: 'tls', secret: { secretName: 'tls' } },
  ];
  return [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: NAMESPACE }, data: { 'envoy.json': config } },
    deployed(`p${pod}`, size.node, { hostNetwork: true, containers: [application, SIDECAR], volumes }),
  ];
}

const SIDECAR = {
  name: 'envoy',
  image: 'ambit-bench-envoy:1',
  imagePullPolicy: 'Never',
  command: ['envoy', '--concurrency', '1', '--disable-hot-restart', '-l', 'off', '-c', '/config/envoy.json'],
  volumeMounts: [
    { name: 'config', mountPath: '/config' },
    { name: 'tls', mountPath: '/tls' },
  ],
};
