import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { Duplex } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { ok } from '../../../src/base/result.ts';
import { fetchDocument } from '../../../src/waypoint/fetch-document.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';
import { createTestCa } from '../../helpers/test-ca.ts';

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

const plain = { clock: new ManualClock(), connect: async () => ok(undefined), mayCall: () => true };

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
    const stuck = fetchDocument('http://a/', 5000, { ...plain, clock, connect: () => new Promise(() => undefined) });
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

describe('a document of an address that may not be called', () => {
  it('is none, whether the URL names the address or a name that has it', async () => {
    let asked = 0;
    const port = await serve((_request, response) => {
      asked++;
      response.end('secret');
    });
    const called: string[] = [];
    const mayCall = (address: string) => {
      called.push(address);
      return false;
    };
    for (const host of ['127.0.0.1', 'localhost', '[::1]', '2130706433', '[::ffff:127.0.0.1]']) {
      const document = await fetchDocument(`http://${host}:${port}/`, 1000, { ...plain, mayCall });
      assert.match(document.ok ? '' : document.error, /this machine, or one of its links/, host);
    }
    assert.equal(asked, 0);
    assert.ok(
      called.includes('127.0.0.1') && called.includes('::1') && called.includes('::ffff:7f00:1'),
      called.join(),
    );
    const document = await fetchDocument(`http://localhost:${port}/`, 1000, {
      ...plain,
      mayCall: (one) => one !== '::1',
    });
    assert.deepEqual(document, ok('secret'));
  });
});

describe('a document by https', () => {
  const ca = createTestCa();
  const leaf = ca.leaf({ uris: [], dnsNames: ['keys.example'] });
  const server = createTlsServer({ key: leaf.keyPem, cert: leaf.certPem }, (request, response) => {
    response.end(`${request.headers.host} ${request.url}`);
  });
  const known = getCACertificates();
  servers.push(server);

  before(async () => {
    server.on('tlsClientError', () => undefined);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  after(() => setDefaultCACertificates(known));

  /** As a tunnel is: a stream that is no socket. */
  const overStream = async () => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    return ok(Duplex.from({ readable: socket, writable: socket }));
  };

  it('is none from whom nobody vouches for', async () => {
    const strange = await fetchDocument('https://keys.example/a', 5000, { ...plain, connect: overStream });
    assert.match(strange.ok ? '' : strange.error, /certificate/);
  });

  it('is read over a connection that is given, from the host that the URL names', async () => {
    setDefaultCACertificates([...known, ca.rootPem]);
    const found = await fetchDocument('https://keys.example/a', 5000, { ...plain, connect: overStream });
    assert.deepEqual(found, ok('keys.example /a'));
    const other = await fetchDocument('https://other.example/a', 5000, { ...plain, connect: overStream });
    assert.match(other.ok ? '' : other.error, /altnames|does not match/i);
  });
});
