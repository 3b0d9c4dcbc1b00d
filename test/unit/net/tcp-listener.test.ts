import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import type { InboundConnection } from '../../../src/net/inbound-connection.ts';
import { NodeInboundConnection } from '../../../src/net/inbound-connection.ts';
import { listenTcp } from '../../../src/net/tcp-listener.ts';

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
