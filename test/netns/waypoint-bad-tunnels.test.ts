/**
 * Bad tunnels to a real waypoint's port 15008, from somebody who is not of the mesh (facts performance-and-reliability B.2
 * rows 1, 10, 14, 16, 18, 27). The certificates are of the mesh's own authority, so that only what is wrong with them counts.
 */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import type { Header } from '../../src/http2/header.ts';
import { AttackedWaypoint, exchange, request } from '../helpers/attacked-waypoint.ts';
import { eventually } from '../helpers/eventually.ts';
import { seededRandom } from '../helpers/seeded-random.ts';
import { createTestCa, type TestCa, type TestLeaf, type TestLeafOptions, testSpiffeId } from '../helpers/test-ca.ts';
import { block, frame, PREFACE, parseFrames } from '../unit/http2/harness.ts';

const CLIENT = testSpiffeId('web', 'stranger');
const OPENING = Buffer.concat([PREFACE, frame(4, 0, 0)]);
const MEBIBYTE = 1_048_576;
const HOUR_MS = 3_600_000;
const RST = 3;
const GOAWAY = 7;

const waypoint = new AttackedWaypoint();
let ca: TestCa;

before(async () => {
  await waypoint.up();
  ca = waypoint.ca;
});
after(() => waypoint[Symbol.asyncDispose]());

/** TLS to the waypoint with the certificate, or none. */
async function open(leaf: TestLeaf | undefined, more: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = await waypoint.dialTunnel();
  const identity = leaf && { key: leaf.keyPem, cert: leaf.chainPem };
  const tls = connectTls({ socket, ...identity, ALPNProtocols: ['h2'], rejectUnauthorized: false, ...more });
  return tls.on('error', () => undefined);
}

/** Whether the waypoint speaks HTTP/2 with who has this certificate. */
async function isServed(leaf: TestLeaf | undefined, more: ConnectionOptions = {}): Promise<boolean> {
  return (await exchange(await open(leaf, more), OPENING)) !== '';
}

const client = (options: TestLeafOptions = {}) => ca.leaf({ uri: CLIENT, ...options });

describe('the certificate of a client (row 14)', { timeout: 110_000 }, () => {
  const rows: readonly (readonly [string, () => TestLeaf])[] = [
    ['without a name', () => client({ uris: [] })],
    ['with two names', () => client({ uris: [CLIENT, testSpiffeId('web', 'friend')] })],
    ['with one name twice', () => client({ uris: [CLIENT, CLIENT] })],
    ['with a NUL in its name', () => client({ uri: `${CLIENT}\0.evil` })],
    ['with bytes that are no UTF-8 in its name', () => client({ uri: `${CLIENT}\xff` })],
    ['with a comma and another name inside', () => client({ uri: `https://x/, URI:${CLIENT}` })],
    ['with a DNS name that looks like an identity', () => client({ uris: [], dnsNames: [CLIENT] })],
    ['with a DNS name that looks like a URI name', () => client({ uris: [], dnsNames: [`URI:${CLIENT}`] })],
    ['of another trust domain', () => client({ uri: testSpiffeId('web', 'stranger', 'other.domain') })],
    ['with an upper-case scheme', () => client({ uri: CLIENT.replace('spiffe', 'SPIFFE') })],
    ['with a name that goes on', () => client({ uri: `${CLIENT}/more` })],
    ['that has expired', () => client({ notBeforeMs: Date.now() - 2 * HOUR_MS, notAfterMs: Date.now() - HOUR_MS })],
    [
      'that is not valid yet',
      () => client({ notBeforeMs: Date.now() + HOUR_MS, notAfterMs: Date.now() + 2 * HOUR_MS }),
    ],
    ['for servers only', () => client({ usage: 'server' })],
    ['for signing code', () => client({ usage: 'none-of-them' })],
    ['of an authority', () => client({ isAuthority: true })],
    ['of somebody else with the same names', () => createTestCa().leaf({ uri: CLIENT })],
  ];
  it('is taken when it is right', async () => {
    assert.equal(await isServed(client()), true);
    assert.equal(await isServed(client({ dnsNames: ['a.example'] })), true);
  });
  for (const [what, leaf] of rows) {
    it(`is refused ${what}`, async () => {
      assert.equal(await isServed(leaf()), false);
      await waypoint.withstood();
    });
  }

  it('is needed, with TLS 1.3 and HTTP/2', async () => {
    assert.equal(await isServed(undefined), false);
    assert.equal(await isServed(client(), { maxVersion: 'TLSv1.2' }), false);
    assert.equal(await isServed(client(), { ALPNProtocols: ['http/1.1'] }), false);
    assert.match(await waypoint.line('tunnel refused'), /error="tls error: /);
    await waypoint.withstood();
  });
});

describe('a handshake (row 16)', { timeout: 110_000 }, () => {
  const NAME = 'name-of-the-server-to-be-replaced';
  const PROTOCOL = 'protocol-to-be-replaced';
  /** The first message of a client, with a name and a protocol. */
  const hello = (): Promise<Buffer> =>
    new Promise((resolve) => {
      const socket = new Duplex({ read: () => undefined, write: (chunk: Buffer) => resolve(chunk) });
      connectTls({ socket, servername: NAME, ALPNProtocols: [PROTOCOL] }).on('error', () => undefined);
    });

  it('with any name or protocol of a server harms nobody', async () => {
    const names = ['', 'A.EXAMPLE', 'a.example.', '*.example', 'xn--a', 'x'.repeat(250), 'localhost'];
    for (const servername of names) assert.equal(await isServed(client(), { servername }), true, servername);
    for (const protocols of [
      ['\0'],
      ['h2c'],
      ['x'.repeat(255)],
      Array.from({ length: 500 }, (_, index) => `p${index}`),
    ])
      assert.equal(await isServed(client(), { ALPNProtocols: protocols }), false);
    await waypoint.withstood();
  });

  it('with garbage in name, protocol or anywhere else ends', async () => {
    const seed = await hello();
    assert.ok(seed.includes(NAME) && seed.includes(PROTOCOL));
    const random = seededRandom(16);
    const fill = (bytes: Buffer, at: number, length: number, byte: () => number) => {
      for (let index = at; index < at + length; index++) bytes[index] = byte();
      return bytes;
    };
    const garbage = () => Math.floor(random() * 256);
    const within = (text: string, byte: () => number) => fill(Buffer.from(seed), seed.indexOf(text), text.length, byte);
    const messages: Buffer[] = [0x00, 0x0a, 0x0d, 0x20, 0x2e, 0x80, 0xff].flatMap((byte) => [
      within(NAME, () => byte),
      within(PROTOCOL, () => byte),
    ]);
    for (let count = 0; count < 40; count++) {
      messages.push(within(NAME, garbage), within(PROTOCOL, garbage));
      const anywhere = Buffer.from(seed);
      for (let hit = 0; hit < 4; hit++) anywhere[Math.floor(random() * seed.length)] = garbage();
      messages.push(anywhere, seed.subarray(0, Math.floor(random() * seed.length)));
    }
    for (let at = 0; at < messages.length; at += 30) {
      await Promise.all(
        messages.slice(at, at + 30).map(async (message) => {
          const socket = await waypoint.dialTunnel();
          socket.resume().end(message);
          await new Promise((resolve) => socket.once('close', resolve));
        }),
      );
    }
    await waypoint.withstood();
  });

  it('that is none, or only begins, leaves room for others (row 27)', async () => {
    const before = waypoint.rssBytes();
    const sockets: Socket[] = [];
    for (const bytes of [
      'GET / HTTP/1.1\r\n\r\n',
      '\x16\x03\x01\xff\xff',
      '\x15\x03\x01\x00\x02\x02\x28',
      'PRI * HTTP/2.0\r\n\r\n',
    ])
      assert.doesNotMatch(await exchange(await waypoint.dialTunnel(), Buffer.from(bytes, 'latin1')), /HTTP/);
    for (let count = 0; count < 700; count++) {
      const socket = await waypoint.dialTunnel();
      sockets.push(socket.on('error', () => undefined).resume());
      if (count % 2 === 0) socket.write(Buffer.of(0x16, 0x03, 0x01));
    }
    assert.equal(await isServed(client()), true);
    await waypoint.withstood();
    assert.ok(waypoint.rssBytes() - before < 128 * MEBIBYTE, `${waypoint.rssBytes() - before} bytes more`);
    for (const socket of sockets) socket.destroy();
    await waypoint.withstood();
  });
});

describe('a CONNECT request (rows 10, 18)', { timeout: 110_000 }, () => {
  const GOOD = 'site.web.svc.cluster.local:80';
  const connect = (authority: string, ...more: readonly Header[]): readonly Header[] => [
    [':method', 'CONNECT'],
    [':authority', authority],
    ...more,
  ];
  /** Sends each list on a stream of its own; what became of each: a status of 200, another one, or a reset. */
  const ask = async (...lists: readonly (readonly Header[])[]) => {
    const requests = lists.map((list, index) => frame(1, 4, 2 * index + 1, block(list)));
    const answer = await exchange(await open(client()), Buffer.concat([OPENING, ...requests]));
    const frames = parseFrames(Buffer.from(answer, 'latin1'));
    return lists.map((_, index) => {
      const own = frames.filter(({ id }) => id === 2 * index + 1);
      const head = own.find(({ type }) => type === 1);
      // `:status: 200` is one byte (RFC 7541 A).
      if (head !== undefined) return head.payload[0] === 0x88 ? '200' : 'refused';
      return own.some(({ type }) => type === RST) || frames.some(({ type }) => type === GOAWAY) ? 'reset' : 'nothing';
    });
  };
  const podIp = (name: string) => waypoint.mesh.state?.pods.find((one) => one.name === name)?.ips[0] ?? '';
  const nodeIp = () => waypoint.mesh.state?.nodes[0]?.address ?? '';

  it('for a service of the waypoint is granted, and its requests are those of the certificate', async () => {
    const socket = await open(client());
    const inside = frame(
      0,
      0,
      1,
      Buffer.from(request('GET', '/tunnel', 'X-Forwarded-Client-Cert: URI=spiffe://x\r\n')),
    );
    const claims: readonly Header[] = [
      ['baggage', 'k8s.namespace.name=istio-system,k8s.workload.name=root'],
      ['forwarded', 'for=127.0.0.1;by=spiffe://cluster.local/ns/web/sa/root'],
      ['x-istio-source', 'root'],
    ];
    const answer = await exchange(
      socket,
      Buffer.concat([OPENING, frame(1, 4, 1, block(connect(GOOD, ...claims))), inside]),
    );
    assert.match(answer, /"url":"\/tunnel"/);
    assert.match(
      await waypoint.accessLine('/tunnel'),
      new RegExp(
        `src.addr=${podIp('stranger')}:\\d+ src.workload="stranger" src.namespace="web" src.identity="${CLIENT}"`,
      ),
    );
    await waypoint.withstood();
  });

  it('for anything else is refused, and nobody is called', async () => {
    const own = waypoint.address;
    const hosts = [
      ...[podIp('site'), podIp('client'), own, nodeIp(), '127.0.0.1', '0.0.0.0', '169.254.169.254', '8.8.8.8'],
      ...[
        '[::1]',
        '[::]',
        '[::ffff:127.0.0.1]',
        `[::ffff:${podIp('site')}]`,
        '[fe80::1]',
        '[fe80::1%25eth0]',
        '[fe80::1%lo]',
      ],
      ...[
        'localhost',
        'gate.web.svc.cluster.local',
        'kubernetes.default.svc.cluster.local',
        'example.com',
        'site',
        'site.web',
      ],
      ...[
        '2130706433',
        '0x7f.1',
        '127.1',
        '999.1.1.1',
        '1.2.3',
        '',
        ' ',
        '*',
        '*.web.svc.cluster.local',
        'a b',
        'user@site.web.svc.cluster.local',
      ],
      ...[
        'http://site.web.svc.cluster.local',
        'site.web.svc.cluster.local/',
        'site.web.svc.cluster.local.',
        '[',
        '[]',
        '::1',
        'x'.repeat(300),
      ],
    ];
    const ports = [...[80, 8080, 15000, 15001, 15006, 15008, 15020, 15021, 15090].map((port) => `:${port}`)];
    const odd = ['', ':', ':0', ':65536', ':99999999999', ':-1', ':80 ', ':8o', ':080', ':80:80', ':+80'];
    const authorities = [
      ...hosts.flatMap((host) => ports.map((port) => host + port)),
      ...['site.web.svc.cluster.local', podIp('site')].flatMap((host) => odd.map((port) => host + port)),
      ...['81', '15008', '8080'].map((port) => `site.web.svc.cluster.local:${port}`),
    ];
    for (let at = 0; at < authorities.length; at += 100) {
      const some = authorities.slice(at, at + 100);
      const outcomes = await ask(...some.map((authority) => connect(authority)), connect(GOOD));
      assert.equal(outcomes.pop(), '200', 'a good one beside them is granted');
      assert.deepEqual(
        some.filter((_, index) => !['refused', 'reset'].includes(outcomes[index] ?? '')),
        [],
      );
    }
    await waypoint.withstood();
  });

  it('with line ends, NULs or bytes that are no text in any field makes no second line in the log', async () => {
    const bad = ['a\rb', 'a\nb', 'a\r\nevil: b', 'a\0b'];
    const lists = [
      ...bad.map((value) => connect(`${value}:80`)),
      ...['baggage', 'forwarded', 'traceparent', 'user-agent'].flatMap((name) =>
        bad.map((value) => connect(GOOD, [name, value])),
      ),
    ];
    assert.deepEqual([...new Set(await ask(...lists))], ['reset']);
    const odd = ['\xff\xfe', 'a"b', 'a\x1b[2Jb', '\u0085x', 'k="v" error="x"'];
    const outcomes = await ask(
      ...odd.map((value) => connect(`${value}:80`)),
      ...odd.map((value) => connect(GOOD, ['baggage', value])),
    );
    assert.deepEqual(
      outcomes.slice(0, odd.length).filter((one) => one === '200'),
      [],
    );
    const lines = waypoint
      .log()
      .split('\n')
      .filter((line) => line !== '');
    assert.deepEqual(
      lines.filter((line) => !/^\d{4}-\d\d-\d\dT/.test(line)),
      [],
      'each line is one that was written',
    );
    const isControl = (character: string) => (character < ' ' && character !== '\t') || character === '\x7f';
    assert.deepEqual(
      lines.filter((line) => [...line].some(isControl)),
      [],
      'no terminal is told to do anything',
    );
    await waypoint.withstood();
  });

  it('is refused to a client that holds half of all connections, and to nobody else', async () => {
    const requests = Array.from({ length: 100 }, (_, index) => frame(1, 4, 2 * index + 1, block(connect(GOOD))));
    const opening = Buffer.concat([OPENING, ...requests]);
    const tunnels: TLSSocket[] = [];
    let granted = 0;
    let refused = 0;
    // More than all 16,384, and none of them is ended by the client.
    for (let count = 0; count < 170; count++) {
      const tunnel = await open(client());
      tunnels.push(tunnel);
      tunnel.write(opening);
      const chunks: Buffer[] = [];
      tunnel.on('data', (chunk: Buffer) => chunks.push(chunk));
      const heads = () => parseFrames(Buffer.concat(chunks)).filter(({ type }) => type === 1);
      await eventually('a hundred answers', async () => heads().length === 100);
      granted += heads().filter(({ payload }) => payload[0] === 0x88).length;
      refused += heads().filter(({ payload }) => payload[0] !== 0x88).length;
    }
    assert.equal(granted, 8192);
    assert.equal(refused, 17_000 - 8192);
    await waypoint.withstood();
    for (const tunnel of tunnels) tunnel.destroy();
    await eventually('the client is served again', async () => (await ask(connect(GOOD)))[0] === '200');
  });

  it('that is no CONNECT, or has what such a request cannot have, is refused', async () => {
    const get: readonly Header[] = [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':authority', GOOD],
      [':path', '/'],
    ];
    const outcomes = await ask(
      get,
      connect(GOOD, [':path', '/']),
      connect(GOOD, [':scheme', 'http']),
      connect(GOOD, [':authority', GOOD]),
      connect(GOOD, [':protocol', 'websocket']),
      connect(GOOD, ['connection', 'x']),
      connect(GOOD, ['transfer-encoding', 'chunked']),
      [[':method', 'CONNECT']],
      [[':authority', GOOD]],
      [],
    );
    assert.deepEqual(
      outcomes.filter((one) => one === '200' || one === 'nothing'),
      [],
    );
    await waypoint.withstood();
  });

  it('is over with its stream, whatever the client sends on it', async () => {
    const head = frame(1, 4, 1, block(connect(GOOD)));
    const ends: readonly Buffer[][] = [
      [frame(1, 5, 1, block(connect(GOOD)))],
      [head, frame(1, 5, 1, block([['x-trailer', 'a']]))],
      [head, frame(0, 1, 1, Buffer.from('GET / HTTP'))],
      [head, frame(RST, 0, 1, Buffer.alloc(4))],
      [
        head,
        frame(0, 0, 1, Buffer.from(request('POST', '/cut', 'Content-Length: 100\r\n'))),
        frame(RST, 0, 1, Buffer.alloc(4)),
      ],
      [head, frame(0, 8, 1, Buffer.from([255, 1, 2]))],
      [head, frame(8, 0, 1, Buffer.alloc(4))],
      [head, frame(0, 0, 3, Buffer.from('nobody'))],
      [head, frame(5, 4, 1, Buffer.alloc(8))],
      [head, Buffer.alloc(500, 0xff)],
    ];
    for (const frames of ends) await exchange(await open(client()), Buffer.concat([OPENING, ...frames]));
    await waypoint.withstood();
  });

  it('that is reset at once, again and again, ends the connection and costs nothing (row 1)', async () => {
    const before = waypoint.rssBytes();
    const socket = await open(client());
    let answer = Buffer.alloc(0);
    let closed = false;
    socket.on('data', (chunk: Buffer) => {
      answer = Buffer.concat([answer, chunk]);
    });
    socket.on('close', () => {
      closed = true;
    });
    socket.write(OPENING);
    const head = block(connect(GOOD));
    for (let index = 0; index < 50_000 && !closed; index += 100) {
      const batch = Array.from({ length: 100 }, (_, at) => 2 * (index + at) + 1).flatMap((id) => [
        frame(1, 4, id, head),
        frame(RST, 0, id, Buffer.of(0, 0, 0, 8)),
      ]);
      await new Promise((resolve) => socket.write(Buffer.concat(batch), resolve));
    }
    await eventually('the end', () => closed || parseFrames(answer).some(({ type }) => type === GOAWAY));
    socket.destroy();
    assert.ok(waypoint.rssBytes() - before < 96 * MEBIBYTE, `${waypoint.rssBytes() - before} bytes more`);
    await waypoint.withstood();
  });
});
