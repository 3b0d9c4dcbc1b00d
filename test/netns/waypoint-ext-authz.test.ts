/** External authorizers of CUSTOM policies, as real programs in pods of `ambit up`, asked by HTTP and by gRPC. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually } from '../helpers/eventually.ts';
import { LocalMesh } from '../helpers/local-mesh.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const GENERATED = fileURLToPath(new URL('../../src/proto/gen/ext_authz.ts', import.meta.url));

/** Port 8080 says what it saw of a request; port 9000 sends back what it gets. */
const SITE = `
require('http').createServer(async (req, res) => {
  let body = '';
  for await (const chunk of req) body += chunk;
  res.end([req.method, req.url, req.headers['x-user'], req.headers['x-secret'], body].join());
}).listen(8080, '::');
require('net').createServer((s) => s.pipe(s).on('error', () => 0)).listen(9000, '::');`;

/** Allows who says "please", in a header or in the body, and tells the others what it saw. */
const HTTP_AUTHORIZER = `
require('http').createServer(async (req, res) => {
  let body = '';
  for await (const chunk of req) body += chunk;
  if (req.headers['x-word'] === 'wait') return;
  const allowed = req.headers['x-word'] === 'please' || body.includes('please');
  res.writeHead(allowed ? 200 : 401, { 'x-user': 'kim', 'x-seen': 'http', 'content-type': 'text/x-denial', 'www-authenticate': 'Word' });
  res.end([req.method, req.url, req.headers.host, req.headers['x-from'], req.headers['x-other'], body.slice(0, 100), req.headers['x-envoy-auth-partial-body']].join());
}).listen(8000, '::');`;

/** The same by the gRPC library; connections are allowed to port 90 alone. */
const GRPC_AUTHORIZER = `
const grpc = require(require.resolve('@grpc/grpc-js', { paths: [${JSON.stringify(ROOT)}] }));
const option = (key, value) => ({ header: { key, value, rawValue: Buffer.alloc(0) }, append: undefined, appendAction: 0 });
const check = ({ request: { attributes } }, done) => {
  const http = attributes.request.http;
  const { principal } = attributes.source;
  const allowed = http ? http.headers.get('x-word') === 'please' : attributes.destination.address.socketAddress.portValue === 90;
  if (allowed) return done(null, { status: { code: 0, message: '' }, httpResponse: { $case: 'okResponse', okResponse: {
    headers: [option('x-user', principal)], headersToRemove: ['x-secret'], responseHeadersToAdd: [option('x-seen', 'grpc')] } } });
  done(null, { status: { code: 7, message: '' }, httpResponse: { $case: 'deniedResponse', deniedResponse: {
    status: { code: 418 }, headers: [option('x-seen', 'grpc')], body: [http?.method, http?.path, http?.host].join() } } });
};
import(${JSON.stringify(GENERATED)}).then(({ AuthorizationService }) => {
  const server = new grpc.Server();
  server.addService(AuthorizationService, { check });
  server.bindAsync('[::]:9000', grpc.ServerCredentials.createInsecure(), () => 0);
});`;

/** Sends pieces of a body, each so many times. Prints status, body or its size, and what the authorizer adds to the answer. */
const ASK = `
const [url, headers, pieces] = process.argv.slice(1);
const body = JSON.parse(pieces).map(([text, times]) => text.repeat(times)).join('');
const method = body === '' ? 'GET' : 'POST';
fetch(url, { method, headers: JSON.parse(headers), body: body || undefined }).then(async (r) => {
  const text = await r.text();
  console.log(r.status, r.headers.get('x-seen'), r.headers.get('content-type'), text.length > 1000 ? text.length : text);
}).catch((e) => console.log('failed', e.cause?.code ?? e.message));`;

/** Asks, and goes away after a while. */
const LEAVE = `
const req = require('http').get(process.argv[1], { headers: { 'x-word': 'wait' } });
req.on('error', () => 0);
setTimeout(() => req.destroy(), 500);`;

/** Sends bytes to a port of the site and prints what comes back. */
const BYTES = `
const s = require('net').connect(Number(process.argv[1]), 'site', () => s.end('hello'));
let answer = '';
s.on('data', (d) => answer += d).on('error', (e) => answer = e.code).on('close', () => console.log(answer || 'nothing'));`;

const ambient = { 'istio.io/dataplane-mode': 'ambient' };
const namespaces = [
  { name: 'web', labels: { ...ambient, 'istio.io/use-waypoint': 'gate' } },
  { name: 'auth', labels: ambient },
].map((metadata) => ({ apiVersion: 'v1', kind: 'Namespace', metadata }));
const gateway = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'Gateway',
  metadata: { name: 'gate', namespace: 'web' },
  spec: { gatewayClassName: 'istio-waypoint', listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }] },
};

function service(name: string, namespace: string, ports: readonly object[]): object {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace }, spec: { selector: { app: name }, ports } };
}

const services = [
  service('site', 'web', [
    { name: 'http', port: 80, targetPort: 8080 },
    { name: 'tcp-yes', port: 90, targetPort: 9000 },
    { name: 'tcp-no', port: 91, targetPort: 9000 },
  ]),
  service('by-http', 'auth', [{ name: 'http', port: 8000 }]),
  service('by-grpc', 'auth', [{ name: 'grpc', port: 9000 }]),
];

function pod(name: string, namespace: string, command: readonly string[], port?: number): object {
  const readinessProbe = port === undefined ? undefined : { tcpSocket: { port }, periodSeconds: 1 };
  const containers = [{ name: 'main', image: 'none', command, ...(readinessProbe && { readinessProbe }) }];
  const metadata = { name, namespace, labels: { app: name } };
  const nodeName = namespace === 'auth' ? 'node2' : 'node1';
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { serviceAccountName: name, nodeName, containers } };
}

const authorizers = [
  pod('by-http', 'auth', ['node', '-e', HTTP_AUTHORIZER], 8000),
  pod('by-grpc', 'auth', [process.execPath, '-e', GRPC_AUTHORIZER], 9000),
];

const HTTP_PROVIDER = {
  service: 'auth/by-http.auth.svc.cluster.local',
  port: 8000,
  pathPrefix: '/check',
  includeRequestHeadersInCheck: ['x-word'],
  includeAdditionalHeadersInCheck: { 'x-from': 'mesh' },
  headersToUpstreamOnAllow: ['x-user'],
  headersToDownstreamOnAllow: ['x-seen'],
};
const GRPC_PROVIDER = { service: 'by-grpc.auth.svc.cluster.local', port: 9000 };

function meshConfig(http: object = {}, grpc: object = {}): object {
  const extensionProviders = [
    { name: 'by-http', envoyExtAuthzHttp: { ...HTTP_PROVIDER, ...http } },
    { name: 'by-grpc', envoyExtAuthzGrpc: { ...GRPC_PROVIDER, ...grpc } },
  ];
  const metadata = { name: 'istio', namespace: 'istio-system' };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { mesh: JSON.stringify({ extensionProviders }) } };
}

function custom(provider: string, operation: object = { paths: ['/private*'] }): object {
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name: 'ask', namespace: 'web' },
    spec: {
      targetRefs: [{ group: '', kind: 'Service', name: 'site' }],
      action: 'CUSTOM',
      provider: { name: provider },
      rules: [{ to: [{ operation }] }],
    },
  };
}

describe('CUSTOM authorization at a waypoint', { timeout: 110_000 }, () => {
  const mesh = new LocalMesh();
  const inClient = async (script: string, ...args: readonly string[]) => {
    const { stdout, stderr } = await mesh.exec('client', '-n', 'web', '--', 'node', '-e', script, ...args);
    return `${stdout}${stderr}`.trim();
  };
  const ask = (path: string, headers: object = {}, ...pieces: readonly (readonly [text: string, times: number])[]) =>
    inClient(ASK, `http://site${path}`, JSON.stringify(headers), JSON.stringify(pieces));
  const please = { 'x-word': 'please', 'x-user': 'forged', 'x-secret': 's' };
  const bytes = (port: number) => inClient(BYTES, String(port));
  const log = () => mesh.log(/_gate-/);
  const settledLog = () => mesh.settledLog(/_gate-/);

  before(async () => {
    mesh.write('mesh.yaml', ...namespaces, gateway, ...services);
    mesh.write('authorizers.yaml', ...authorizers);
    mesh.write(
      'pods.yaml',
      pod('site', 'web', ['node', '-e', SITE], 8080),
      pod('client', 'web', ['sleep', 'infinity']),
    );
    await mesh.up(5, '--nodes', '2');
    await eventually('an answer', async () => (await ask('/')).startsWith('200'));
  });
  after(() => mesh[Symbol.asyncDispose]());

  it('refuses what it matches as long as nobody knows the provider', async () => {
    mesh.write('policy.yaml', custom('by-http'));
    await eventually('the policy', async () => (await ask('/private')).startsWith('403'));
    assert.match(await ask('/private', please), /^403 .* RBAC: access denied$/);
    assert.match(await ask('/open'), /^200 /);
    assert.match(
      await settledLog(),
      /response_code_details=\S*ns\[web\]-policy\[ask\]-rule\[0\]-deny-due-to-bad-CUSTOM-action/,
    );
    assert.match(await settledLog(), /an external authorizer cannot be asked.*by-http.*no such extension provider/);
  });

  it('asks by HTTP, and changes the request and its answer as configured', async () => {
    mesh.write('config.yaml', meshConfig());
    await eventually('the provider', async () => (await ask('/private?a=b', please)).startsWith('200'));
    assert.equal(await ask('/private?a=b', please), '200 http null GET,/private?a=b,kim,s,');
    assert.equal(await ask('/open', please), '200 null null GET,/open,forged,s,', 'nobody is asked about the rest');
  });

  it('gives the client the answer of the authorizer when it denies', async () => {
    const answer = await ask('/private/x', { 'x-other': 'o' });
    assert.equal(answer, '401 http text/x-denial GET,/check/private/x,site,mesh,,,');
    assert.match(
      await settledLog(),
      /response_code=401 response_flags="?UAEX"? response_code_details="?ext_authz_denied/,
    );
  });

  it('asks with the body, and passes it on afterwards', async () => {
    mesh.write('config.yaml', meshConfig({ includeRequestBodyInCheck: { maxRequestBytes: 20 } }));
    await eventually('bodies', async () => (await ask('/private', {}, ['please let me in', 1])).startsWith('200'));
    assert.equal(
      await ask('/private', {}, ['please let me in', 1]),
      '200 http null POST,/private,kim,,please let me in',
    );
    assert.match(
      await ask('/private', {}, ['no', 1]),
      /^401 http text\/x-denial POST,\/check\/private,site,mesh,,no,false$/,
    );
    assert.match(await ask('/private', {}, ['please', 100]), /^413 .* Payload Too Large$/);
    const partial = { maxRequestBytes: 20, allowPartialMessage: true };
    mesh.write('config.yaml', meshConfig({ includeRequestBodyInCheck: partial }));
    await eventually('beginnings', async () => (await ask('/private', {}, ['please', 100_000])).startsWith('200'));
    const answer = 'POST,/private,kim,,'.length + 600_000;
    assert.equal(await ask('/private', {}, ['please', 100_000]), `200 http null ${answer}`);
    assert.match(await ask('/private', {}, ['x', 100]), /^401 .*,x{20},true$/);
    mesh.write('config.yaml', meshConfig({ includeRequestBodyInCheck: { maxRequestBytes: 3_000_000 } }));
    const late = () => ask('/private', {}, ['x', 2_500_000], ['please', 1]);
    await eventually('long bodies', async () => (await late()).startsWith('200'));
  });

  it('is over when its client goes away, and when its time is', async () => {
    mesh.write('config.yaml', meshConfig({ timeout: '1s', statusOnError: '503' }));
    await eventually('the timeout', async () => (await ask('/private', { 'x-word': 'wait' })).startsWith('503'));
    assert.match(
      await settledLog(),
      /response_code=503 response_flags="?UAEX"? response_code_details="?ext_authz_error/,
    );
    await inClient(LEAVE, 'http://site/private/leave');
    await eventually('the log', () => /private\/leave.*downstream_remote_disconnect/.test(log()));
  });

  it('counts for policies, and for the choice of the route only if told so', async () => {
    const http = [
      { match: [{ headers: { 'x-user': { exact: 'kim' } } }], directResponse: { status: 222 } },
      { route: [{ destination: { host: 'site' } }] },
    ];
    const metadata = { name: 'by-user', namespace: 'web' };
    const routes = {
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata,
      spec: { hosts: ['site'], http },
    };
    mesh.write('config.yaml', meshConfig());
    mesh.write('routes.yaml', routes);
    await eventually('the routes', async () => (await ask('/open', { 'x-user': 'kim' })).startsWith('222'));
    assert.match(await ask('/private', { 'x-word': 'please' }), /^200 /);
    mesh.write('config.yaml', meshConfig({ clearRouteCache: true }));
    await eventually('the other route', async () => (await ask('/private', { 'x-word': 'please' })).startsWith('222'));
    const when = [{ key: 'request.headers[x-user]', values: ['kim'] }];
    const spec = { targetRefs: [{ group: '', kind: 'Service', name: 'site' }], action: 'DENY', rules: [{ when }] };
    const deny = { ...custom('by-http'), metadata: { name: 'no-kim', namespace: 'web' }, spec };
    mesh.write('deny.yaml', deny);
    await eventually('the denial', async () => (await ask('/private', { 'x-word': 'please' })).startsWith('403'));
    for (const file of ['routes.yaml', 'deny.yaml']) mesh.remove(file);
    await eventually('as before', async () => (await ask('/private', { 'x-word': 'please' })).startsWith('200'));
  });

  it('asks by gRPC about requests', async () => {
    mesh.write('config.yaml', meshConfig());
    mesh.write('policy.yaml', custom('by-grpc'));
    const allowed = '200 grpc null GET,/private,spiffe://cluster.local/ns/web/sa/client,,';
    await eventually('the other provider', async () => (await ask('/private', please)) === allowed);
    assert.equal(await ask('/private?x'), '418 grpc text/plain GET,/private?x,site');
  });

  it('asks by gRPC about connections that are not HTTP, and not by HTTP', async () => {
    mesh.write('policy.yaml', custom('by-grpc', { ports: ['90', '91'] }));
    await eventually('the policy', async () => (await bytes(91)) !== 'hello');
    assert.equal(await bytes(90), 'hello');
    assert.match(await settledLog(), /policy rejection: ext_authz_denied/);
    mesh.write('policy.yaml', custom('by-http', { ports: ['90', '91'] }));
    await eventually('no question', async () => (await bytes(91)) === 'hello');
  });

  it('reaches the authorizers through tunnels of the mesh', async () => {
    assert.match(
      await mesh.settledLog(/ztunnel/),
      /src.identity="spiffe:\/\/cluster.local\/ns\/web\/sa\/gate"[^\n]*by-(grpc|http)/,
    );
  });

  it('refuses while the authorizer is gone, or lets pass if told so, and asks no more without the policy', async () => {
    mesh.write('policy.yaml', custom('by-http'));
    await eventually('the policy', async () => (await ask('/private')).startsWith('401'));
    mesh.remove('authorizers.yaml');
    await eventually('nobody to ask', async () => (await ask('/private', please)).startsWith('403'));
    assert.equal(await ask('/private', please), '403 null null');
    mesh.write('config.yaml', meshConfig({ failOpen: true }));
    await eventually('fail open', async () => (await ask('/private')).startsWith('200'));
    mesh.write('config.yaml', meshConfig());
    await eventually('fail closed', async () => (await ask('/private')).startsWith('403'));
    mesh.remove('policy.yaml');
    await eventually('free', async () => (await ask('/private')).startsWith('200'));
  });
});
