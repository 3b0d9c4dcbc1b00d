/**
 * A mesh of `ambit up` with services behind a waypoint, for tests of what it does with requests: `reviews` in two versions,
 * a `watcher`, and `places` in two zones.
 */
import assert from 'node:assert/strict';
import { eventually } from './eventually.ts';
import { LocalMesh } from './local-mesh.ts';

/** Answers with its own name, what it saw, and as the query says: `fail=3&id=x` fails the first three calls of x. */
const SERVER = `
const name = process.argv[1];
const calls = new Map();
require('http').createServer((req, res) => {
  const url = new URL(req.url, 'http://x');
  const id = url.searchParams.get('id') ?? '';
  const seen = (calls.get(id) ?? 0) + 1;
  calls.set(id, seen);
  if (url.pathname === '/calls') return res.end(String((calls.get(url.searchParams.get('of')) ?? 0)));
  const status = seen <= Number(url.searchParams.get('fail') ?? 0) ? 503 : 200;
  let body = '';
  req.on('data', (d) => body += d).on('end', () => setTimeout(() => {
    res.writeHead(status, { 'x-seen': JSON.stringify({ path: req.url, headers: req.headers, body }) });
    res.end(name);
  }, Number(url.searchParams.get('delay') ?? 0)));
}).listen(8080, '::');`;

/** Asks once; prints status, headers and body as JSON. */
const ASK = `
const [url, method, headers, body] = process.argv.slice(1);
fetch(url, { method, headers: JSON.parse(headers), body: body || undefined, redirect: 'manual' }).then(async (r) =>
  console.log(JSON.stringify({ status: r.status, headers: Object.fromEntries(r.headers), body: await r.text() }))
).catch((e) => console.log(JSON.stringify({ status: 0, headers: {}, body: String(e.cause?.code ?? e) })));`;

/** Asks many times over kept connections; prints how often each status and body came, and the slow ones. */
const MANY = `
const [url, count, headers] = process.argv.slice(1);
const agent = new (require('http').Agent)({ keepAlive: true, maxSockets: 8 });
const seen = {};
let left = Number(count), slow = 0;
const one = () => new Promise((resolve) => {
  const start = performance.now();
  const done = (what) => { seen[what] = (seen[what] ?? 0) + 1; if (performance.now() - start > 280) slow++; resolve(); };
  require('http').get(url, { agent, headers: JSON.parse(headers) }, (res) => {
    let text = '';
    res.on('data', (d) => text += d).on('end', () => done(res.statusCode + ' ' + text)).on('error', (e) => done(e.code));
  }).on('error', (e) => done(e.code));
});
const worker = async () => { while (left-- > 0) await one(); };
Promise.all(Array.from({ length: 8 }, worker)).then(() => { console.log(JSON.stringify({ seen, slow })); agent.destroy(); });`;

const namespace = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'shop', labels: { 'istio.io/dataplane-mode': 'ambient', 'istio.io/use-waypoint': 'gate' } },
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

function pod(name: string, labels: Record<string, string>, node: string, command: readonly string[]): object {
  const readinessProbe = name === 'client' ? undefined : { tcpSocket: { port: 8080 }, periodSeconds: 1 };
  const containers = [{ name: 'main', image: 'none', command, ...(readinessProbe && { readinessProbe }) }];
  const metadata = { name, namespace: 'shop', labels };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { nodeName: node, containers } };
}

export function virtualService(http: readonly object[], version = 'v1', hosts = ['reviews']): object {
  return {
    apiVersion: `networking.istio.io/${version}`,
    kind: 'VirtualService',
    metadata: { name: 'reviews', namespace: 'shop' },
    spec: { hosts, http },
  };
}

export function destinationRule(spec: object, version = 'v1'): object {
  return {
    apiVersion: `networking.istio.io/${version}`,
    kind: 'DestinationRule',
    metadata: { name: 'reviews', namespace: 'shop' },
    spec: { host: 'reviews', ...spec },
  };
}

export function httpRoute(rules: readonly object[]): object {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: 'reviews', namespace: 'shop' },
    spec: { parentRefs: [{ group: '', kind: 'Service', name: 'reviews' }], rules },
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

interface Counts {
  readonly seen: Readonly<Record<string, number>>;
  readonly slow: number;
}

export const SUBSETS = {
  subsets: [
    { name: 'v1', labels: { version: 'v1' } },
    { name: 'v2', labels: { version: 'v2' } },
  ],
};
export const to = (host: string, more: object = {}) => ({ destination: { host, ...more } });

export class ReviewsMesh {
  readonly mesh = new LocalMesh();
  readonly #inClient = async (script: string, ...args: readonly string[]) => {
    const { stdout, stderr } = await this.mesh.exec('client', '-n', 'shop', '--', 'node', '-e', script, ...args);
    assert.equal(stderr.trim(), '');
    return stdout.trim();
  };
  readonly ask = async (path: string, { method = 'GET', headers = {}, body = '', host = 'reviews' } = {}) =>
    JSON.parse(await this.#inClient(ASK, `http://${host}${path}`, method, JSON.stringify(headers), body)) as Answer;
  readonly many = async (count: number, path = '/', headers = {}) =>
    JSON.parse(await this.#inClient(MANY, `http://reviews${path}`, String(count), JSON.stringify(headers))) as Counts;
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
      gateway,
      service('reviews', { app: 'reviews' }),
      service('reviews-v2', { app: 'reviews', version: 'v2' }),
      service('watcher', { app: 'watcher' }),
      service('places', { app: 'places' }),
      service('place1', { app: 'places', place: 'place1' }),
      service('place2', { app: 'places', place: 'place2' }),
    );
    const server = (name: string) => ['node', '-e', SERVER, name];
    this.mesh.write(
      'pods.yaml',
      pod('reviews-v1', { app: 'reviews', version: 'v1' }, 'node2', server('v1')),
      pod('reviews-v2', { app: 'reviews', version: 'v2' }, 'node2', server('v2')),
      pod('watcher', { app: 'watcher' }, 'node2', server('watcher')),
      pod('place1', { app: 'places', place: 'place1' }, 'node1', server('place1')),
      pod('place2', { app: 'places', place: 'place2' }, 'node2', server('place2')),
      pod('client', { app: 'client' }, 'node1', ['sleep', 'infinity']),
    );
    await this.mesh.up(7, '--nodes', '2');
    await eventually('an answer', async () => (await this.ask('/')).status === 200);
  }
}
