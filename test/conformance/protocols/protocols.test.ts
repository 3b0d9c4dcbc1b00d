/**
 * What others say that a proxy of HTTP/2, gRPC and WebSocket has to do, through a waypoint of `ambit up`: h2spec, the interop
 * client and server of gRPC for Go. PROTOCOL_TOOLS names the folder of their programs (scripts/conformance/protocols.sh).
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../../helpers/eventually.ts';
import { LocalMesh } from '../../helpers/local-mesh.ts';

const TOOLS = process.env['PROTOCOL_TOOLS'] ?? '';
const GRPC_CASES = [
  'empty_unary',
  'large_unary',
  'client_streaming',
  'server_streaming',
  'ping_pong',
  'empty_stream',
  'timeout_on_sleeping_server',
  'cancel_after_begin',
  'cancel_after_first_response',
  'status_code_and_message',
  'special_status_message',
  'custom_metadata',
  'unimplemented_method',
  'unimplemented_service',
];

/**
 * All sections of h2spec but these cases: `generic/3.10/2`, in which h2spec itself fails when a newer Go built it;
 * `http2/3.5/2`, as what does not begin like HTTP/2 is taken for HTTP/1 and answered so; `http2/4.2/3`, which assumes the
 * default frame size where a larger one was offered; `http2/5.3.1`, which RFC 9113 dropped with all of priorities.
 */
const SPECS = [
  ...['1', '2', '3.1', '3.2', '3.3', '3.4', '3.5', '3.7', '3.8', '3.9', '3.10/1', '4', '5'].map(
    (one) => `generic/${one}`,
  ),
  ...['3.5/1', '4.1', '4.2/1', '4.2/2', '4.3', '5.1', '5.4.1', '5.5', '6', '7', '8'].map((one) => `http2/${one}`),
  'hpack',
];

const SERVER = `require('http2').createServer().on('stream', (stream) => {
  stream.on('error', () => 0).resume();
  stream.respond({ ':status': 200 });
  stream.end('hello');
}).listen(8081, '::');`;

/** Echoes WebSocket messages as they come, and closes with the code that it was closed with (RFC 6455). */
const WEBSOCKETS = `
const frame = (opcode, payload) => {
  const long = payload.length > 65535, medium = payload.length > 125;
  const head = Buffer.alloc(long ? 10 : medium ? 4 : 2);
  head[0] = 0x80 | opcode;
  head[1] = long ? 127 : medium ? 126 : payload.length;
  if (long) head.writeBigUInt64BE(BigInt(payload.length), 2); else if (medium) head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, payload]);
};
require('http').createServer().on('upgrade', (req, socket) => {
  const accept = require('crypto').createHash('sha1').update(req.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
  socket.write('HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\nSec-WebSocket-Accept: ' + accept + '\\r\\n\\r\\n');
  let held = Buffer.alloc(0);
  socket.on('error', () => 0).on('data', (data) => {
    held = Buffer.concat([held, data]);
    for (;;) {
      if (held.length < 2) return;
      let length = held[1] & 127, at = 2;
      if (length === 126) { if (held.length < 4) return; length = held.readUInt16BE(2); at = 4; }
      else if (length === 127) { if (held.length < 10) return; length = Number(held.readBigUInt64BE(2)); at = 10; }
      if (held.length < at + 4 + length) return;
      const mask = held.subarray(at, at + 4), payload = Buffer.from(held.subarray(at + 4, at + 4 + length));
      for (let index = 0; index < length; index++) payload[index] ^= mask[index % 4];
      const opcode = held[0] & 15;
      held = held.subarray(at + 4 + length);
      socket.write(frame(opcode, payload));
      if (opcode === 8) return socket.end();
    }
  });
}).listen(8082, '::');`;

/** Sends messages of many sizes, one after the other and all at once; prints how many came back as they went, and the close. */
const WEBSOCKET_CLIENT = `
const sizes = [0, 1, 125, 126, 127, 128, 65535, 65536, 65537, 1000000];
const socket = new WebSocket('ws://chat/');
socket.binaryType = 'arraybuffer';
const next = () => new Promise((resolve) => socket.addEventListener('message', ({ data }) => resolve(data), { once: true }));
const same = (a, b) => typeof a === 'string' ? a === b : Buffer.compare(Buffer.from(a), Buffer.from(b)) === 0;
let good = 0;
socket.onopen = async () => {
  for (const size of sizes) for (const message of ['\u00e4'.repeat(size), new Uint8Array(size).fill(size)]) {
    const answer = next();
    socket.send(message);
    if (same(message, await answer)) good++;
  }
  let burst = 0;
  const all = new Promise((resolve) => { socket.onmessage = ({ data }) => { if (data !== 'm' + burst++) return resolve(); if (burst === 500) resolve(); }; });
  for (let index = 0; index < 500; index++) socket.send('m' + index);
  await all;
  socket.onclose = ({ code, wasClean }) => { console.log(good, burst, code, wasClean); process.exit(); };
  socket.close(4001, 'enough');
};
socket.onerror = () => { console.log('failed'); process.exit(); };`;

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

function service(name: string, port: number, targetPort: number, protocol = 'http2'): object {
  const ports = [{ name: protocol, port, targetPort }];
  const metadata = { name, namespace: 'web' };
  return { apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: { app: name }, ports } };
}

function pod(name: string, nodeName: string, command: readonly string[], port?: number): object {
  const readinessProbe = port === undefined ? undefined : { tcpSocket: { port }, periodSeconds: 1 };
  const containers = [{ name: 'main', image: 'none', command, ...(readinessProbe && { readinessProbe }) }];
  const metadata = { name, namespace: 'web', labels: { app: name } };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { nodeName, containers } };
}

describe('protocols through a waypoint', { timeout: 300_000 }, () => {
  const mesh = new LocalMesh();
  const run = (...command: string[]) => mesh.exec('client', '-n', 'web', '--', ...command);

  before(async () => {
    assert.notEqual(TOOLS, '', 'PROTOCOL_TOOLS names no folder');
    mesh.write(
      'mesh.yaml',
      namespace,
      gateway,
      service('site', 80, 8081),
      service('interop', 90, 10_000),
      service('chat', 80, 8082, 'http'),
    );
    mesh.write(
      'pods.yaml',
      pod('client', 'node1', ['sleep', 'infinity']),
      pod('site', 'node2', ['node', '-e', SERVER], 8081),
      pod('chat', 'node2', ['node', '-e', WEBSOCKETS], 8082),
      pod('interop', 'node2', [`${TOOLS}/grpc-server`, '--port', '10000'], 10_000),
    );
    await mesh.up(5, '--nodes', '2');
    await eventually(
      'an answer',
      async () => (await run('curl', '-s', '--http2-prior-knowledge', 'http://site/')).stdout === 'hello',
    );
  });
  after(() => mesh[Symbol.asyncDispose]());

  it('keeps every rule of HTTP/2 that h2spec knows', async (context) => {
    const { stdout, stderr, status } = await run(
      `${TOOLS}/h2spec`,
      '--host',
      'site',
      '--port',
      '80',
      '--timeout',
      '3',
      ...SPECS,
    );
    const summary = /\d+ tests, .*$/m.exec(stdout)?.[0] ?? 'it did not come to its end';
    context.diagnostic(summary);
    assert.equal(status, 0, `${summary}\n${failures(stdout)}\n${stderr}`);
  });

  it('carries WebSocket messages of every size, many at once, and the close with its code', async () => {
    assert.equal((await run('node', '-e', WEBSOCKET_CLIENT)).stdout.trim(), '20 500 4001 true');
  });

  for (const name of GRPC_CASES) {
    it(`carries gRPC: ${name}`, async () => {
      const args = ['--server_host', 'interop', '--server_port', '90', '--test_case', name];
      const { status, stderr } = await run(`${TOOLS}/grpc-client`, ...args);
      assert.equal(status, 0, stderr);
    });
  }
});

/** The part of the output that names what failed. */
function failures(output: string): string {
  const at = output.indexOf('Failures:');
  return at < 0 ? '' : output.slice(at);
}
