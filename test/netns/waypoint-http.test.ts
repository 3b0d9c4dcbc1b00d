/** HTTP through a waypoint of `ambit up`, between programs that know nothing of it. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../helpers/eventually.ts';
import { LocalMesh } from '../helpers/local-mesh.ts';

/** Port 8080 speaks HTTP/1.1 and ends idle connections soon; port 8081 speaks HTTP/2 and sends trailers. */
const SERVER = `
const { createHash } = require('crypto');
const hash = (stream) => new Promise((resolve) => {
  const sum = createHash('sha256');
  let bytes = 0;
  stream.on('data', (chunk) => { sum.update(chunk); bytes += chunk.length; }).on('end', () => resolve(bytes + ' ' + sum.digest('hex')));
});
require('http').createServer({ keepAliveTimeout: 50 }, async (req, res) => {
  if (req.url === '/die') { res.writeHead(200, { 'content-length': 1000 }); res.write('half'); return setTimeout(() => res.destroy(), 50); }
  if (req.url === '/reset') return req.socket.resetAndDestroy();
  if (req.url === '/never') return;
  if (req.url === '/big') { res.writeHead(200); return res.end(Buffer.alloc(6000000, 'x')); }
  if (req.url === '/early') { res.writeHead(413); return res.end('too much'); }
  if (req.url === '/who') return res.end(req.headers['x-forwarded-for'] + ' ' + req.headers['x-forwarded-client-cert']);
  const sum = await hash(req);
  res.setHeader('x-seen', [req.headers['x-forwarded-proto'], !!req.headers['x-request-id'], req.headers['x-forwarded-client-cert']].join());
  res.end(req.method + ' ' + req.url + ' ' + sum);
}).on('upgrade', (req, socket) => {
  socket.write('HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n\\r\\nwelcome ');
  socket.pipe(socket);
}).listen(8080, '::');
require('http2').createServer().on('stream', async (stream, headers) => {
  const sum = await hash(stream);
  stream.respond({ ':status': 200 }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(headers[':path'] + ' ' + sum);
}).listen(8081, '::');`;

/** Asks by HTTP/1.1: prints status, what the server saw, and the body or its size. */
const ASK = `
const [method, url, bytes] = process.argv.slice(1);
const headers = { 'x-forwarded-client-cert': 'By=me' };
fetch(url, { method, headers, body: bytes ? Buffer.alloc(Number(bytes), 'y') : undefined }).then(async (r) => {
  const text = await r.text();
  console.log(r.status, r.headers.get('server'), r.headers.get('x-seen'), text.length > 200 ? text.length : text);
}).catch((e) => console.log('failed', e.cause?.code ?? e.message));`;

/** Asks by HTTP/2, several requests at once on one connection; prints the bodies with their trailers. */
const ASK2 = `
const client = require('http2').connect(process.argv[1]);
client.on('error', (e) => console.log('failed', e.code));
const once = (path) => new Promise((resolve) => {
  const stream = client.request({ ':method': 'POST', ':path': path });
  let text = '', trailers;
  stream.on('trailers', (t) => trailers = t['grpc-status']).on('data', (d) => text += d).on('close', () => resolve(text + ' ' + trailers)).on('error', (e) => text = e.code);
  stream.end(Buffer.alloc(100000, 'z'));
});
Promise.all(['/a', '/b', '/c'].map(once)).then((all) => { console.log(all.join('|')); client.close(); });`;

/**
 * Sends HTTP/2 requests at once, given as JSON: headers, and `bytes` of a body. Prints each status, with the size of the
 * body, in the order of the requests; `none` for those without an answer.
 */
const MANY2 = `
const [url, ...texts] = process.argv.slice(1);
const client = require('http2').connect(url);
client.on('error', (e) => console.log('failed', e.code));
const once = (text) => new Promise((resolve) => {
  const { bytes = 0, ...headers } = JSON.parse(text);
  const stream = client.request(headers, { endStream: bytes === 0 });
  let status = 'none', size = 0;
  stream.on('response', (h) => status = h[':status']).on('data', (d) => size += d.length).on('error', () => 0);
  stream.on('end', () => resolve(status + ' ' + size));
  setTimeout(() => resolve(status + ' ' + size), 5000).unref();
  if (bytes > 0) stream.write(Buffer.alloc(bytes, 'q'));
});
Promise.all(texts.map(once)).then((all) => { console.log(all.join('|')); client.destroy(); });`;

/** Sends bytes as they are and prints what comes back until the server is silent for a while. */
const RAW = `
const [port, ...texts] = process.argv.slice(1);
const s = require('net').connect(Number(port), 'site');
let answer = '';
s.on('data', (d) => answer += d).on('error', (e) => answer += e.code);
(async () => {
  for (const text of texts) { s.write(JSON.parse(text)); await new Promise((r) => setTimeout(r, 400)); }
  console.log(answer.replaceAll('\\r\\n', ';'));
  s.destroy();
})();`;

const namespace = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'web', labels: { 'istio.io/dataplane-mode': 'ambient', 'istio.io/use-waypoint': 'gate' } },
};
const gateway = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'Gateway',
  metadata: { name: 'gate', namespace: 'web' },
  spec: { gatewayClassName: 'istio-waypoint', listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }] },
};
const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'site', namespace: 'web' },
  spec: {
    selector: { app: 'site' },
    ports: [
      { name: 'http', port: 80, targetPort: 8080 },
      { name: 'grpc', port: 81, targetPort: 8081 },
    ],
  },
};

function pod(name: string, node: string, command: readonly string[]): object {
  const readinessProbe = name === 'site' ? { tcpSocket: { port: 8081 }, periodSeconds: 1 } : undefined;
  const containers = [{ name: 'main', image: 'none', command, ...(readinessProbe && { readinessProbe }) }];
  const metadata = { name, namespace: 'web', labels: { app: name } };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { serviceAccountName: name, nodeName: node, containers } };
}

function policy(name: string, spec: object): object {
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name, namespace: 'web' },
    spec: { targetRefs: [{ group: '', kind: 'Service', name: 'site' }], ...spec },
  };
}

describe('HTTP through a waypoint', { timeout: 110_000 }, () => {
  const mesh = new LocalMesh();
  const inClient = async (script: string, ...args: readonly string[]) => {
    const { stdout, stderr } = await mesh.exec('client', '-n', 'web', '--', 'node', '-e', script, ...args);
    return `${stdout}${stderr}`.trim();
  };
  const ask = (method: string, path: string, bytes = '') => inClient(ASK, method, `http://site${path}`, bytes);

  /** How many connections the server has. */
  const openConnections = async () => {
    const { stdout } = await mesh.exec(
      'site',
      '-n',
      'web',
      '--',
      'ss',
      '-Htn',
      'state',
      'established',
      'sport = :8080',
    );
    return stdout.split('\n').filter((line) => line !== '').length;
  };

  before(async () => {
    mesh.write('mesh.yaml', namespace, gateway, service);
    mesh.write(
      'pods.yaml',
      pod('site', 'node2', ['node', '-e', SERVER]),
      pod('client', 'node1', ['sleep', 'infinity']),
    );
    await mesh.up(3, '--nodes', '2');
    await eventually('an answer', async () => (await ask('GET', '/')).startsWith('200'));
  });
  after(() => mesh[Symbol.asyncDispose]());

  it('arrives whole, with what the waypoint adds and without what clients must not claim', async () => {
    const sum = '0 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
    assert.equal(await ask('GET', '/a?b=c'), `200 istio-envoy http,true, GET /a?b=c ${sum}`);
    assert.match(await mesh.settledLog(/_gate-/), /method="GET" path="\/a\?b=c" authority="site" response_code=200/);
    assert.match(await mesh.settledLog(/_gate-/), /src.identity="spiffe:\/\/cluster.local\/ns\/web\/sa\/client"/);
  });

  it('carries large bodies both ways', async () => {
    assert.match(await ask('POST', '/', '5000000'), /^200 .* POST \/ 5000000 /);
    assert.match(await ask('GET', '/big'), /^200 .* 6000000$/);
  });

  it('is asked again on another connection when the one kept open is gone', async () => {
    for (let call = 0; call < 8; call++) {
      assert.match(await ask('GET', `/${call}`), /^200 /);
    }
  });

  it('passes on an answer that comes before the request was read', async () => {
    assert.match(await ask('POST', '/early', '100000'), /^413 .* too much$/);
  });

  it('cuts an answer that breaks off, and answers for an endpoint that breaks off before', async () => {
    assert.match(await ask('GET', '/die'), /^failed/);
    assert.match(await ask('POST', '/reset', '10'), /^503 istio-envoy .*upstream connect error or disconnect\/reset/);
  });

  it('speaks HTTP/2 with trailers, many requests on one connection', async () => {
    const answer = await inClient(ASK2, 'http://site:81');
    assert.equal(answer.split('|').length, 3, answer);
    for (const [index, one] of answer.split('|').entries()) {
      assert.match(one, new RegExp(`^/${'abc'[index]} 100000 [0-9a-f]{64} 0$`));
    }
  });

  it('speaks HTTP/2 to a service that has only HTTP/1.1', async () => {
    const answer = await inClient(ASK2, 'http://site:80');
    for (const [index, one] of answer.split('|').entries()) {
      assert.match(one, new RegExp(`^POST /${'abc'[index]} 100000 [0-9a-f]{64} undefined$`));
    }
  });

  it('turns into a tunnel after an upgrade', async () => {
    const head = 'GET /ws HTTP/1.1\r\nHost: site\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
    const answer = await inClient(RAW, '80', JSON.stringify(head), JSON.stringify('hello'), JSON.stringify(' again'));
    assert.match(answer, /^HTTP\/1.1 101 .*;;welcome hello again$/);
  });

  it('is recognised however slowly it comes, and told when it is none', async () => {
    const pieces = ['GE', 'T /slow HT', 'TP/1.1\r\nHost: site\r\n', '\r\n'].map((piece) => JSON.stringify(piece));
    assert.match(await inClient(RAW, '80', ...pieces), /^HTTP\/1.1 200 OK;.*GET \/slow 0 /);
    assert.match(await inClient(RAW, '80', JSON.stringify('what is this?\r\n\r\n')), /^HTTP\/1.1 400 /);
  });

  it('means one path by all its spellings, for policy and for the endpoint', async () => {
    const rules = [{ to: [{ operation: { paths: ['/private*'] } }] }];
    mesh.write('policy.yaml', policy('no', { action: 'DENY', rules }));
    const asked = (path: string) => inClient(RAW, '80', JSON.stringify(`GET ${path} HTTP/1.1\r\nHost: site\r\n\r\n`));
    await eventually('the policy', async () => (await asked('/private')).startsWith('HTTP/1.1 403'));
    for (const path of ['/%70rivate', '/a/../private', '/a/%2e%2e/private', '\\private'.replace('\\', '/x/..\\')]) {
      assert.match(await asked(path), /^HTTP\/1.1 403 /, path);
    }
    assert.match(await asked('/a/./%62'), /^HTTP\/1.1 200 .*GET \/a\/b 0 /);
    assert.match(await asked('/%00'), /^HTTP\/1.1 400 /);
    mesh.remove('policy.yaml');
    await eventually('free again', async () => (await asked('/private')).startsWith('HTTP/1.1 200'));
  });

  it('gives an endpoint no more HTTP/2 requests at a time than it takes, and fails none', async () => {
    const requests = Array.from({ length: 90 }, (_, index) => JSON.stringify({ ':path': `/n${index}` }));
    const clients = Array.from({ length: 4 }, () => inClient(MANY2, 'http://site:81', ...requests));
    const answers = (await Promise.all(clients)).flatMap((text) => text.split('|'));
    assert.deepEqual([answers.length, answers.filter((one) => !one.startsWith('200 '))], [360, []]);
  });

  it('is for whom the endpoint would see it, however the client says so', async () => {
    const rules = [{ to: [{ operation: { hosts: ['secret*'] } }] }, { to: [{ operation: { paths: ['/no*'] } }] }];
    mesh.write('policy.yaml', policy('no', { action: 'DENY', rules }));
    const asked = (...requests: readonly object[]) =>
      inClient(MANY2, 'http://site:80', ...requests.map((one) => JSON.stringify(one)));
    await eventually('the policy', async () => (await asked({ ':path': '/no' })).startsWith('403'));
    assert.match(await asked({ ':path': '/', ':authority': '', host: 'secret' }), /^(403|400) /);
    assert.match(await asked({ ':path': '/', host: 'secret' }), /^403 /);
    assert.match(await asked({ ':path': '/', ':authority': 'site', host: 'secret' }), /^200 /);
    assert.equal(await asked({ ':path': '/no', ':method': 'HEAD' }), '403 0', 'no body where none is expected');
    const uploads = Array.from({ length: 6 }, () => ({ ':path': '/no', ':method': 'POST', bytes: 900_000 }));
    const answers = await asked(...uploads, { ':path': '/yes' });
    assert.match(answers, /\|200 \d+$/, 'what is refused keeps nothing of the connection');
    mesh.remove('policy.yaml');
    await eventually('free again', async () => (await asked({ ':path': '/no' })).startsWith('200'));
  });

  it('ends with its client: nothing waits for an endpoint that does not answer', async () => {
    const before = await openConnections();
    const head = JSON.stringify('GET /never HTTP/1.1\r\nHost: site\r\n\r\n');
    await Promise.all(Array.from({ length: 10 }, () => inClient(RAW, '80', head)));
    await eventually('all gone', async () => (await openConnections()) <= before);
  });

  it('is judged request by request, and anew when a policy changes', async () => {
    const rules = [{ to: [{ operation: { methods: ['GET'], paths: ['/open*'] } }] }];
    mesh.write('policy.yaml', policy('open', { rules }));
    await eventually('the policy', async () => (await ask('GET', '/')).startsWith('403'));
    assert.equal(await ask('GET', '/'), '403 istio-envoy null RBAC: access denied');
    assert.match(await ask('GET', '/open/door'), /^200 /);
    assert.match(await ask('POST', '/open/door', '1'), /^403 /);
    const stranger = [{ from: [{ source: { notPrincipals: ['*/sa/client'] } }] }];
    mesh.write('policy.yaml', policy('open', { rules }), policy('no', { action: 'DENY', rules: stranger }));
    assert.match(await ask('GET', '/open/door'), /^200 /);
    mesh.remove('policy.yaml');
    await eventually('free again', async () => (await ask('POST', '/', '1')).startsWith('200'));
  });

  it('tells endpoints the IP of the client, and its identity where the Gateway asks for that', async () => {
    const who = async () => (await ask('GET', '/who')).replace('200 istio-envoy null ', '');
    assert.match(await who(), /^[0-9a-f.:]+ undefined$/);
    const annotations = { 'ambient.istio.io/xfcc-include-client-identity': 'true' };
    mesh.write('mesh.yaml', namespace, { ...gateway, metadata: { ...gateway.metadata, annotations } }, service);
    const identity = (account: string) => `spiffe://cluster.local/ns/web/sa/${account}`;
    const told = ` By=${identity('gate')};URI=${identity('client')}`;
    await eventually('the identity', async () => (await who()).endsWith(told));
  });
});
