import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { InboundConnection } from '../../../src/net/inbound-connection.ts';
import { NodeInboundConnection } from '../../../src/net/inbound-connection.ts';
import { listenTcp } from '../../../src/net/tcp-listener.ts';

const SRC = join(import.meta.dirname, '../../../src');

/** Runs a module in a process of its own, with few descriptors, and returns what it prints as JSON. */
function runAlone(program: string) {
  const flags = ['--input-type=module', '--disable-warning=ExperimentalWarning'];
  const command = ['-c', 'ulimit -n 100; exec "$0" "$@"', process.execPath, ...flags, '-e', program];
  const env = { ...process.env, NODE_TEST_CONTEXT: '' };
  return JSON.parse(execFileSync('sh', command, { encoding: 'utf8', timeout: 10_000, env }));
}

/** Listens with so many descriptors left, then has them all back; says whether anything still listens. */
const STARVED = `
  import { closeSync, openSync } from 'node:fs';
  import { connect } from 'node:net';
  import { listenTcp } from '${SRC}/net/tcp-listener.ts';
  import { closeFd, localEndpoint, openTcpSocket } from '${SRC}/native/sockets.ts';
  const asked = { family: 4, bind: { address: '127.0.0.1', port: 0 }, reusePort: true, listenBacklog: 1 };
  const reserved = openTcpSocket(asked);
  const endpoint = localEndpoint(reserved);
  const codes = [];
  for (const left of [0, 1]) {
    const used = [];
    try { for (;;) used.push(openSync('/dev/null', 'r')); } catch {}
    for (let count = 0; count < left; count++) closeSync(used.pop());
    const listening = listenTcp({ endpoint, reusePort: true }, { onConnection: () => undefined });
    codes.push(await listening.then(() => 'listens', (error) => error.code));
    for (const fd of used) closeSync(fd);
  }
  closeFd(reserved);
  const socket = connect(endpoint.port, endpoint.address);
  const answer = await new Promise((resolve) => {
    socket.on('connect', () => resolve('connected'));
    socket.on('error', (error) => resolve(error.code));
  });
  console.log(JSON.stringify({ codes, answer }));
  process.exit();
`;

/** Three clients wait when accepting begins, and the handler of the first fails: before or after it decided. */
const DEFECT = (fails: string) => `
  import { once } from 'node:events';
  import { connect } from 'node:net';
  import { listenTcp } from '${SRC}/net/tcp-listener.ts';
  const heard = [];
  process.on('uncaughtException', (error) => heard.push(error.message));
  let count = 0;
  const onConnection = (connection) => {
    count += 1;
    if (count === 1) { ${fails} }
    connection.open().end('served');
  };
  const listener = await listenTcp({ endpoint: { address: '127.0.0.1', port: 0 } }, { onConnection });
  listener.pause();
  const answers = [];
  for (let client = 0; client < 3; client++) {
    const socket = connect(listener.endpoint.port, '127.0.0.1');
    let text = '';
    socket.on('data', (chunk) => { text += chunk; });
    answers.push(new Promise((resolve) => socket.on('close', () => resolve(text))));
    await once(socket, 'connect');
  }
  listener.resume();
  const texts = await Promise.all(answers);
  console.log(JSON.stringify({ texts, heard }));
  process.exit();
`;

async function read(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  await once(socket, 'close');
  return Buffer.concat(chunks).toString();
}

/** Answers with what was read in capitals, through a reused buffer. */
function shout(connection: InboundConnection): void {
  const socket: Socket = connection.open({
    buffer: Buffer.alloc(4),
    callback: (bytes, into) => {
      socket.write(Buffer.from(into.subarray(0, bytes)).toString().toUpperCase());
      return true;
    },
  });
  socket.on('end', () => socket.end());
}

describe('listenTcp', () => {
  it('hands out connections with their addresses, that read into a reused buffer', async () => {
    const seen: InboundConnection[] = [];
    const listener = await listenTcp(
      { endpoint: { address: '127.0.0.1', port: 0 }, noDelay: true },
      {
        onConnection: (connection) => {
          seen.push(connection);
          shout(connection);
        },
      },
    );
    const client = connect(listener.endpoint.port, '127.0.0.1');
    client.end('hello world');
    assert.equal(await read(client), 'HELLO WORLD');
    assert.deepEqual(seen[0]?.local, listener.endpoint);
    assert.deepEqual(seen[0]?.originalDestination, listener.endpoint);
    listener.close();
  });

  it('gives accepted connections the options of a stream', async () => {
    const keepAlive = { idleSec: 100, intervalSec: 50, probes: 3 };
    const listener = await listenTcp(
      { endpoint: { address: '127.0.0.1', port: 0 }, noDelay: true, keepAlive, userTimeoutMs: 250_000 },
      { onConnection: shout },
    );
    const client = connect(listener.endpoint.port, '127.0.0.1');
    await once(client, 'connect');
    const asked = ['-Htno', 'state', 'established', `sport = :${listener.endpoint.port}`];
    const shown = execFileSync('ss', asked, { encoding: 'utf8' });
    assert.match(shown, /timer:\(keepalive,1min(?:39|40)/);
    client.destroy();
    listener.close();
  });

  it('closes a rejected connection', async () => {
    const listener = await listenTcp(
      { endpoint: { address: '::1', port: 0 } },
      { onConnection: (connection) => connection.reject() },
    );
    assert.equal(await read(connect(listener.endpoint.port, '::1')), '');
    listener.close();
  });

  it('fails when the address is taken', async () => {
    const listener = await listenTcp(
      { endpoint: { address: '127.0.0.1', port: 0 } },
      { onConnection: () => undefined },
    );
    await assert.rejects(listenTcp({ endpoint: listener.endpoint }, { onConnection: () => undefined }), {
      code: 'NATIVE_ADDRESS_IN_USE',
    });
    listener.close();
  });

  it('leaves nothing behind that listens when descriptors run out', () => {
    assert.deepEqual(runAlone(STARVED), { codes: ['NATIVE_NO_DESCRIPTORS', 'LISTEN_FAILED'], answer: 'ECONNREFUSED' });
  });

  for (const [when, fails] of [
    ['before it decided', `throw new Error('a defect');`],
    ['after it rejected', `connection.reject(); throw new Error('a defect');`],
    ['after it opened', `connection.open().end(); throw new Error('a defect');`],
  ] as const) {
    it(`serves the others when the handler of one connection fails ${when}, and has the defect heard of`, () => {
      assert.deepEqual(runAlone(DEFECT(fails)), { texts: ['', 'served', 'served'], heard: ['a defect'] });
    });
  }
});

describe('NodeInboundConnection', () => {
  it('behaves like a connection of the addon', async () => {
    const server = createServer({ allowHalfOpen: true }, (socket) => shout(new NodeInboundConnection(socket)));
    server.listen(0, '::');
    await once(server, 'listening');
    const address = server.address();
    const client = connect(typeof address === 'object' && address ? address.port : 0, '127.0.0.1');
    client.end('hello world');
    assert.equal(await read(client), 'HELLO WORLD');
    server.close();
  });
});
