/** `XDS_ON_DEMAND` on real namespaces, against the real control plane: what is asked for, and what is not (facts 5.3). */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { type RunningControl, startControl } from '../../src/control/app.ts';
import { createWorkload } from '../../src/model/workload.ts';
import { openHbone } from '../helpers/hbone-client.ts';
import { document, object, pod, service } from '../helpers/manifests.ts';
import { MeshLab, type MeshLabOptions } from '../helpers/mesh-lab.ts';
import { identityOf, isRefused } from '../helpers/mesh-objects.ts';
import { enterPrivateNetns, type LabPod } from '../helpers/netns.ts';
import { echoOnce, serveEcho } from '../helpers/pod-traffic.ts';
import { createTestTokenIssuer } from '../helpers/test-ca.ts';

enterPrivateNetns(import.meta.url);

const VIP = '10.96.0.20';
const CLOSED_VIP = '10.96.0.21';

interface Dump {
  readonly workloads: readonly { readonly name: string }[];
  readonly services: readonly { readonly name: string }[];
}

function startLabControl(root: string, grpcPort = 0): Promise<RunningControl> {
  return startControl(
    {
      configFolders: [join(root, 'config')],
      host: '127.0.0.1',
      grpcPort,
      httpPort: 0,
      caDirectory: join(root, 'ca'),
      tokenKeyFile: join(root, 'keys.pem'),
      trustNodeOfToken: true,
      statusFile: join(root, 'status.json'),
    },
    { clock: systemClock, logger: silentLogger },
  );
}

/** A control plane over a folder, and a node whose ztunnel asks it for addresses one by one. */
class OnDemandLab implements AsyncDisposable {
  readonly #root: string;
  control: RunningControl;
  readonly mesh: MeshLab;

  private constructor(root: string, control: RunningControl, mesh: MeshLab) {
    this.#root = root;
    this.control = control;
    this.mesh = mesh;
  }

  static async start(options: MeshLabOptions = {}): Promise<OnDemandLab> {
    const root = await mkdtemp(join(tmpdir(), 'ambit-on-demand-'));
    const tokens = createTestTokenIssuer();
    await mkdir(join(root, 'config'));
    await writeFile(join(root, 'keys.pem'), tokens.publicKeyPem);
    const control = await startLabControl(root);
    const env = {
      XDS_ADDRESS: `https://localhost:${control.addresses.grpcPort}`,
      XDS_ROOT_CA: control.rootsPem(),
      AUTH_TOKEN: await tokens.token({ node: 'node1' }),
      XDS_ON_DEMAND: 'true',
      ISTIO_META_DNS_CAPTURE: 'false',
      ...options.env,
    };
    return new OnDemandLab(root, control, await MeshLab.start({ ...options, env }));
  }

  /** Writes the manifests of a file as a whole. */
  async write(name: string, ...objects: unknown[]): Promise<void> {
    await writeFile(join(this.#root, 'draft'), objects.map(document).join(''));
    await rename(join(this.#root, 'draft'), join(this.#root, 'config', name));
    await this.control.rescan();
  }

  /** Another control plane in the place of the first, after `meanwhile`. */
  async replaceControl(meanwhile: () => Promise<void>): Promise<void> {
    const { grpcPort } = this.control.addresses;
    await this.control.stop(0);
    await meanwhile();
    this.control = await startLabControl(this.#root, grpcPort);
  }

  async enrol(one: LabPod): Promise<void> {
    const { name } = one;
    await this.mesh.enrol(one, createWorkload({ uid: name, name, namespace: 'default', serviceAccount: name }));
  }

  async known(): Promise<{ workloads: string[]; services: string[] }> {
    const { body } = await this.mesh.fetch(this.mesh.ztunnel.adminPort, '/config_dump');
    const dump = JSON.parse(body) as Dump;
    const names = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name).sort();
    return { workloads: names(dump.workloads), services: names(dump.services) };
  }

  async until(holds: (known: { workloads: string[]; services: string[] }) => boolean): Promise<void> {
    for (let attempt = 0; !holds(await this.known()); attempt++) {
      assert.ok(attempt < 1000, 'the feed brings it in time');
      await delay(10);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mesh[Symbol.asyncDispose]();
    await this.control.stop(0);
    await rm(this.#root, { recursive: true, force: true });
  }
}

const manifest = (one: LabPod, labels: Readonly<Record<string, string>> = { app: one.name }) =>
  pod({ name: one.name, namespace: 'default', ip: one.ipv4, node: 'node1', labels });

const vipService = (name: string, clusterIP: string, labels = {}, port = 80) =>
  service(
    name,
    {
      clusterIP,
      clusterIPs: [clusterIP],
      selector: { app: 'server' },
      ports: [{ name: 'tcp', port, targetPort: port === 80 ? 8080 : port }],
    },
    { namespace: 'default', labels },
  );

async function withPods(lab: OnDemandLab) {
  const [client, server, other, outside] = ['client', 'server', 'other', 'outside'].map((name) =>
    lab.mesh.net.addPod(name),
  ) as [LabPod, LabPod, LabPod, LabPod];
  await lab.write('pods.yaml', ...[client, server, other].map((one) => manifest(one)));
  await lab.write(
    'services.yaml',
    vipService('echo', VIP),
    vipService('closed', CLOSED_VIP, { 'istio.io/use-waypoint': 'nope' }),
    vipService('unused', '10.96.0.22'),
  );
  assert.deepEqual(await lab.known(), { workloads: [], services: [] });
  await lab.enrol(client);
  await lab.enrol(server);
  return { client, server, other, outside };
}

describe('a ztunnel that asks for addresses one by one', { timeout: 60_000 }, () => {
  it('reaches enrolled pods by address and by VIP through tunnels and knows only what was asked for', async () => {
    await using lab = await OnDemandLab.start();
    const { client, server } = await withPods(lab);
    await using echo = await serveEcho(server, 8080);
    assert.equal(await echoOnce(client, server.ipv4, 8080, 'by address'), `${client.ipv4}: by address`);
    assert.deepEqual(await lab.known(), { workloads: ['client', 'server'], services: [] });
    assert.equal(await echoOnce(client, VIP, 80, 'by VIP'), `${client.ipv4}: by VIP`);
    assert.deepEqual(await lab.known(), { workloads: ['client', 'server'], services: ['echo'] });
    assert.equal(echo.connections, 2);
    const outbound = lab.mesh.log.filter((line) => line.includes('direction="outbound"'));
    assert.equal(outbound.filter((line) => line.includes(`dst.hbone_addr=${server.ipv4}:8080`)).length, 2);
  });

  it('lets an unknown address pass, asks for it once, and hears when it becomes a pod of the mesh', async () => {
    await using lab = await OnDemandLab.start();
    const { client, outside } = await withPods(lab);
    await using _echo = await serveEcho(outside, 8080);
    assert.equal(await echoOnce(client, outside.ipv4, 8080, 'first'), `${client.ipv4}: first`);
    const { pushes } = lab.control.stats.xds;
    assert.equal(await echoOnce(client, outside.ipv4, 8080, 'second'), `${client.ipv4}: second`);
    assert.equal(lab.control.stats.xds.pushes, pushes, 'the second connection asked nothing');
    assert.ok(!(await lab.known()).workloads.includes('outside'));
    await lab.write('outside.yaml', manifest(outside));
    await lab.until(({ workloads }) => workloads.includes('outside'));
    // It is not enrolled: a tunnel to it, which the feed now asks for, finds nobody, and plain TCP is no way round it.
    assert.ok(await isRefused(echoOnce(client, outside.ipv4, 8080, 'third')));
  });

  it('refuses a service whose waypoint does not exist', async () => {
    await using lab = await OnDemandLab.start();
    const { client, server } = await withPods(lab);
    await using echo = await serveEcho(server, 8080);
    for (const text of ['one', 'two']) assert.ok(await isRefused(echoOnce(client, CLOSED_VIP, 80, text)));
    assert.equal(echo.connections, 0);
    const refusals = lab.mesh.log.filter((line) =>
      line.includes('unknown waypoint: default/nope.default.svc.cluster.local'),
    );
    assert.equal(refusals.length, 2);
    assert.deepEqual((await lab.known()).services, ['closed']);
  });

  it('asks for what a tunnel to one of its pods names: a hostname, or an address behind the pod as waypoint', async () => {
    await using lab = await OnDemandLab.start();
    const { server, outside } = await withPods(lab);
    const gateway = {
      gatewayClassName: 'istio-waypoint',
      listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }],
    };
    await lab.write(
      'waypoint.yaml',
      object('gateway.networking.k8s.io/v1', 'Gateway', 'front', gateway, { namespace: 'default' }),
      vipService('front', '10.96.0.30', {}, 15008),
      vipService('behind', '10.96.0.31', { 'istio.io/use-waypoint': 'front' }),
    );
    await using _echo = await serveEcho(server, 8080);
    using hbone = await openHbone(outside, {
      identity: identityOf('outside'),
      address: server.ipv4,
      serverIdentity: identityOf('server'),
    });
    const byHostname = await hbone.connect('echo.default.svc.cluster.local:80', 'name');
    assert.deepEqual([byHostname.status, byHostname.body], ['200', `${outside.ipv4}: name`]);
    const asWaypoint = await hbone.connect('10.96.0.31:8080', 'waypoint');
    assert.deepEqual([asWaypoint.status, asWaypoint.body], ['200', `${outside.ipv4}: waypoint`]);
    for (const unknown of ['192.0.2.9:8080', 'nothing.example.com:8080']) {
      const { status } = await hbone.connect(unknown, 'no');
      const { pushes } = lab.control.stats.xds;
      assert.equal((await hbone.connect(unknown, 'no')).status, status);
      assert.equal(lab.control.stats.xds.pushes, pushes, 'the second request asked nothing');
      assert.match(status, /^(400|503)$/);
    }
    assert.deepEqual((await lab.known()).services, ['behind', 'echo']);
  });

  it('hears after a reconnect of everything that it had asked for and that changed meanwhile', async () => {
    await using lab = await OnDemandLab.start();
    const { client, server, outside } = await withPods(lab);
    await using _echo = await serveEcho(server, 8080);
    await using _outside = await serveEcho(outside, 8080);
    assert.equal(await echoOnce(client, VIP, 80, 'before'), `${client.ipv4}: before`);
    assert.equal(await echoOnce(client, outside.ipv4, 8080, 'before'), `${client.ipv4}: before`);
    await lab.replaceControl(async () => {
      await lab.write('outside.yaml', manifest(outside));
      await lab.write('pods.yaml', manifest(client));
    });
    await lab.until(({ workloads }) => workloads.join() === 'client,outside');
    assert.deepEqual((await lab.known()).services, ['echo']);
    await lab.write('pods.yaml', manifest(client), manifest(server));
    await lab.until(({ workloads }) => workloads.join() === 'client,outside,server');
    assert.equal(await echoOnce(client, VIP, 80, 'after'), `${client.ipv4}: after`);
  });

  it('does so with worker threads too', async () => {
    await using lab = await OnDemandLab.start({ workers: true, env: { ZTUNNEL_WORKER_THREADS: '2' } });
    const { client, server } = await withPods(lab);
    await using echo = await serveEcho(server, 8080);
    const texts = ['a', 'b', 'c', 'd', 'e', 'f'];
    const answers = await Promise.all(texts.map((text) => echoOnce(client, VIP, 80, text)));
    assert.deepEqual(
      answers,
      texts.map((text) => `${client.ipv4}: ${text}`),
    );
    assert.equal(echo.connections, texts.length);
    assert.deepEqual(await lab.known(), { workloads: ['client', 'server'], services: ['echo'] });
  });
});
