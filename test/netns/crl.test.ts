/** Revoked peers (facts ztunnel-wire 7.1, 15.3 crl_*): in and out, new connections and open ones. */
import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { eventually } from '../helpers/eventually.ts';
import { MeshLab, type MeshPod } from '../helpers/mesh-lab.ts';
import { identityOf, isRefused } from '../helpers/mesh-objects.ts';
import { enterPrivateNetns } from '../helpers/netns.ts';
import { connectFrom, type EchoServer, echoOnce, serveEcho, untilEnded } from '../helpers/pod-traffic.ts';
import { createCrl, createCrlPem } from '../helpers/test-crl.ts';

enterPrivateNetns(import.meta.url);

const REVOKED = 'error="connection closed: peer certificate revoked by CRL"';

interface CertificateEntry {
  readonly identity: string;
  readonly certChain: readonly { readonly serialNumber: string }[];
  readonly rootCerts: readonly { readonly pem: string }[];
}

class Lab implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'ambit-crl-'));
  readonly path = join(this.folder, 'ca-crl.pem');
  mesh!: MeshLab;
  client!: MeshPod;
  server!: MeshPod;
  echo!: EchoServer;

  static async start(): Promise<Lab> {
    const lab = new Lab();
    lab.mesh = await MeshLab.start({ env: { CRL_PATH: lab.path, POOL_UNUSED_RELEASE_TIMEOUT: '50ms' } });
    lab.client = await lab.mesh.addPod('client', { enrolled: true });
    lab.server = await lab.mesh.addPod('server', { enrolled: true });
    lab.echo = await serveEcho(lab.server, 8080);
    return lab;
  }

  /** Puts the certificates of these identities on the list, and waits until it is in force. */
  async revoke(names: readonly string[], encode: (root: string, serials: readonly string[]) => string | Buffer) {
    const dump = JSON.parse((await this.mesh.fetch(this.mesh.ztunnel.adminPort, '/config_dump')).body);
    const entries = (dump.certificates as CertificateEntry[]).filter((one) =>
      names.map(identityOf).includes(one.identity),
    );
    const root = Buffer.from(dump.certificates[0].rootCerts[0].pem, 'base64').toString();
    const inForce = this.mesh.log.filter((line) => line.includes('CRL in force')).length;
    writeFileSync(
      `${this.path}.new`,
      encode(
        root,
        entries.map((one) => one.certChain[0]?.serialNumber ?? ''),
      ),
    );
    renameSync(`${this.path}.new`, this.path);
    await eventually(
      'the list is read',
      () => this.mesh.log.filter((line) => line.includes('CRL in force')).length > inForce,
    );
  }

  call(): Promise<string> {
    return echoOnce(this.client, this.server.ipv4, 8080, 'x');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.echo[Symbol.asyncDispose]();
    await this.mesh[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

describe('a revocation list', () => {
  it('that is not there, or names others, stops nobody', async () => {
    await using lab = await Lab.start();
    assert.equal(await lab.call(), `${lab.client.ipv4}: x`);
    assert.ok(lab.mesh.log.some((line) => line.includes('CRL cannot be read')));
    await lab.revoke([], createCrlPem);
    assert.equal(await lab.call(), `${lab.client.ipv4}: x`);
  });

  it('with the server on it keeps clients from it', async () => {
    await using lab = await Lab.start();
    await lab.revoke(['server'], createCrlPem);
    assert.ok(await isRefused(lab.call()));
    await eventually('the log', () =>
      lab.mesh.log.some((line) => line.includes('direction="outbound"') && line.includes(REVOKED)),
    );
    const { body } = await lab.mesh.fetch(lab.mesh.ztunnel.metricsPort, '/metrics');
    assert.match(body, /connections_failed_total\{reporter="source"[^}]*response_flags="CERT_REVOKED"/);
    assert.match(body, /istio_crl_policy_rejections_total\{reporter="source"\} 1\n/);
  });

  it('with the client on it, in DER, keeps it out of servers', async () => {
    await using lab = await Lab.start();
    await lab.revoke(['client'], createCrl);
    assert.ok(await isRefused(lab.call()));
    assert.equal(lab.echo.connections, 0);
    await eventually('the log', () =>
      lab.mesh.log.some((line) => line.includes('direction="inbound"') && line.includes(REVOKED)),
    );
    const { body } = await lab.mesh.fetch(lab.mesh.ztunnel.metricsPort, '/metrics');
    assert.match(body, /istio_crl_policy_rejections_total\{reporter="destination"\} 1\n/);
  });

  for (const [side, direction] of [
    ['server', 'outbound'],
    ['client', 'inbound'],
  ] as const) {
    it(`that comes to hold the ${side} closes open connections of it`, async () => {
      await using lab = await Lab.start();
      const open = await connectFrom(lab.client, lab.server.ipv4, 8080);
      await new Promise((resolve) => {
        open.once('data', resolve);
        open.write('x');
      });
      const ended = untilEnded(open);
      await lab.revoke([side], createCrlPem);
      await ended;
      await eventually('the log', () =>
        lab.mesh.log.some((line) => line.includes(`direction="${direction}"`) && line.includes(REVOKED)),
      );
      const { body } = await lab.mesh.fetch(lab.mesh.ztunnel.metricsPort, '/metrics');
      assert.match(body, /connections_closed_total\{[^}]*response_flags="CERT_REVOKED"/);
    });
  }

  it('that is broken leaves the one before it in force', async () => {
    await using lab = await Lab.start();
    await lab.revoke(['server'], createCrlPem);
    writeFileSync(lab.path, 'not a list');
    await eventually('it is refused', () => lab.mesh.log.some((line) => line.includes('CRL refused')));
    assert.ok(await isRefused(lab.call()));
  });
});
