/** Programs and objects with which tests show what routes do, in `ambit up` and on a cluster alike. */

export const ROUTES_NS = 'shop';

/** Answers with its own name, what it saw, and as the query says: `fail=3&id=x` fails the first three calls of x. */
export const ROUTES_SERVER = `
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
export const ASK_ONCE = `
const [url, method, headers, body] = process.argv.slice(1);
fetch(url, { method, headers: JSON.parse(headers), body: body || undefined, redirect: 'manual' }).then(async (r) =>
  console.log(JSON.stringify({ status: r.status, headers: Object.fromEntries(r.headers), body: await r.text() }))
).catch((e) => console.log(JSON.stringify({ status: 0, headers: {}, body: String(e.cause?.code ?? e) })));`;

/** Asks many times over kept connections; prints how often each status and body came, and the slow ones. */
export const ASK_MANY = `
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

/** The VirtualService of `reviews`. @param version of its API */
export function virtualService(http: readonly object[], version = 'v1', hosts = ['reviews']): object {
  return {
    apiVersion: `networking.istio.io/${version}`,
    kind: 'VirtualService',
    metadata: { name: 'reviews', namespace: ROUTES_NS },
    spec: { hosts, http },
  };
}

/** The DestinationRule of `reviews`. */
export function destinationRule(spec: object, version = 'v1'): object {
  return {
    apiVersion: `networking.istio.io/${version}`,
    kind: 'DestinationRule',
    metadata: { name: 'reviews', namespace: ROUTES_NS },
    spec: { host: 'reviews', ...spec },
  };
}

/** What ASK_ONCE prints. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What ASK_MANY prints. */
export interface Counts {
  readonly seen: Readonly<Record<string, number>>;
  readonly slow: number;
}

/** `v1` and `v2` by the label `version`. */
export const SUBSETS = {
  subsets: [
    { name: 'v1', labels: { version: 'v1' } },
    { name: 'v2', labels: { version: 'v2' } },
  ],
};
/** A destination of a route. */
export const to = (host: string, more: object = {}) => ({ destination: { host, ...more } });
