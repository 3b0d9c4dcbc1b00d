import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { connect, Socket } from 'node:net';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { Acceptor } from '../../../src/native/acceptor.ts';
import type { AcceptedRecord } from '../../../src/native/addon.ts';
import { closeFd, localEndpoint, openTcpSocket } from '../../../src/native/sockets.ts';
import { eventually } from '../../helpers/eventually.ts';
import { openDescriptors, openSocketCount } from '../../helpers/open-descriptors.ts';

function listen(address = '127.0.0.1') {
  const family = address.includes(':') ? 6 : 4;
  const fd = openTcpSocket({ family, bind: { address, port: 0 }, listenBacklog: 1024 });
  return { fd, port: localEndpoint(fd).port };
}

describe('Acceptor', () => {
  it('accepts 500 connections in batches and leaves no descriptor behind', async () => {
    const before = openSocketCount();
    const { fd, port } = listen();
    const batches: number[] = [];
    const servers: Socket[] = [];
    const acceptor = new Acceptor(
      fd,
      { maxBatch: 32 },
      {
        onAccept: (batch) => {
          batches.push(batch.length);
          for (const record of batch) {
            const socket = new Socket({ fd: record.fd, readable: true, writable: true, allowHalfOpen: true });
            socket.pipe(socket);
            servers.push(socket);
          }
        },
      },
    );
    acceptor.resume();
    const echo = async (index: number) => {
      const socket = connect({ host: '127.0.0.1', port });
      socket.end(`hello ${index}`);
      const chunks: Buffer[] = [];
      socket.on('data', (chunk) => chunks.push(chunk));
      await once(socket, 'close');
      return Buffer.concat(chunks).toString();
    };
    const answers = await Promise.all(Array.from({ length: 500 }, (_, index) => echo(index)));
    assert.deepEqual(
      answers,
      answers.map((_, index) => `hello ${index}`),
    );
    assert.equal(servers.length, 500);
    assert.ok(Math.max(...batches) <= 32);
    acceptor.close();
    await eventually('all sockets are closed', () => openSocketCount() <= before);
  });

  it('reports an IPv4 client of a dual-stack listener with its plain IPv4 address', async () => {
    const { fd, port } = listen('::');
    const { promise, resolve } = Promise.withResolvers<AcceptedRecord>();
    const acceptor = new Acceptor(fd, { originalDst: true }, { onAccept: ([record]) => record && resolve(record) });
    acceptor.resume();
    const client = connect({ host: '127.0.0.1', port });
    const record = await promise;
    assert.deepEqual(
      { peer: record.peerAddress, local: record.localAddress, port: record.localPort, from: record.peerPort },
      { peer: '127.0.0.1', local: '127.0.0.1', port, from: client.localPort },
    );
    closeFd(record.fd);
    client.destroy();
    acceptor.close();
  });

  it('leaves connections in the backlog while it is paused', async () => {
    const { fd, port } = listen();
    const accepted: AcceptedRecord[] = [];
    const acceptor = new Acceptor(fd, {}, { onAccept: (batch) => accepted.push(...batch) });
    acceptor.resume();
    acceptor.pause();
    const client = connect({ host: '127.0.0.1', port });
    await once(client, 'connect');
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(accepted.length, 0);
    acceptor.resume();
    await eventually('the connection is accepted', () => accepted.length === 1);
    for (const record of accepted) closeFd(record.fd);
    client.destroy();
    acceptor.close();
  });

  it('refuses new connections after close, and closing twice is harmless', async () => {
    const { fd, port } = listen();
    const acceptor = new Acceptor(fd, {}, { onAccept: () => assert.fail('accepted after close') });
    acceptor.resume();
    acceptor.close();
    acceptor.close();
    acceptor.resume();
    const [error] = await once(connect({ host: '127.0.0.1', port }), 'error');
    assert.equal(error.code, 'ECONNREFUSED');
  });

  it('leaves the descriptor to the caller when it cannot be watched, and keeps none of its own', () => {
    // epoll refuses ordinary files.
    const fd = openSync(process.execPath, 'r');
    const before = openDescriptors().length;
    assert.throws(() => new Acceptor(fd, {}, { onAccept: () => undefined }), /cannot watch/);
    assert.equal(openDescriptors().length, before);
    closeSync(fd);
  });

  it('refuses one connection and rests when descriptors run out, then goes on', () => {
    const script = fileURLToPath(new URL('../../helpers/descriptor-starved-acceptor.ts', import.meta.url));
    const output = execFileSync('sh', ['-c', `ulimit -n 120; exec "$0" "$1" 60`, process.execPath, script], {
      encoding: 'utf8',
      timeout: 60_000,
      env: { ...process.env, NODE_TEST_CONTEXT: '' },
    });
    const { before, errors } = JSON.parse(output);
    assert.ok(before > 0 && before < 60, `accepted ${before} of 60`);
    assert.deepEqual(errors, ['NATIVE_NO_DESCRIPTORS']);
  });

  it('serves several worker threads on one port, and the end of a thread closes its listener', async () => {
    const placeholder = openTcpSocket({
      family: 4,
      bind: { address: '127.0.0.1', port: 0 },
      reusePort: true,
      listenBacklog: 1,
    });
    const { port } = localEndpoint(placeholder);
    const before = openSocketCount() - 1;
    const start = async () => {
      const worker = new Worker(new URL('../../helpers/acceptor-worker.ts', import.meta.url), { workerData: port });
      let accepted = 0;
      worker.on('message', (count: number) => {
        accepted += count;
      });
      await once(worker, 'message');
      return { worker, accepted: () => accepted };
    };
    const workers = await Promise.all([start(), start(), start()]);
    closeFd(placeholder);
    const clients = Array.from({ length: 90 }, () => connect({ host: '127.0.0.1', port }).on('error', () => undefined));
    const total = () => workers.reduce((sum, { accepted }) => sum + accepted(), 0);
    await eventually('every connection is accepted', () => total() === 90);
    assert.ok(workers.every(({ accepted }) => accepted() > 0));
    for (const client of clients) client.destroy();
    await Promise.all(workers.map(({ worker }) => worker.terminate()));
    await eventually('the listeners are closed', () => openSocketCount() <= before);
    const [error] = await once(connect({ host: '127.0.0.1', port }), 'error');
    assert.equal(error.code, 'ECONNREFUSED');
  });
});
