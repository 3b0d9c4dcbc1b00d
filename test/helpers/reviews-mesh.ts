/**
 * A mesh of `ambit up` with services behind a waypoint, for tests of what it does with requests: `reviews` in two versions,
 * a `watcher`, and `places` in two zones. Clients are in the same namespace, and in one of their own.
 */
import assert from 'node:assert/strict';
import { eventually } from './eventually.ts';
import { LocalMesh } from './local-mesh.ts';
import { type Answer, ASK_MANY, ASK_ONCE, type Counts, ROUTES_SERVER } from './route-objects.ts';

const namespace = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'shop', labels: { 'istio.io/dataplane-mode': 'ambient', 'istio.io/use-waypoint': 'gate' } },
};
const guests = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'guests', labels: { 'istio.io/dataplane-mode': 'ambient' } },
};
const gateway = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'Gateway',
  metadata: { name: 'gate', namespace: 'shop' },
  spec: { gatewayClassName: 'istio-waypoint', listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }] },
};

export function service(name: string, selector: Record<string, string>): object {
  const ports = [{ name: 'http', port: 80, targetPort: 8080 }];
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'shop' }, spec: { selector, ports } };
}

const IDLE = ['sleep', 'infinity'];

function pod(
  name: string,
  labels: Record<string, string>,
  node: string,
  command: readonly string[],
  ofNamespace = 'shop',
): object {
  const readinessProbe = command === IDLE ? undefined : { tcpSocket: { port: 8080 }, periodSeconds: 1 };
  const containers = [{ name: 'main', image: 'none', command, ...(readinessProbe && { readinessProbe }) }];
  const metadata = { name, namespace: ofNamespace, labels };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { nodeName: node, containers } };
}

export function httpRoute(rules: readonly object[]): object {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: 'reviews', namespace: 'shop' },
    spec: { parentRefs: [{ group: '', kind: 'Service', name: 'reviews' }], rules },
  };
}

export class ReviewsMesh {
  readonly mesh = new LocalMesh();
  readonly #inClient = (script: string, ...args: readonly string[]) => this.#inPod('client', 'shop', script, ...args);
  readonly #inPod = async (name: string, of: string, script: string, ...args: readonly string[]) => {
    const { stdout, stderr } = await this.mesh.exec(name, '-n', of, '--', 'node', '-e', script, ...args);
    assert.equal(stderr.trim(), '');
    return stdout.trim();
  };
  readonly ask = async (path: string, { method = 'GET', headers = {}, body = '', host = 'reviews' } = {}) =>
    JSON.parse(
      await this.#inClient(ASK_ONCE, `http://${host}${path}`, method, JSON.stringify(headers), body),
    ) as Answer;
  /** What a client of another namespace is answered. */
  readonly askAsGuest = async (path: string) =>
    JSON.parse(await this.#inPod('guest', 'guests', ASK_ONCE, `http://reviews.shop${path}`, 'GET', '{}', '')) as Answer;
  readonly many = async (count: number, path = '/', headers = {}) =>
    JSON.parse(
      await this.#inClient(ASK_MANY, `http://reviews${path}`, String(count), JSON.stringify(headers)),
    ) as Counts;
  readonly seenBy = ({ headers }: Answer) =>
    JSON.parse(headers['x-seen'] ?? '{}') as { path: string; headers: Record<string, string>; body: string };
  /** The first answer without a session that comes from this version. */
  readonly firstOf = async (version: string, path: string) => {
    let answer = await this.ask(path);
    await eventually(`an answer of ${version}`, async () => {
      answer = await this.ask(path);
      return answer.body === version;
    });
    return answer;
  };
  /** Writes the objects, and waits until a request with this path is answered as wanted. */
  readonly inForce = async (path: string, wanted: (answer: Answer) => boolean, ...objects: readonly object[]) => {
    this.mesh.write('routes.yaml', ...objects);
    await eventually('the routes', async () => wanted(await this.ask(path)));
  };
  /** A direct response on a path of its own tells that the objects of this test are in force. */
  readonly marker = (name: string) => ({
    match: [{ uri: { exact: `/${name}` } }],
    directResponse: { status: 200, body: { string: name } },
  });
  readonly marked = (name: string, ...objects: readonly object[]) =>
    this.inForce(`/${name}`, ({ body }) => body === name, ...objects);

  /** Starts it; ready when it answers. */
  async up(): Promise<void> {
    this.mesh.write(
      'mesh.yaml',
      namespace,
      guests,
      gateway,
      service('reviews', { app: 'reviews' }),
      service('reviews-v2', { app: 'reviews', version: 'v2' }),
      service('watcher', { app: 'watcher' }),
      service('places', { app: 'places' }),
      service('place1', { app: 'places', place: 'place1' }),
      service('place2', { app: 'places', place: 'place2' }),
    );
    const server = (name: string) => ['node', '-e', ROUTES_SERVER, name];
    this.mesh.write(
      'pods.yaml',
      pod('reviews-v1', { app: 'reviews', version: 'v1' }, 'node2', server('v1')),
      pod('reviews-v2', { app: 'reviews', version: 'v2' }, 'node2', server('v2')),
      pod('watcher', { app: 'watcher' }, 'node2', server('watcher')),
      pod('place1', { app: 'places', place: 'place1' }, 'node1', server('place1')),
      pod('place2', { app: 'places', place: 'place2' }, 'node2', server('place2')),
      pod('client', { app: 'client' }, 'node1', IDLE),
      pod('guest', { app: 'guest' }, 'node1', IDLE, 'guests'),
    );
    await this.mesh.up(8, '--nodes', '2');
    await eventually('an answer', async () => (await this.ask('/')).status === 200);
  }
}
