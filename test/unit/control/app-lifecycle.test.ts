import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { type RunningControl, startControl } from '../../../src/control/app.ts';
import type { ControlOptions } from '../../../src/control/control-options.ts';
import { activateNextRoot, announceNextRoot } from '../../../src/pki/own-root.ts';
import { splitCertificates } from '../../../src/pki/pem.ts';
import { createTestTokenIssuer } from '../../helpers/test-ca.ts';

let root = '';
let running: RunningControl | undefined;

async function start(options: Partial<ControlOptions> = {}): Promise<RunningControl> {
  running = await startControl(
    {
      configFolders: [join(root, 'config')],
      host: '127.0.0.1',
      grpcPort: 0,
      httpPort: 0,
      caDirectory: join(root, 'ca'),
      tokenKeyFile: join(root, 'keys.pem'),
      ...options,
    },
    { clock: systemClock, logger: silentLogger },
  );
  return running;
}

/** The issuer key id of the certificate that the server shows to a client who trusts `ca`; rejects otherwise. */
function handshake(port: number, ca: string): Promise<X509Certificate> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      port,
      host: '127.0.0.1',
      servername: 'istiod.istio-system.svc',
      ca,
      ALPNProtocols: ['h2'],
    });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      resolve(new X509Certificate(socket.getPeerCertificate().raw));
      socket.destroy();
    });
  });
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ambit-lifecycle-'));
  await mkdir(join(root, 'config'));
  await writeFile(join(root, 'keys.pem'), createTestTokenIssuer().publicKeyPem);
});

afterEach(async () => {
  await running?.stop(0);
  running = undefined;
  await rm(root, { recursive: true, force: true });
});

describe('startControl', { timeout: 110_000 }, () => {
  test('says what is missing and leaves nothing running', async () => {
    await assert.rejects(start({ configFolders: [join(root, 'nowhere')] }), { code: 'CONFIG_FOLDER_UNREADABLE' });
    await assert.rejects(start({ ownRoot: false, caDirectory: join(root, 'no-ca') }), { code: 'CA_FILE_UNREADABLE' });
    const { addresses } = await start();
    const first = running;
    await assert.rejects(start({ grpcPort: addresses.grpcPort }), { code: 'CONTROL_LISTEN_FAILED' });
    await assert.rejects(start({ httpPort: addresses.httpPort }), { code: 'LISTEN_FAILED' });
    running = first;
  });

  test('closes its ports when it is stopped, also with clients connected', async () => {
    const control = await start();
    const { grpcPort, httpPort } = control.addresses;
    const client = connectTls({
      port: grpcPort,
      host: '127.0.0.1',
      ca: control.rootsPem(),
      servername: 'localhost',
      ALPNProtocols: ['h2'],
    });
    client.on('error', () => undefined);
    await new Promise((resolve) => client.once('secureConnect', resolve));
    await control.stop(100);
    running = undefined;
    void client.destroy();
    assert.deepEqual([await isOpen(grpcPort), await isOpen(httpPort)], [false, false]);
  });

  test('keeps its root over a restart', async () => {
    const first = (await start()).rootsPem();
    await running?.stop(0);
    assert.equal((await start()).rootsPem(), first);
  });

  test('serves with a certificate of the new root once a rotation reaches it, without a restart', async () => {
    const control = await start();
    const { grpcPort } = control.addresses;
    const oldRoot = control.rootsPem();
    await handshake(grpcPort, oldRoot);
    const ca = join(root, 'ca');
    await announceNextRoot({ directory: ca, organization: 'cluster.local' }, Date.now());
    await activateNextRoot(ca);
    for (let attempt = 0; splitCertificates(control.rootsPem()).length < 2; attempt++) {
      assert.ok(attempt < 500, 'the CA was not reloaded');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const newRoot = splitCertificates(control.rootsPem()).find((pem) => pem !== oldRoot)!;
    for (let attempt = 0; ; attempt++) {
      try {
        const leaf = await handshake(grpcPort, newRoot);
        assert.ok(leaf.checkIssued(new X509Certificate(newRoot)));
        return;
      } catch (error) {
        if (attempt === 200) throw error;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
  });
});
