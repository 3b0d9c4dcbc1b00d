import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { connect as connectTls } from 'node:tls';
import type { SpiffeId } from '../../../src/model/spiffe.ts';
import type { WorkloadCertificate } from '../../../src/pki/workload-certificate.ts';
import { connectMeshTls, type MeshTlsOptions, MeshTlsServer, meshSecureContext } from '../../../src/tls/mesh-tls.ts';
import { peerIdentity } from '../../../src/tls/peer-identity.ts';
import { createTestCa, type TestLeafOptions, testSpiffeId, workloadCertificate } from '../../helpers/test-ca.ts';

const OPTIONS: MeshTlsOptions = { tls12: false, compliancePolicy: '', handshakeTimeoutMs: 2000 };
const ca = createTestCa();
const SERVER = testSpiffeId('default', 'server') as SpiffeId;
const CLIENT = testSpiffeId('default', 'client') as SpiffeId;

interface Outcome {
  readonly client: string;
  readonly server: string;
}

let listener: ReturnType<typeof createServer>;
let onConnection: (socket: Socket) => void = () => undefined;
const port = () => {
  const address = listener.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
};

before(async () => {
  listener = createServer({ allowHalfOpen: true }, (socket) => onConnection(socket)).listen(0, '127.0.0.1');
  await once(listener, 'listening');
});
after(() => void listener.close());

/** One handshake between two certificates; each side says whom it accepted, or why not. */
async function handshake(
  clientCertificate: WorkloadCertificate,
  serverCertificate: WorkloadCertificate,
  identities: readonly SpiffeId[] = [SERVER],
  options: MeshTlsOptions = OPTIONS,
): Promise<Outcome> {
  const server = new MeshTlsServer(serverCertificate, 'cluster.local', options);
  const accepted = new Promise<string>((resolve) => {
    onConnection = (socket) => {
      socket.on('error', () => undefined);
      server.accept(socket, (result) => {
        resolve(result.ok ? result.value.peer.id : `${result.error.code}: ${result.error.message}`);
        if (result.ok) result.value.socket.on('error', () => undefined).end();
      });
    };
  });
  const stream = connect({ port: port(), host: '127.0.0.1' });
  stream.on('error', () => undefined);
  const context = meshSecureContext(clientCertificate, options);
  const result = await connectMeshTls({ stream, context, identities, handshakeTimeoutMs: 2000 });
  const client = result.ok ? result.value.peer.id : `${result.error.code}: ${result.error.message}`;
  if (result.ok) result.value.socket.on('error', () => undefined).resume();
  const serverOutcome = await accepted;
  stream.destroy();
  return { client, server: serverOutcome };
}

const good = (uri: string) => workloadCertificate(ca.leaf({ uri }));

describe('mutual TLS', () => {
  it('tells both sides who the other is', async () => {
    assert.deepEqual(await handshake(good(CLIENT), good(SERVER)), { client: SERVER, server: CLIENT });
  });

  it('works over intermediates', async () => {
    const below = ca.intermediate();
    const outcome = await handshake(workloadCertificate(below.leaf({ uri: CLIENT })), good(SERVER));
    assert.deepEqual(outcome, { client: SERVER, server: CLIENT });
  });

  const badClients: readonly (readonly [string, () => WorkloadCertificate])[] = [
    ['of another root', () => workloadCertificate(createTestCa().leaf({ uri: CLIENT }))],
    ['of another trust domain', () => good(testSpiffeId('default', 'client', 'other.domain'))],
    [
      'that has expired',
      () =>
        workloadCertificate(
          ca.leaf({ uri: CLIENT, notBeforeMs: Date.now() - 7_200_000, notAfterMs: Date.now() - 3_600_000 }),
        ),
    ],
    [
      'that is not valid yet',
      () =>
        workloadCertificate(
          ca.leaf({ uri: CLIENT, notBeforeMs: Date.now() + 3_600_000, notAfterMs: Date.now() + 7_200_000 }),
        ),
    ],
    ['for servers only', () => workloadCertificate(ca.leaf({ uri: CLIENT, usage: 'server' }))],
    ['for signing code', () => workloadCertificate(ca.leaf({ uri: CLIENT, usage: 'none-of-them' }))],
    ['without a name', () => workloadCertificate(ca.leaf({ uris: [] }))],
    ['with a name that is no identity', () => good('spiffe://cluster.local/ns/a')],
    ['with two names', () => workloadCertificate(ca.leaf({ uris: [CLIENT, SERVER] }))],
    [
      'with a DNS name that looks like an identity',
      () => workloadCertificate(ca.leaf({ uris: [], dnsNames: [CLIENT] })),
    ],
    ['that is one of an authority', () => workloadCertificate(ca.leaf({ uri: CLIENT, isAuthority: true }))],
    ['with a NUL in its name', () => good(`${CLIENT}\0.evil`)],
    ['with a comma and a second name inside the first', () => good(`spiffe://x/y, URI:${CLIENT}`)],
  ];
  for (const [what, make] of badClients) {
    it(`refuses a client certificate ${what}`, async () => {
      const { server } = await handshake(make(), good(SERVER));
      assert.match(server, /^TLS_/, server);
    });
  }

  it('refuses a server that is somebody else, for servers that clients only may be, and any when nobody is expected', async () => {
    const other = testSpiffeId('default', 'other');
    assert.match(
      (await handshake(good(CLIENT), good(other))).client,
      /^TLS_PEER_REFUSED: identity verification error: peer is .*other/,
    );
    assert.match(
      (await handshake(good(CLIENT), workloadCertificate(ca.leaf({ uri: SERVER, usage: 'client' })))).client,
      /^TLS_/,
    );
    assert.match((await handshake(good(CLIENT), good(SERVER), [])).client, /^TLS_PEER_REFUSED/);
    assert.match(
      (await handshake(good(CLIENT), workloadCertificate(createTestCa().leaf({ uri: SERVER })))).client,
      /^TLS_/,
    );
  });

  it('refuses a peer that the revocation list names, on either side', async () => {
    const isRevoked = () => true;
    const { server } = await handshake(good(CLIENT), good(SERVER), [SERVER], { ...OPTIONS, isRevoked });
    assert.equal(server, 'TLS_PEER_REVOKED: peer certificate revoked by CRL');
  });

  it('speaks TLS 1.3 only unless told', async () => {
    const speak = async (tls12: boolean) => {
      const server = new MeshTlsServer(good(SERVER), 'cluster.local', { ...OPTIONS, tls12 });
      onConnection = (socket) => {
        socket.on('error', () => undefined);
        server.accept(socket, (result) => {
          if (result.ok) result.value.socket.end();
        });
      };
      const leaf = ca.leaf({ uri: CLIENT });
      const socket = connectTls({
        port: port(),
        host: '127.0.0.1',
        key: leaf.keyPem,
        cert: leaf.chainPem,
        ca: ca.rootPem,
        maxVersion: 'TLSv1.2',
        ALPNProtocols: ['h2'],
        checkServerIdentity: () => undefined,
      });
      const outcome = await Promise.race([
        once(socket, 'secureConnect').then(() => 'up'),
        once(socket, 'error').then(() => 'refused'),
      ]).catch(() => 'refused');
      socket.on('error', () => undefined);
      socket.destroy();
      return outcome;
    };
    assert.equal(await speak(false), 'refused');
    assert.equal(await speak(true), 'up');
  });

  it('gives new connections the replaced certificate', async () => {
    const server = new MeshTlsServer(good(SERVER), 'cluster.local', OPTIONS);
    const renewed = testSpiffeId('default', 'renewed') as SpiffeId;
    server.replaceCertificate(good(renewed));
    onConnection = (socket) => {
      socket.on('error', () => undefined);
      server.accept(socket, (result) => {
        if (result.ok) result.value.socket.on('error', () => undefined).end();
      });
    };
    const stream = connect({ port: port(), host: '127.0.0.1' });
    const context = meshSecureContext(good(CLIENT), OPTIONS);
    const result = await connectMeshTls({ stream, context, identities: [renewed], handshakeTimeoutMs: 2000 });
    assert.ok(result.ok);
    result.value.socket.on('error', () => undefined).destroy();
  });

  it('gives up on a client that says nothing at the deadline, and on one that leaves at once', async () => {
    const server = new MeshTlsServer(good(SERVER), 'cluster.local', { ...OPTIONS, handshakeTimeoutMs: 150 });
    for (const leave of [false, true]) {
      const outcome = new Promise<string>((resolve) => {
        onConnection = (socket) => {
          socket.on('error', () => undefined);
          server.accept(socket, (result) => resolve(result.ok ? 'up' : result.error.code));
        };
      });
      const stream = connect({ port: port(), host: '127.0.0.1' });
      stream.on('error', () => undefined);
      if (leave) stream.end(Buffer.of(0x16));
      assert.equal(await outcome, 'TLS_HANDSHAKE_FAILED');
      stream.destroy();
    }
  });
});

describe('the identity of a certificate', () => {
  const identityOf = (options: TestLeafOptions) => peerIdentity(new X509Certificate(ca.leaf(options).certPem))?.id;
  it('is its one URI name, whatever DNS names stand beside it', () => {
    assert.equal(identityOf({ uri: CLIENT }), CLIENT);
    assert.equal(identityOf({ uri: CLIENT, dnsNames: ['a.example'] }), CLIENT);
  });
  it('is none in every other case', () => {
    for (const options of [
      { uris: [] },
      { uris: [CLIENT, 'https://example.com'] },
      { uris: [CLIENT, CLIENT] },
      { uri: `${CLIENT}\0` },
      { uri: `${CLIENT}, URI:${SERVER}` },
      { uri: `https://example.com/, URI:${CLIENT}` },
      { uri: CLIENT, dnsNames: [`x", URI:${SERVER}`] },
      { uris: [], dnsNames: [`URI:${CLIENT}`] },
      { uris: [], dnsNames: [CLIENT] },
    ]) {
      assert.equal(identityOf(options), undefined, JSON.stringify(options));
    }
  });
  it('is none for a certificate of an authority', () => {
    assert.equal(peerIdentity(new X509Certificate(ca.rootPem)), undefined);
    assert.equal(identityOf({ uri: CLIENT, isAuthority: true }), undefined);
  });
});
