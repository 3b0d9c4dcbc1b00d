/**
 * Calls that no honest pod makes (facts ztunnel-wire 8.7): the proxy's own ports from every side, garbage, half-open TLS,
 * resets at every step. After each of them the proxy still serves and holds no descriptor more than before.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../src/base/clock.ts';
import { FakeCertificateSource } from '../../src/hbone/fake-certificate-source.ts';
import type { SpiffeId } from '../../src/model/spiffe.ts';
import { dialTcp } from '../../src/net/tcp-dialer.ts';
import { listenTcp } from '../../src/net/tcp-listener.ts';
import { connectMeshTls, meshSecureContext } from '../../src/tls/mesh-tls.ts';
import { eventually } from '../helpers/eventually.ts';
import { openHbone } from '../helpers/hbone-client.ts';
import { type HboneServer, serveHbone } from '../helpers/hbone-server.ts';
import { MeshLab, type MeshPod } from '../helpers/mesh-lab.ts';
import { identityOf, isRefused } from '../helpers/mesh-objects.ts';
import { enterPrivateNetns, type LabPod } from '../helpers/netns.ts';
import { openSocketCount } from '../helpers/open-descriptors.ts';
import { connectFrom, type EchoServer, echoOnce, serveEcho } from '../helpers/pod-traffic.ts';

enterPrivateNetns(import.meta.url);

type Outcome = 'connection fails' | 'request fails' | 'HTTP 4xx';

const PORTS = [15001, 15006, 15008, 15080, 15000, 15020, 15021] as const;
const GET = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
const TLS = { tls12: false, compliancePolicy: '' as const, handshakeTimeoutMs: 5000 };

const fails = (ports: readonly number[], outcome: Outcome) => ports.map((port) => [port, outcome] as const);
const PROXY_PORTS = [15001, 15006, 15008];
const OTHER_PORTS = [15080, 15000, 15020, 15021];

async function probe(pod: LabPod, address: string, port: number): Promise<Outcome> {
  let socket: Socket;
  try {
    socket = await dialTcp({ destination: { address, port }, netnsFd: pod.fd, timeoutMs: 3000 });
  } catch {
    return 'connection fails';
  }
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  socket.on('end', () => socket.end());
  socket.write(GET);
  await Promise.race([closed, delay(5000)]);
  socket.destroy();
  return /^HTTP\/1\.1 4\d\d /.test(text) ? 'HTTP 4xx' : 'request fails';
}

let mesh: MeshLab;
let captured: MeshPod;
let other: MeshPod;
let outsider: MeshPod;
let echo: EchoServer;

/** Serves still, and holds what it held. */
async function isUnharmed(sockets: number): Promise<void> {
  assert.equal(await echoOnce(captured, other.ipv4, 8080, 'alive'), `${captured.ipv4}: alive`);
  assert.equal(await echoOnce(outsider, other.ipv4, 8080, 'alive'), `${outsider.ipv4}: alive`);
  await eventually(`sockets back to ${sockets}, now ${openSocketCount()}`, () => openSocketCount() <= sockets, 8000);
  assert.equal((await mesh.fetch(mesh.ztunnel.readinessPort, '/healthz/ready')).status, 200);
  await eventually('sockets after the probe', () => openSocketCount() <= sockets, 8000);
}

before(async () => {
  mesh = await MeshLab.start({
    env: {
      ADMIN_PORT: '15000',
      STATS_PORT: '15020',
      READINESS_PORT: '15021',
      POOL_UNUSED_RELEASE_TIMEOUT: '100ms',
      RUST_LOG: 'info',
      POD_NAME: 'ztunnel',
      POD_NAMESPACE: 'istio-system',
      SERVICE_ACCOUNT: 'ztunnel',
    },
  });
  mesh.apply([
    {
      kind: 'workload',
      workload: {
        ...(await mesh.addPod('unused')).workload,
        uid: 'Kubernetes//Pod/istio-system/ztunnel',
        name: 'ztunnel',
        namespace: 'istio-system',
        serviceAccount: 'ztunnel',
        addresses: [],
      },
    },
  ]);
  captured = await mesh.addPod('captured', { enrolled: true });
  other = await mesh.addPod('other', { enrolled: true });
  outsider = await mesh.addPod('outsider');
  echo = await serveEcho(other, 8080);
  await echoOnce(captured, other.ipv4, 8080, 'warm');
  await delay(300);
});

after(async () => {
  await echo[Symbol.asyncDispose]();
  await mesh[Symbol.asyncDispose]();
});

describe('the ports of the proxy', () => {
  const table: readonly (readonly [string, () => LabPod, () => string, readonly (readonly [number, Outcome])[]])[] = [
    [
      'a captured pod at the address of ztunnel',
      () => captured,
      () => mesh.net.nodeIpv4,
      [...fails([...PROXY_PORTS, 15080, 15000], 'request fails'), ...fails([15020, 15021], 'HTTP 4xx')],
    ],
    [
      'a captured pod at its own address',
      () => captured,
      () => captured.ipv4,
      [...fails(PROXY_PORTS, 'request fails'), ...fails(OTHER_PORTS, 'connection fails')],
    ],
    [
      'a captured pod at its own IPv6 address',
      () => captured,
      () => captured.ipv6,
      [...fails(PROXY_PORTS, 'request fails'), ...fails(OTHER_PORTS, 'connection fails')],
    ],
    [
      'a captured pod at 127.0.0.1',
      () => captured,
      () => '127.0.0.1',
      [...fails(PROXY_PORTS, 'request fails'), ...fails(OTHER_PORTS, 'connection fails')],
    ],
    ['a captured pod at another captured pod', () => captured, () => other.ipv4, fails(PORTS, 'request fails')],
    [
      'an uncaptured pod at the address of ztunnel',
      () => outsider,
      () => mesh.net.nodeIpv4,
      [
        ...fails([15001, 15006, 15080, 15000], 'connection fails'),
        [15008, 'request fails'],
        ...fails([15020, 15021], 'HTTP 4xx'),
      ],
    ],
    ['an uncaptured pod at a captured pod', () => outsider, () => captured.ipv4, fails(PORTS, 'request fails')],
  ];
  for (const [who, pod, address, expected] of table) {
    it(`give ${who} nothing to work with`, async () => {
      const sockets = openSocketCount();
      const outcomes = await Promise.all(
        expected.map(async ([port]) => [port, await probe(pod(), address(), port)] as const),
      );
      assert.deepEqual(outcomes, expected);
      await isUnharmed(sockets);
    });
  }

  it('cannot be reached through a tunnel either', async () => {
    const sockets = openSocketCount();
    {
      using hbone = await openHbone(outsider, {
        identity: identityOf('outsider'),
        address: captured.ipv4,
        serverIdentity: identityOf('captured'),
      });
      for (const port of PROXY_PORTS) {
        assert.equal((await hbone.connect(`${captured.ipv4}:${port}`)).status, '503');
      }
    }
    await isUnharmed(sockets);
  });
});

describe('garbage', () => {
  for (const port of PROXY_PORTS) {
    it(`on ${port}, from inside and outside of the pod, harms nobody`, async () => {
      const sockets = openSocketCount();
      const throwAt = async (pod: LabPod, address: string, bytes: Buffer) => {
        const socket = await connectFrom(pod, address, port);
        socket.on('error', () => undefined);
        const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
        socket.resume();
        socket.end(bytes);
        await closed;
      };
      const shapes = [
        Buffer.alloc(0),
        Buffer.of(0x16, 0x03, 0x01, 0xff, 0xff),
        Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
        Buffer.from(GET),
        randomBytes(1),
        randomBytes(70_000),
      ];
      for (const bytes of shapes) {
        await throwAt(captured, captured.ipv4, bytes);
        await throwAt(captured, '127.0.0.1', bytes);
        await throwAt(outsider, captured.ipv4, bytes);
      }
      await isUnharmed(sockets);
    });
  }

  it('inside a mutual TLS connection ends that connection', async () => {
    const sockets = openSocketCount();
    const certificate = await new FakeCertificateSource(60_000, systemClock).fetch(identityOf('outsider') as SpiffeId);
    const identities = [identityOf('captured') as SpiffeId];
    const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    const emptySettings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    for (const bytes of [randomBytes(5000), preface, Buffer.concat([preface, emptySettings, randomBytes(3000)])]) {
      const stream = await connectFrom(outsider, captured.ipv4, 15008);
      stream.on('error', () => undefined);
      const context = meshSecureContext(certificate, TLS);
      const secured = await connectMeshTls({ stream, context, identities, handshakeTimeoutMs: 5000 });
      assert.ok(secured.ok);
      const { socket } = secured.value;
      socket.on('error', () => undefined);
      const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
      socket.resume();
      socket.end(bytes);
      await closed;
    }
    await isUnharmed(sockets);
  });
});

describe('resets', () => {
  it('of a tunnel client: in the handshake, with the request, in the middle of data', async () => {
    const sockets = openSocketCount();
    for (const bytes of [Buffer.of(0x16), randomBytes(200)]) {
      const socket = await connectFrom(outsider, other.ipv4, 15008);
      socket.on('error', () => undefined);
      socket.write(bytes);
      await delay(20);
      socket.resetAndDestroy();
    }
    for (const waitMs of [0, 50]) {
      const hbone = await openHbone(outsider, {
        identity: identityOf('outsider'),
        address: other.ipv4,
        serverIdentity: identityOf('other'),
      });
      const answers = Array.from({ length: 20 }, () => hbone.connect(`${other.ipv4}:8080`, 'x'.repeat(5000)));
      const settled = Promise.allSettled(answers);
      await delay(waitMs);
      hbone.connection.destroy();
      await settled;
    }
    await isUnharmed(sockets);
  });

  it('of the programs at both ends', async () => {
    const sockets = openSocketCount();
    const rude = await listenTcp(
      { endpoint: { address: '::', port: 7000 }, netnsFd: other.fd },
      {
        onConnection: (connection) => {
          const socket = connection.open();
          socket.on('error', () => undefined);
          socket.once('data', () => socket.resetAndDestroy());
        },
      },
    );
    assert.ok(await isRefused(echoOnce(captured, other.ipv4, 7000, 'x')));
    assert.ok(await isRefused(echoOnce(outsider, other.ipv4, 7000, 'x')));
    rude.close();
    for (const pod of [captured, outsider]) {
      for (const waitMs of [0, 30]) {
        const socket = await connectFrom(pod, other.ipv4, 8080);
        socket.on('error', () => undefined);
        socket.write('x'.repeat(50_000));
        await delay(waitMs);
        socket.resetAndDestroy();
      }
    }
    await isUnharmed(sockets);
  });

  const steps = ['reset-handshake', 'reset-request', 'reset-data'] as const;
  for (const kind of steps) {
    it(`of the tunnel server (${kind}) end the client connection with a reason`, async () => {
      const pod = await mesh.addPod(`rude-${kind}`, { workload: { protocol: 'HBONE', serviceAccount: 'rude' } });
      const sockets = openSocketCount();
      const server: HboneServer = await serveHbone(pod, { identity: identityOf('rude'), behaviour: { kind } });
      const from = mesh.log.length;
      assert.ok(await isRefused(echoOnce(captured, pod.ipv4, 8080, 'x')));
      await eventually('the log', () => mesh.log.slice(from).some((line) => line.includes(`dst.addr=${pod.ipv4}`)));
      await server[Symbol.asyncDispose]();
      await isUnharmed(sockets);
    });
  }
});

describe('half-open TLS', () => {
  it('of thousands of clients leaves room for an honest one, and ends at the deadline', async () => {
    const sockets = openSocketCount();
    const clients: Socket[] = [];
    const halfOpen = async () => {
      const socket = await connectFrom(outsider, other.ipv4, 15008);
      socket.on('error', () => undefined);
      socket.on('end', () => socket.end());
      socket.resume();
      socket.write(Buffer.of(0x16, 0x03, 0x01, 0x02, 0x00, 0x01));
      clients.push(socket);
    };
    for (let round = 0; round < 15; round++) {
      await Promise.allSettled(Array.from({ length: 100 }, halfOpen));
    }
    assert.ok(clients.length >= 1400, `${clients.length} came in`);
    await eventually('the oldest are given up', () => clients.filter((socket) => socket.closed).length >= 800);
    assert.equal(await echoOnce(captured, other.ipv4, 8080, 'x'), `${captured.ipv4}: x`);
    await eventually('the deadline of all', () => clients.every((socket) => socket.closed), 14_000);
    await isUnharmed(sockets);
  });
});
