import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import { connect } from 'node:net';
import { after, describe, it } from 'node:test';
import { ok } from '../../../src/base/result.ts';
import { fetchDocument } from '../../../src/waypoint/fetch-document.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

const servers: { close(): void; closeAllConnections(): void }[] = [];
after(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}

const plain = { clock: new ManualClock(), connect: async () => ok(undefined) };

describe('a document by URL', () => {
  it('is read over a connection of its own, or the one that is given', async () => {
    const port = await serve((request, response) => response.end(`${request.headers.host} ${request.url}`));
    const own = await fetchDocument(`http://127.0.0.1:${port}/a?b`, 1000, plain);
    assert.deepEqual(own, ok(`127.0.0.1:${port} /a?b`));
    const socket = connect(port, '127.0.0.1');
    const given = await fetchDocument('http://keys.example/c', 1000, { ...plain, connect: async () => ok(socket) });
    assert.deepEqual(given, ok('keys.example /c'));
    assert.ok(socket.destroyed);
  });

  it('is none with another status than 200, or longer than a mebibyte', async () => {
    const port = await serve((request, response) => {
      response.statusCode = request.url === '/long' ? 200 : 404;
      response.end(Buffer.alloc(1_048_577, 'x'));
    });
    const missing = await fetchDocument(`http://127.0.0.1:${port}/`, 1000, plain);
    assert.match(missing.ok ? '' : missing.error, /404/);
    const long = await fetchDocument(`http://127.0.0.1:${port}/long`, 1000, plain);
    assert.match(long.ok ? '' : long.error, /longer than/);
  });

  it('is followed where it is moved, but to no other host and not for ever', async () => {
    const port = await serve((request, response) => {
      const to = { '/near': '/here', '/far': 'http://localhost:1/', '/round': '/round' }[request.url ?? ''];
      if (to === undefined) return response.end('found');
      response.writeHead(302, { location: to }).end();
      return undefined;
    });
    assert.deepEqual(await fetchDocument(`http://127.0.0.1:${port}/near`, 1000, plain), ok('found'));
    const far = await fetchDocument(`http://127.0.0.1:${port}/far`, 1000, plain);
    assert.match(far.ok ? '' : far.error, /another host/);
    const round = await fetchDocument(`http://127.0.0.1:${port}/round`, 1000, plain);
    assert.match(round.ok ? '' : round.error, /too often/);
  });

  it('is waited for until the deadline, whatever it hangs on', async () => {
    const clock = new ManualClock();
    let asked: () => void = () => undefined;
    const isAsked = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const port = await serve((_request, response) => {
      response.write('half');
      asked();
    });
    const silent = fetchDocument(`http://127.0.0.1:${port}/`, 5000, { ...plain, clock });
    await isAsked;
    clock.advance(5000);
    const late = await silent;
    assert.match(late.ok ? '' : late.error, /within 5000 ms/);
    const stuck = fetchDocument('http://a/', 5000, { clock, connect: () => new Promise(() => undefined) });
    clock.advance(5000);
    assert.equal((await stuck).ok, false);
    assert.deepEqual(clock.waitingMs, []);
  });

  it('is none when nobody listens, or nothing can be asked', async () => {
    for (const url of ['http://127.0.0.1:1/', 'ftp://a/', 'no url']) {
      assert.equal((await fetchDocument(url, 1000, plain)).ok, false, url);
    }
  });
});
