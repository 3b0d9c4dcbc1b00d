/** Certificates while traffic flows (facts ztunnel-wire 10.2): rotation that nobody notices, an authority that fails. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../src/base/clock.ts';
import { FakeCertificateSource } from '../../src/hbone/fake-certificate-source.ts';
import type { SpiffeId } from '../../src/model/spiffe.ts';
import type { CertificateSource } from '../../src/xds/client/ca-client.ts';
import { eventually } from '../helpers/eventually.ts';
import { openHbone } from '../helpers/hbone-client.ts';
import { MeshLab } from '../helpers/mesh-lab.ts';
import { identityOf, isRefused } from '../helpers/mesh-objects.ts';
import { enterPrivateNetns } from '../helpers/netns.ts';
import { connectFrom, echoOnce, serveEcho } from '../helpers/pod-traffic.ts';

enterPrivateNetns(import.meta.url);

/** Certificates of a short life, from an authority that can be made to fail. */
class MoodySource implements CertificateSource {
  failing = false;
  issued = 0;
  readonly #source: FakeCertificateSource;

  constructor(ttlMs: number) {
    this.#source = new FakeCertificateSource(ttlMs, systemClock);
  }

  fetch(identity: SpiffeId) {
    if (this.failing) return Promise.reject(new Error('signing gRPC error (Unavailable): no istiod'));
    this.issued++;
    return this.#source.fetch(identity);
  }

  close(): void {
    // Nothing is open.
  }
}

describe('certificates that live two seconds', () => {
  it('are replaced under load without a failed request; open connections go on', async () => {
    const source = new MoodySource(2000);
    await using mesh = await MeshLab.start({
      certificateSource: source,
      // New tunnels all the time: each of them is a handshake with what is current.
      env: { POOL_UNUSED_RELEASE_TIMEOUT: '50ms' },
    });
    const client = await mesh.addPod('client', { enrolled: true });
    const server = await mesh.addPod('server', { enrolled: true });
    await using _echo = await serveEcho(server, 8080);
    const long = await connectFrom(client, server.ipv4, 8080);
    const exchange = () =>
      new Promise<string>((resolve) => {
        long.once('data', (chunk: Buffer) => resolve(chunk.toString()));
        long.write('still');
      });
    await exchange();
    const endMs = performance.now() + 6000;
    let calls = 0;
    const load = async (pauseMs: number) => {
      while (performance.now() < endMs) {
        assert.equal(await echoOnce(client, server.ipv4, 8080, 'x'), `${client.ipv4}: x`);
        calls++;
        await delay(pauseMs);
      }
    };
    await Promise.all([load(5), load(20), load(120), load(250)]);
    assert.ok(calls > 100, `${calls} calls`);
    assert.ok(source.issued >= 8, `${source.issued} certificates for two identities in three lifetimes`);
    assert.equal(await exchange(), `${client.ipv4}: still`);
    long.destroy();
    assert.equal(
      mesh.log.filter((line) => line.includes('error=')).length,
      0,
      mesh.log.find((l) => l.includes('error=')),
    );
  });
});

describe('an authority that fails', () => {
  it('changes nothing while the certificates are valid; then new tunnels fail with IDENTITY_ERROR, until it is back', async () => {
    // Long enough that a slow machine still finds the certificate valid after its first renewal failed.
    const source = new MoodySource(16_000);
    await using mesh = await MeshLab.start({
      certificateSource: source,
      env: { POOL_UNUSED_RELEASE_TIMEOUT: '50ms' },
    });
    const client = await mesh.addPod('client', { enrolled: true });
    const server = await mesh.addPod('server', { enrolled: true });
    const caller = await mesh.addPod('caller');
    await using _echo = await serveEcho(server, 8080);
    assert.equal(await echoOnce(client, server.ipv4, 8080, 'x'), `${client.ipv4}: x`);
    source.failing = true;
    await delay(8400);
    assert.equal(await echoOnce(client, server.ipv4, 8080, 'x'), `${client.ipv4}: x`, 'valid certificates are kept');
    await delay(8400);
    assert.ok(await isRefused(echoOnce(client, server.ipv4, 8080, 'x')));
    await eventually('the log', () =>
      mesh.log.some((line) => line.includes('error="identity error: signing gRPC error (Unavailable): no istiod"')),
    );
    const { body } = await mesh.fetch(mesh.ztunnel.metricsPort, '/metrics');
    assert.match(body, /connections_failed_total\{reporter="source"[^}]*response_flags="IDENTITY_ERROR"/);
    await assert.rejects(
      openHbone(caller, {
        identity: identityOf('caller'),
        address: server.ipv4,
        serverIdentity: identityOf('server'),
      }),
      'a server without a valid certificate accepts no tunnel',
    );
    const dump = JSON.parse((await mesh.fetch(mesh.ztunnel.adminPort, '/config_dump')).body);
    const states = dump.certificates.map((one: { state: string }) => one.state);
    assert.ok(states.includes('Unavailable: signing gRPC error (Unavailable): no istiod'), states.join());
    source.failing = false;
    await delay(1100);
    let answer = '';
    await eventually('an answer', async () => {
      answer = await echoOnce(client, server.ipv4, 8080, 'x').catch(() => '');
      return answer !== '';
    });
    assert.equal(answer, `${client.ipv4}: x`);
  });

  it('from the start refuses tunnels in both directions and lets plaintext policy decide as ever', async () => {
    const source = new MoodySource(60_000);
    source.failing = true;
    await using mesh = await MeshLab.start({ certificateSource: source });
    const client = await mesh.addPod('client', { enrolled: true });
    const server = await mesh.addPod('server', { enrolled: true });
    const outsider = await mesh.addPod('outsider');
    await using echo = await serveEcho(server, 8080);
    assert.ok(await isRefused(echoOnce(client, server.ipv4, 8080, 'x')));
    assert.equal(echo.connections, 0, 'a tunnel that cannot be built never becomes plain text');
    assert.equal(await echoOnce(outsider, server.ipv4, 8080, 'x'), `${outsider.ipv4}: x`);
  });
});
