/** gRPC-Web at a waypoint of `ambit up`: a client over HTTP/1.1, written by hand, and a server of gRPC. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually } from '../helpers/eventually.ts';
import { LocalMesh } from '../helpers/local-mesh.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Unary and streaming echo of texts; `fail` fails with details, `wait` sends one answer and then none for long. */
const SERVER = `
const grpc = require(require.resolve('@grpc/grpc-js', { paths: [${JSON.stringify(ROOT)}] }));
const bytes = { requestSerialize: (x) => x, requestDeserialize: (x) => x, responseSerialize: (x) => x, responseDeserialize: (x) => x };
const method = (name, responseStream) => ({ path: '/echo.Echo/' + name, requestStream: false, responseStream, ...bytes });
const server = new grpc.Server();
server.addService({ Say: method('Say', false), Repeat: method('Repeat', true) }, {
  Say: (call, done) => {
    const text = call.request.toString();
    if (text === 'fail') return done({ code: grpc.status.NOT_FOUND, details: 'no such thing, 100%' });
    if (text.length > 100000) return done(null, Buffer.from(String(text.length)));
    const trailers = new grpc.Metadata();
    trailers.set('x-sum', String(call.request.length));
    done(null, Buffer.from(text + ' with ' + call.metadata.get('x-own')), trailers);
  },
  Repeat: (call) => {
    const [text, times] = call.request.toString().split(' ');
    for (let at = 0; at < Number(times); at++) call.write(Buffer.from(text + at));
    if (text !== 'wait') call.end();
  },
});
server.bindAsync('[::]:9000', grpc.ServerCredentials.createInsecure(), () => 0);`;

/** Sends JSON of { path, method, headers, body in hex, or the size of a message in base64 }; prints JSON, or only the beginning where so many bytes are wanted. */
const ASK = `
const { path, method = 'POST', headers, body = '', size, wanted } = JSON.parse(process.argv[1]);
const request = require('http').request('http://echo:9000' + path, { method, headers }, (response) => {
  const chunks = [];
  const tell = () => {
    const { statusCode: status, headers, httpVersion } = response;
    console.log(JSON.stringify({ status, headers, httpVersion, body: Buffer.concat(chunks).toString('latin1') }));
    process.exit();
  };
  response.on('data', (chunk) => {
    chunks.push(chunk);
    if (wanted && Buffer.concat(chunks).length >= wanted) tell();
  });
  response.on('end', tell);
});
request.on('error', (error) => console.log(JSON.stringify({ status: 0, error: error.message })));
// In two pieces, so that base64 is cut somewhere.
const long = size && Buffer.alloc(size + 5, 'y').fill(0, 0, 1);
if (long) long.writeUInt32BE(size, 1);
const bytes = long ? Buffer.from(long.toString('base64')) : Buffer.from(body, 'hex');
if (bytes.length > 3) request.write(bytes.subarray(0, bytes.length - 3));
request.end(bytes.subarray(Math.max(0, bytes.length - 3)));`;

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

function service(portName: string): object {
  const ports = [{ name: portName, port: 9000 }];
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'echo', namespace: 'web' },
    spec: { selector: { app: 'echo' }, ports },
  };
}

function pod(name: string, command: readonly string[], port?: number): object {
  const readinessProbe = port && { tcpSocket: { port }, periodSeconds: 1 };
  const containers = [{ name: 'main', image: 'none', command, ...(readinessProbe && { readinessProbe }) }];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'web', labels: { app: name } },
    spec: { containers },
  };
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly httpVersion: string;
  readonly body: string;
}

interface Frame {
  readonly flags: number;
  readonly text: string;
}

function frameOf(text: string): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(Buffer.byteLength(text), 1);
  return Buffer.concat([header, Buffer.from(text)]);
}

function framesOf(body: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at < body.length; ) {
    const length = body.readUInt32BE(at + 1);
    frames.push({ flags: body[at] ?? 0, text: body.toString('utf8', at + 5, at + 5 + length) });
    at += 5 + length;
  }
  return frames;
}

/** Segments of base64, each with its padding. */
function fromBase64(text: string): Buffer {
  assert.match(text, /^(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)*$/);
  return Buffer.concat((text.match(/[A-Za-z0-9+/]+={0,2}/g) ?? []).map((segment) => Buffer.from(segment, 'base64')));
}

const trailersIn = ({ text }: Frame) =>
  Object.fromEntries(
    text
      .split('\r\n')
      .filter(Boolean)
      .map((line) => [line.split(':', 1)[0], line.slice(line.indexOf(':') + 1).trim()]),
  );

describe('gRPC-Web at a waypoint', { timeout: 110_000 }, () => {
  const mesh = new LocalMesh();
  const ask = async (request: object): Promise<Answer> => {
    const { stdout, stderr } = await mesh.exec('client', '-n', 'web', '--', 'node', '-e', ASK, JSON.stringify(request));
    assert.ok(stdout.startsWith('{'), `${stdout}${stderr}`);
    return JSON.parse(stdout);
  };
  const binary = (method: string, text: string, more: object = {}) =>
    ask({
      path: `/echo.Echo/${method}`,
      headers: { 'content-type': 'application/grpc-web+proto', 'x-own': 'a' },
      body: frameOf(text).toString('hex'),
      ...more,
    });
  const inText = (method: string, text: string, more: object = {}) =>
    ask({
      path: `/echo.Echo/${method}`,
      headers: { 'content-type': 'application/grpc-web-text', accept: 'application/grpc-web-text', 'x-own': 'b' },
      body: Buffer.from(frameOf(text).toString('base64')).toString('hex'),
      ...more,
    });

  before(async () => {
    mesh.write('mesh.yaml', namespace, gateway);
    mesh.write('echo.yaml', service('grpc-web'));
    mesh.write('pods.yaml', pod('echo', [process.execPath, '-e', SERVER], 9000), pod('client', ['sleep', 'infinity']));
    await mesh.up(3);
    await eventually(
      'an answer',
      async () => (await binary('Say', 'x')).headers['content-type'] === 'application/grpc-web+proto',
    );
  });
  after(() => mesh[Symbol.asyncDispose]());

  it('is gRPC for the endpoint, with trailers in the last frame of the answer', async () => {
    const { status, headers, httpVersion, body } = await binary('Say', 'hello');
    assert.deepEqual([status, httpVersion, headers['content-type']], [200, '1.1', 'application/grpc-web+proto']);
    const [message, last = assert.fail(), ...more] = framesOf(Buffer.from(body, 'latin1'));
    assert.deepEqual(message, { flags: 0, text: 'hello with a' });
    assert.deepEqual([last.flags, more], [0x80, []]);
    assert.deepEqual(trailersIn(last), { 'grpc-status': '0', 'grpc-message': 'OK', 'x-sum': '5' });
  });

  it('is taken from base64, and answered in it', async () => {
    for (const text of ['hello', 'hello!', 'hello!!', 'é'.repeat(5_000)]) {
      const { headers, body } = await inText('Say', text);
      assert.equal(headers['content-type'], 'application/grpc-web-text+proto');
      const [message, last = assert.fail()] = framesOf(fromBase64(body));
      assert.deepEqual(message, { flags: 0, text: `${text} with b` });
      assert.equal(trailersIn(last)['grpc-status'], '0');
    }
  });

  it('is taken from base64 that is longer than every window', async () => {
    const { body } = await inText('Say', '', { size: 3_000_000 });
    assert.equal(framesOf(fromBase64(body))[0]?.text, '3000000');
  });

  it('streams answers', async () => {
    for (const frames of [
      framesOf(Buffer.from((await binary('Repeat', 'a 500')).body, 'latin1')),
      framesOf(fromBase64((await inText('Repeat', 'a 500')).body)),
    ]) {
      assert.deepEqual(
        frames.slice(0, -1).map(({ text }) => text),
        Array.from({ length: 500 }, (_, at) => `a${at}`),
      );
      assert.equal(trailersIn(frames.at(-1) ?? assert.fail())['grpc-status'], '0');
    }
  });

  it('gives each message to the client before the next one comes', async () => {
    const { body } = await inText('Repeat', 'wait 1', { wanted: 16 });
    assert.deepEqual(framesOf(fromBase64(body)), [{ flags: 0, text: 'wait0' }]);
  });

  it('tells failures of the endpoint, and its own', async () => {
    const { status, headers, body } = await binary('Say', 'fail');
    const [last] = framesOf(Buffer.from(body, 'latin1'));
    const told: Readonly<Record<string, string | undefined>> = last === undefined ? headers : trailersIn(last);
    assert.deepEqual(
      [status, told['grpc-status'], decodeURIComponent(told['grpc-message'] ?? '')],
      [200, '5', 'no such thing, 100%'],
    );
    const unknown = await inText('Nothing', '');
    const frames = framesOf(fromBase64(unknown.body));
    assert.equal(frames[0] === undefined ? unknown.headers['grpc-status'] : trailersIn(frames[0])['grpc-status'], '12');
    const bad = await ask({
      path: '/echo.Echo/Say',
      headers: { 'content-type': 'application/grpc-web-text' },
      body: '21212121',
    });
    assert.deepEqual([bad.status, bad.headers['grpc-status']], [200, '13']);
    assert.match(bad.headers['grpc-message'] ?? '', /invalid base64/);
  });

  it('is refused in the form of gRPC, and allowed across origins, as any request', async () => {
    const metadata = { name: 'echo', namespace: 'web' };
    const targetRefs = [{ group: '', kind: 'Service', name: 'echo' }];
    const rules = [{ to: [{ operation: { paths: ['/echo.Echo/Say'] } }] }];
    mesh.write('policy.yaml', {
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata,
      spec: { targetRefs, action: 'DENY', rules },
    });
    await eventually('a refusal', async () => (await binary('Say', 'x')).headers['grpc-status'] === '7');
    const refused = await binary('Say', 'x');
    assert.deepEqual(
      [refused.status, refused.headers['content-type'], refused.headers['grpc-message'], refused.body],
      [200, 'application/grpc-web+proto', 'RBAC: access denied', ''],
    );
    mesh.remove('policy.yaml');
    const corsPolicy = {
      allowOrigins: [{ exact: 'http://site' }],
      allowMethods: ['POST'],
      allowHeaders: ['x-grpc-web'],
      exposeHeaders: ['grpc-status'],
    };
    const route = [{ destination: { host: 'echo', port: { number: 9000 } } }];
    mesh.write('routes.yaml', {
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata,
      spec: { hosts: ['echo'], http: [{ corsPolicy, route }] },
    });
    const preflight = {
      path: '/echo.Echo/Say',
      method: 'OPTIONS',
      headers: { origin: 'http://site', 'access-control-request-method': 'POST' },
    };
    await eventually(
      'CORS',
      async () => (await ask(preflight)).headers['access-control-allow-headers'] === 'x-grpc-web',
    );
    const headers = { 'content-type': 'application/grpc-web', origin: 'http://site' };
    const marked = await binary('Say', 'x', { headers });
    assert.deepEqual(
      [
        marked.headers['access-control-allow-origin'],
        marked.headers['access-control-expose-headers'],
        framesOf(Buffer.from(marked.body, 'latin1')).length,
      ],
      ['http://site', 'grpc-status', 2],
    );
    mesh.remove('routes.yaml');
    await eventually(
      'no CORS',
      async () => (await binary('Say', 'x', { headers })).headers['access-control-allow-origin'] === undefined,
    );
  });

  it('is nothing special on a port that does not say so, nor are other requests on one that does', async () => {
    const other = await ask({ path: '/echo.Echo/Say', headers: { 'content-type': 'application/json' }, body: '7b7d' });
    assert.equal(other.status, 415);
    mesh.write('echo.yaml', service('grpc'));
    await eventually('no translation', async () => {
      return !(await binary('Say', 'x')).headers['content-type']?.startsWith('application/grpc-web');
    });
  });
});
