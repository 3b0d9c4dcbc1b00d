/** Services of another network: a tunnel inside the tunnel to the network's gateway (facts ztunnel-wire 6.6). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Service } from '../../src/model/service.ts';
import { eventually } from '../helpers/eventually.ts';
import { type HboneServer, serveHbone } from '../helpers/hbone-server.ts';
import { MeshLab, type MeshPod } from '../helpers/mesh-lab.ts';
import {
  clusterService,
  endpointOf,
  gatewayByAddress,
  gatewayByHostname,
  hostnameOf,
  identityOf,
  ip,
  isRefused,
} from '../helpers/mesh-objects.ts';
import { enterPrivateNetns } from '../helpers/netns.ts';
import { echoOnce, serveEcho } from '../helpers/pod-traffic.ts';

enterPrivateNetns(import.meta.url);

const VIP = '10.96.0.20';
const SANS = [identityOf('server')];

interface TwoNetworks extends AsyncDisposable {
  readonly mesh: MeshLab;
  readonly client: MeshPod;
  readonly gateway: HboneServer;
  readonly gatewayPod: MeshPod;
}

/** A client on network `near`; service `echo` whose endpoint is behind the gateway of network `far`. */
async function twoNetworks(
  service: Partial<Service> = { subjectAltNames: SANS },
  workload: object = {},
): Promise<TwoNetworks> {
  const mesh = await MeshLab.start({ env: { NETWORK: 'near' } });
  const client = await mesh.addPod('client', { enrolled: true, workload: { network: 'near' } });
  const gatewayPod = await mesh.addPod('gateway', {
    workload: { network: 'far', protocol: 'HBONE', nativeTunnel: true, ...endpointOf('gateway', { 15008: 15008 }) },
  });
  const gateway = await serveHbone(gatewayPod, { identity: identityOf('gateway') });
  const standIn = {
    ...client.workload,
    uid: 'far/SplitHorizonWorkload/gateway/default/echo',
    name: 'stand-in',
    serviceAccount: 'stand-in',
    addresses: [],
    network: 'far',
    networkGateway: gatewayByAddress(gatewayPod.ipv4, 'far'),
    ...endpointOf('echo', { 80: 8080 }),
    ...workload,
  };
  mesh.apply([
    { kind: 'workload', workload: standIn },
    {
      kind: 'service',
      service: clusterService(
        'echo',
        undefined,
        { 80: 8080 },
        {
          vips: [{ network: 'near', address: ip(VIP) }],
          ...service,
        },
      ),
    },
    { kind: 'service', service: clusterService('gateway', undefined, { 15008: 15008 }) },
  ]);
  return {
    mesh,
    client,
    gateway,
    gatewayPod,
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]();
      await mesh[Symbol.asyncDispose]();
    },
  };
}

describe('a service of another network', () => {
  it('is called through a tunnel in a tunnel; both carry hostname and service port, the inner one the origin', async () => {
    await using networks = await twoNetworks();
    const { mesh, client, gateway } = networks;
    const far = mesh.net.addPod('far-server');
    await using server = await serveHbone(far, { identity: identityOf('server') });
    gateway.behaviour = { kind: 'forward', address: far.ipv4, port: 15008 };
    const authority = `${hostnameOf('echo')}:80`;
    assert.equal(await echoOnce(client, VIP, 80, 'hi'), `via far-server ${authority}: hi`);
    const [outer] = gateway.requests;
    const [inner] = server.requests;
    assert.equal(outer?.authority, authority);
    assert.equal(outer?.peer, identityOf('client'));
    assert.equal(outer?.headers.has('x-forwarded-network'), false);
    assert.equal(inner?.authority, authority);
    assert.equal(inner?.peer, identityOf('client'), 'the far side sees the client, not the gateway');
    assert.equal(inner?.headers.get('x-forwarded-network'), 'near');
    await eventually('the log', () => mesh.log.some((line) => line.includes(`dst.hbone_addr=${authority}`)));
  });

  it('shares the outer tunnel between connections and never the inner one', async () => {
    await using networks = await twoNetworks();
    const { mesh, client, gateway } = networks;
    const far = mesh.net.addPod('far-server');
    await using server = await serveHbone(far, { identity: identityOf('server') });
    gateway.behaviour = { kind: 'forward', address: far.ipv4, port: 15008 };
    for (let call = 0; call < 3; call++) assert.match(await echoOnce(client, VIP, 80, 'x'), /: x$/);
    assert.equal(gateway.tunnels, 1);
    assert.equal(gateway.requests.length, 3);
    assert.equal(server.tunnels, 3);
  });

  it('reaches a real ztunnel behind the gateway, which maps the port and keeps the identity for its policies', async () => {
    await using networks = await twoNetworks();
    const { mesh, client, gateway } = networks;
    const server = await mesh.addPod('server', {
      enrolled: true,
      workload: { network: 'far', ...endpointOf('echo', { 80: 8080 }), capacity: 0 },
    });
    await using echo = await serveEcho(server, 8080);
    gateway.behaviour = { kind: 'forward', address: server.ipv4, port: 15008 };
    assert.match(await echoOnce(client, VIP, 80, 'x'), /: x$/);
    assert.equal(echo.connections, 1);
    await eventually('the log', () =>
      mesh.log.some((line) => line.includes('direction="inbound"') && line.includes(identityOf('client'))),
    );
  });

  it('whose gateway is named by its service is found too', async () => {
    await using networks = await twoNetworks(undefined, { networkGateway: gatewayByHostname('gateway') });
    const { mesh, client, gateway } = networks;
    const far = mesh.net.addPod('far-server');
    await using _server = await serveHbone(far, { identity: identityOf('server') });
    gateway.behaviour = { kind: 'forward', address: far.ipv4, port: 15008 };
    assert.match(await echoOnce(client, VIP, 80, 'x'), /: x$/);
  });

  it('is refused when the control plane names nobody who may answer for it', async () => {
    await using networks = await twoNetworks({ subjectAltNames: [] });
    const { mesh, client, gateway } = networks;
    const far = mesh.net.addPod('far-server');
    await using server = await serveHbone(far, { identity: identityOf('server') });
    gateway.behaviour = { kind: 'forward', address: far.ipv4, port: 15008 };
    assert.ok(await isRefused(echoOnce(client, VIP, 80, 'x')));
    assert.equal(server.requests.length, 0);
    await eventually('the log', () => mesh.log.some((line) => line.includes('error="tls error: ')));
  });

  it('is refused when somebody else answers inside, or somebody else is the gateway', async () => {
    await using networks = await twoNetworks();
    const { mesh, client, gateway } = networks;
    const far = mesh.net.addPod('far-server');
    await using impostor = await serveHbone(far, { identity: identityOf('impostor') });
    gateway.behaviour = { kind: 'forward', address: far.ipv4, port: 15008 };
    assert.ok(await isRefused(echoOnce(client, VIP, 80, 'x')));
    assert.equal(impostor.requests.length, 0);
    const other = await mesh.addPod('other', { workload: { network: 'far', serviceAccount: 'gateway' } });
    await using wrong = await serveHbone(other, { identity: identityOf('impostor') });
    mesh.apply([
      {
        kind: 'workload',
        workload: {
          ...client.workload,
          uid: 'far/SplitHorizonWorkload/gateway/default/echo',
          name: 'stand-in',
          addresses: [],
          network: 'far',
          networkGateway: gatewayByAddress(other.ipv4, 'far'),
          ...endpointOf('echo', { 80: 8080 }),
        },
      },
    ]);
    assert.ok(await isRefused(echoOnce(client, VIP, 80, 'x')));
    assert.equal(wrong.requests.length, 0);
  });

  it('without a gateway that is known is refused with a reason', async () => {
    await using networks = await twoNetworks(undefined, { networkGateway: gatewayByAddress('10.99.0.1', 'far') });
    assert.ok(await isRefused(echoOnce(networks.client, VIP, 80, 'x')));
    await eventually('the log', () =>
      networks.mesh.log.some((line) => line.includes('error="unknown network gateway: far/10.99.0.1"')),
    );
  });

  it('whose gateway answers an error, resets or goes silent ends the client connection', async () => {
    await using networks = await twoNetworks();
    const { client, gateway, mesh } = networks;
    gateway.behaviour = { kind: 'status', status: '503' };
    assert.ok(await isRefused(echoOnce(client, VIP, 80, 'x')));
    gateway.behaviour = { kind: 'reset-request' };
    assert.ok(await isRefused(echoOnce(client, VIP, 80, 'x')));
    gateway.behaviour = { kind: 'reset-data' };
    assert.ok(await isRefused(echoOnce(client, VIP, 80, 'x')));
    gateway.behaviour = { kind: 'echo' };
    assert.ok(await isRefused(echoOnce(client, VIP, 80, 'x')), 'an answer that is no TLS');
    await eventually('four reports', () => mesh.log.filter((line) => line.includes('error=')).length >= 4);
  });

  it('with endpoints in both networks prefers the near one when told so', async () => {
    await using networks = await twoNetworks({
      subjectAltNames: SANS,
      loadBalancer: { mode: 'Failover', routingPreferences: ['Network'], healthPolicy: 'OnlyHealthy' },
    });
    const { mesh, client, gateway } = networks;
    const near = await mesh.addPod('near-server', {
      enrolled: true,
      workload: { network: 'near', ...endpointOf('echo', { 80: 8080 }) },
    });
    await using echo = await serveEcho(near, 8080);
    for (let call = 0; call < 8; call++) assert.equal(await echoOnce(client, VIP, 80, 'x'), `${client.ipv4}: x`);
    assert.equal(echo.connections, 8);
    assert.equal(gateway.requests.length, 0);
  });

  it('has its waypoint behind the gateway: the service hostname is the authority', async () => {
    await using networks = await twoNetworks({
      subjectAltNames: [identityOf('server')],
      waypoint: gatewayByHostname('far-waypoint'),
    });
    const { mesh, client, gateway, gatewayPod } = networks;
    const far = mesh.net.addPod('far-server');
    await using server = await serveHbone(far, { identity: identityOf('server') });
    gateway.behaviour = { kind: 'forward', address: far.ipv4, port: 15008 };
    mesh.apply([
      { kind: 'service', service: clusterService('far-waypoint', undefined, { 15008: 15008 }) },
      {
        kind: 'workload',
        workload: {
          ...client.workload,
          uid: 'far/SplitHorizonWorkload/gateway/default/far-waypoint',
          name: 'far-waypoint',
          addresses: [],
          network: 'far',
          networkGateway: gatewayByAddress(gatewayPod.ipv4, 'far'),
          ...endpointOf('far-waypoint', { 15008: 15008 }),
        },
      },
    ]);
    assert.equal(await echoOnce(client, VIP, 80, 'x'), `via far-server ${hostnameOf('echo')}:80: x`);
    assert.equal(server.requests[0]?.headers.get('x-forwarded-network'), 'near');
  });
});
