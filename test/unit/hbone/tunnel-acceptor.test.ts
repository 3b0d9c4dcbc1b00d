import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { fail, ok } from '../../../src/base/result.ts';
import { proxyError } from '../../../src/hbone/proxy-error.ts';
import { TlsStore } from '../../../src/hbone/tls-store.ts';
import { TunnelAcceptor, type TunnelAcceptorDeps } from '../../../src/hbone/tunnel-acceptor.ts';
import { tunnelTransport } from '../../../src/hbone/tunnel-stream.ts';
import type { SpiffeId } from '../../../src/model/spiffe.ts';
import { dialTcp } from '../../../src/net/tcp-dialer.ts';
import { listenTcp } from '../../../src/net/tcp-listener.ts';
import { connectMeshTls, meshSecureContext } from '../../../src/tls/mesh-tls.ts';
import { eventually } from '../../helpers/eventually.ts';
import { createTestCa, testSpiffeId, workloadCertificate } from '../../helpers/test-ca.ts';

const OPTIONS = { tls12: false, compliancePolicy: '' as const, handshakeTimeoutMs: 5000 };
const SERVER = testSpiffeId('default', 'server') as SpiffeId;
const ca = createTestCa();
const certificate = { ...workloadCertificate(ca.leaf({ uri: SERVER })), identity: SERVER };
const store = new TlsStore({ clock: systemClock, options: OPTIONS, fetch: async () => ok(certificate) });

/** Listens for tunnels; failures are kept. */
async function listen(deps: Partial<TunnelAcceptorDeps>) {
  const failures: string[] = [];
  const acceptor = new TunnelAcceptor({
    tls: () => store.get(SERVER),
    serve: async () => undefined,
    onFailed: (_connection, error) => void failures.push(`${error.code} ${error.message}`),
    ...deps,
  });
  const listener = await listenTcp(
    { endpoint: { address: '127.0.0.1', port: 0 } },
    { onConnection: (connection) => acceptor.accept(connection) },
  );
  return { acceptor, failures, port: listener.endpoint.port, [Symbol.dispose]: () => listener.close() };
}

/** Does the handshake of a mesh peer, and waits for the end of the connection. */
async function shakeHands(port: number): Promise<string> {
  const stream = await dialTcp({ destination: { address: '127.0.0.1', port } });
  const context = meshSecureContext(certificate, OPTIONS);
  const secured = await connectMeshTls({ stream, context, identities: [SERVER], handshakeTimeoutMs: 5000 });
  if (!secured.ok) throw secured.error;
  const { socket } = secured.value;
  return new Promise((resolve) => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on('end', () => resolve('ended'));
    socket.resume();
  });
}

/** Connects and waits for the end. */
function closedBy(port: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    socket.on('close', () => resolve()).resume();
  });
}

describe('a connection that is to become a tunnel', () => {
  it('is closed, and its failure told once, where there is no certificate', async () => {
    const failing: Record<string, TunnelAcceptorDeps['tls']> = {
      'IDENTITY none': async () => fail(proxyError('IDENTITY', 'none')),
      'TLS_FAILED tls error: a defect': () => Promise.reject(new Error('a defect')),
    };
    for (const [failure, tls] of Object.entries(failing)) {
      using listening = await listen({ tls });
      await closedBy(listening.port);
      assert.deepEqual(listening.failures, [failure]);
    }
  });

  it('is reset, and its failure told once, where serving it throws', async () => {
    const serving: TunnelAcceptorDeps['serve'][] = [
      () => Promise.reject(new Error('a defect')),
      async (_connection, stream, { socket }) => {
        await tunnelTransport(stream, socket);
        throw new Error('a defect');
      },
    ];
    for (const serve of serving) {
      using listening = await listen({ serve });
      assert.equal(await shakeHands(listening.port), 'ECONNRESET');
      assert.deepEqual(listening.failures, ['TLS_FAILED tls error: a defect']);
    }
  });

  it('is given up at a stop, before it has its certificate and after', async () => {
    for (const hasCertificate of [false, true]) {
      let found: () => void = () => undefined;
      const late = new Promise<void>((resolve) => {
        found = resolve;
      });
      let asked = false;
      using listening = await listen({
        tls: async () => {
          asked = true;
          if (!hasCertificate) await late;
          return store.get(SERVER);
        },
      });
      const closed = closedBy(listening.port);
      await eventually('the connection', () => asked);
      await new Promise((resolve) => setTimeout(resolve, 20));
      listening.acceptor.stop();
      await closed;
      found();
      await eventually('the failure', () => listening.failures.length === 1);
    }
  });
});
