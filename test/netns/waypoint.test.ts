/** Waypoints on real namespaces (facts ztunnel-wire 6.1, 7.6, 15.3): who is called, under which authority, as whom. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Service } from '../../src/model/service.ts';
import { parseProxyHeader } from '../../src/net/proxy-protocol-v2.ts';
import { listenTcp } from '../../src/net/tcp-listener.ts';
import { eventually } from '../helpers/eventually.ts';
import { serveHbone } from '../helpers/hbone-server.ts';
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
import { enterPrivateNetns, type LabPod } from '../helpers/netns.ts';
import { echoOnce, serveEcho } from '../helpers/pod-traffic.ts';

enterPrivateNetns(import.meta.url);

const VIP = '10.96.0.20';
const WAYPOINT_VIP = '10.96.0.30';

/** A pod that terminates tunnels itself, as waypoints do, behind the service `waypoint`. */
async function addWaypoint(mesh: MeshLab, name = 'waypoint', service = 'waypoint', fields = {}): Promise<MeshPod> {
  return mesh.addPod(name, {
    workload: { protocol: 'HBONE', nativeTunnel: true, ...endpointOf(service, { 15008: 15008 }), ...fields },
  });
}

async function withEcho(mesh: MeshLab, fields: Partial<Service>): Promise<{ client: MeshPod; server: MeshPod }> {
  const client = await mesh.addPod('client', { enrolled: true });
  const server = await mesh.addPod('server', { enrolled: true, workload: endpointOf('echo', { 80: 8080 }) });
  mesh.apply([
    { kind: 'service', service: clusterService('echo', VIP, { 80: 8080 }, fields) },
    { kind: 'service', service: clusterService('waypoint', WAYPOINT_VIP, { 15008: 15008 }) },
  ]);
  return { client, server };
}

describe('a service with a waypoint', () => {
  const named = [
    ['its service hostname', () => gatewayByHostname('waypoint')],
    ['its service address', () => gatewayByAddress(WAYPOINT_VIP)],
    ['its pod address', (pod: LabPod) => gatewayByAddress(pod.ipv4)],
  ] as const;
  for (const [what, waypoint] of named) {
    it(`named by ${what} is reached through it, with the service address as authority`, async () => {
      await using mesh = await MeshLab.start();
      const pod = await addWaypoint(mesh);
      await using server = await serveHbone(pod, { identity: identityOf('waypoint') });
      const { client } = await withEcho(mesh, { waypoint: waypoint(pod) });
      assert.equal(await echoOnce(client, VIP, 80, 'hi'), `via waypoint ${VIP}:80: hi`);
      const [request] = server.requests;
      assert.equal(request?.authority, `${VIP}:80`);
      assert.equal(request?.peer, identityOf('client'));
      assert.equal(request?.peerAddress, client.ipv4);
      assert.match(
        request?.headers.get('forwarded') ?? '',
        new RegExp(`^for="${client.ipv4}:\\d+";host=${hostnameOf('echo')}$`),
      );
      assert.match(request?.headers.get('traceparent') ?? '', /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
      assert.match(request?.headers.get('baggage') ?? '', /k8s\.namespace\.name=default/);
      assert.deepEqual(
        [...(request?.headers.keys() ?? [])],
        [':method', ':authority', 'baggage', 'forwarded', 'traceparent'],
      );
      await eventually('the log', () =>
        mesh.log.some((line) => line.includes(`dst.addr=${pod.ipv4}:15008 dst.hbone_addr=${VIP}:80`)),
      );
    });
  }

  it('is reached through the waypoints of its list by weight, and one of weight 0 gets nothing', async () => {
    await using mesh = await MeshLab.start();
    const stable = await addWaypoint(mesh, 'stable', 'stable');
    const canary = await addWaypoint(mesh, 'canary', 'canary');
    await using first = await serveHbone(stable, { identity: identityOf('stable') });
    await using second = await serveHbone(canary, { identity: identityOf('canary') });
    const weighted = (weights: readonly [number, number]) => [
      { destination: gatewayByHostname('stable'), weight: weights[0] },
      { destination: gatewayByHostname('canary'), weight: weights[1] },
    ];
    const { client } = await withEcho(mesh, { waypoint: gatewayByHostname('stable') });
    const services = ['stable', 'canary'].map((name) => clusterService(name, undefined, { 15008: 15008 }));
    mesh.apply(services.map((service) => ({ kind: 'service', service }) as const));
    const call = async (weights: readonly [number, number], times: number) => {
      const service = clusterService('echo', VIP, { 80: 8080 }, { weightedWaypoints: weighted(weights) });
      mesh.apply([{ kind: 'service', service }]);
      first.requests.length = 0;
      second.requests.length = 0;
      for (let index = 0; index < times; index++) await echoOnce(client, VIP, 80, 'x');
      return [first.requests.length, second.requests.length];
    };
    assert.deepEqual(await call([0, 100], 10), [0, 10]);
    assert.deepEqual(await call([100, 0], 10), [10, 0]);
    const [most = 0, few = 0] = await call([75, 25], 60);
    assert.equal(most + few, 60);
    assert.ok(few >= 3 && most > few, `75:25 gave ${most}:${few}`);
  });

  it('accepts only the waypoint identity or one that the waypoint service vouches for', async () => {
    await using mesh = await MeshLab.start();
    const pod = await addWaypoint(mesh);
    await using server = await serveHbone(pod, { identity: identityOf('somebody-else') });
    const { client } = await withEcho(mesh, { waypoint: gatewayByHostname('waypoint') });
    assert.ok(await isRefused(echoOnce(client, VIP, 80, 'x')));
    assert.equal(server.requests.length, 0);
    await eventually('the log', () => mesh.log.some((line) => /error="tls error: .*somebody-else/.test(line)));
    const vouched = { subjectAltNames: [identityOf('somebody-else')] };
    mesh.apply([{ kind: 'service', service: clusterService('waypoint', WAYPOINT_VIP, { 15008: 15008 }, vouched) }]);
    assert.equal(await echoOnce(client, VIP, 80, 'y'), `via waypoint ${VIP}:80: y`);
  });

  for (const [what, waypoint] of [
    ['hostname', gatewayByHostname('gone')],
    ['address', gatewayByAddress('10.96.0.99')],
  ] as const) {
    it(`whose ${what} nobody has fails closed`, async () => {
      await using mesh = await MeshLab.start();
      const { client, server } = await withEcho(mesh, { waypoint });
      await using echo = await serveEcho(server, 8080);
      assert.ok(await isRefused(echoOnce(client, VIP, 80, 'x')));
      assert.equal(echo.connections, 0);
      await eventually('the log', () => mesh.log.some((line) => line.includes('error="unknown waypoint: ')));
    });
  }

  it('without a healthy waypoint endpoint fails closed', async () => {
    await using mesh = await MeshLab.start();
    await addWaypoint(mesh, 'waypoint', 'waypoint', { status: 'Unhealthy' });
    const { client, server } = await withEcho(mesh, { waypoint: gatewayByHostname('waypoint') });
    await using echo = await serveEcho(server, 8080);
    assert.ok(await isRefused(echoOnce(client, VIP, 80, 'x')));
    assert.equal(echo.connections, 0);
  });

  it('is by-passed by calls to its pods, as headless clients make them', async () => {
    await using mesh = await MeshLab.start();
    const pod = await addWaypoint(mesh);
    await using waypoint = await serveHbone(pod, { identity: identityOf('waypoint') });
    const { client, server } = await withEcho(mesh, { waypoint: gatewayByHostname('waypoint') });
    await using _echo = await serveEcho(server, 8080);
    assert.equal(await echoOnce(client, server.ipv4, 8080, 'x'), `${client.ipv4}: x`);
    assert.equal(waypoint.requests.length, 0);
  });
});

describe('a workload with a waypoint', () => {
  it('is reached through it when addressed itself, and directly when addressed as a service', async () => {
    await using mesh = await MeshLab.start();
    const pod = await addWaypoint(mesh);
    await using waypoint = await serveHbone(pod, { identity: identityOf('waypoint') });
    const { client, server } = await withEcho(mesh, {});
    await using _echo = await serveEcho(server, 8080);
    const bound = { ...server.workload, waypoint: gatewayByHostname('waypoint') };
    mesh.apply([{ kind: 'workload', workload: bound }]);
    assert.equal(await echoOnce(client, server.ipv4, 8080, 'x'), `via waypoint ${server.ipv4}:8080: x`);
    assert.equal(waypoint.requests[0]?.authority, `${server.ipv4}:8080`);
    assert.equal(await echoOnce(client, VIP, 80, 'y'), `${client.ipv4}: y`);
  });

  it('whose waypoint is the caller itself is reached directly', async () => {
    await using mesh = await MeshLab.start();
    const waypoint = await mesh.addPod('waypoint', { enrolled: true, workload: endpointOf('waypoint', { 15008: 0 }) });
    const { server } = await withEcho(mesh, {});
    await using _echo = await serveEcho(server, 8080);
    const by = [gatewayByHostname('waypoint'), gatewayByAddress(waypoint.ipv4), gatewayByAddress(WAYPOINT_VIP)];
    for (const gateway of by) {
      mesh.apply([{ kind: 'workload', workload: { ...server.workload, waypoint: gateway } }]);
      assert.equal(await echoOnce(waypoint, server.ipv4, 8080, 'x'), `${waypoint.ipv4}: x`);
    }
  });

  it('whose waypoint nobody has fails closed', async () => {
    await using mesh = await MeshLab.start();
    const { client, server } = await withEcho(mesh, {});
    await using echo = await serveEcho(server, 8080);
    mesh.apply([{ kind: 'workload', workload: { ...server.workload, waypoint: gatewayByHostname('gone') } }]);
    assert.ok(await isRefused(echoOnce(client, server.ipv4, 8080, 'x')));
    assert.equal(echo.connections, 0);
  });
});

describe('a waypoint endpoint that is a DNS name', () => {
  it('is resolved when the connection is made', async () => {
    await using mesh = await MeshLab.start({
      lookup: async (hostname) => {
        assert.equal(hostname, 'waypoint.example.com');
        return [{ address: pod.ipv4, ttlSec: 30 }];
      },
    });
    const pod = mesh.net.addPod('waypoint');
    await using server = await serveHbone(pod, { identity: identityOf('waypoint') });
    const { client } = await withEcho(mesh, { waypoint: gatewayByHostname('waypoint') });
    const workload = {
      ...client.workload,
      uid: 'Kubernetes/networking.istio.io/ServiceEntry/default/waypoint/waypoint.example.com',
      name: 'waypoint',
      serviceAccount: 'waypoint',
      addresses: [],
      hostname: 'waypoint.example.com',
      ...endpointOf('waypoint', { 15008: 15008 }),
    };
    mesh.apply([{ kind: 'workload', workload }]);
    assert.equal(await echoOnce(client, VIP, 80, 'hi'), `via waypoint ${VIP}:80: hi`);
    assert.equal(server.requests[0]?.authority, `${VIP}:80`);
    const { body } = await mesh.fetch(mesh.ztunnel.metricsPort, '/metrics');
    assert.match(
      body,
      /istio_on_demand_dns_total\{source_workload="client",[^}]*hostname="waypoint\.example\.com"\} 1\n/,
    );
  });

  it('that no resolver knows ends the connection with a reason', async () => {
    await using mesh = await MeshLab.start({ lookup: () => Promise.reject(new Error('NXDOMAIN')) });
    const { client } = await withEcho(mesh, { waypoint: gatewayByHostname('waypoint') });
    const named = { addresses: [], hostname: 'gone.example.com', ...endpointOf('waypoint', { 15008: 15008 }) };
    mesh.apply([{ kind: 'workload', workload: { ...client.workload, uid: 'dns', name: 'dns', ...named } }]);
    assert.ok(await isRefused(echoOnce(client, VIP, 80, 'x')));
    await eventually('the log', () =>
      mesh.log.some((line) => line.includes('error="no ip addresses were resolved for workload: dns"')),
    );
  });
});

/** A program behind a sandwiched waypoint: answers with everything that it got, PROXY header included, as hex. */
async function serveRaw(pod: LabPod, port: number, address = '::') {
  const received: Buffer[] = [];
  const peers: string[] = [];
  const listener = await listenTcp(
    { endpoint: { address, port }, netnsFd: pod.fd },
    {
      onConnection: (connection) => {
        peers.push(connection.peer.address);
        const chunks: Buffer[] = [];
        const socket = connection.open();
        socket.on('error', () => undefined);
        socket.on('data', (chunk: Buffer) => chunks.push(chunk));
        socket.on('end', () => {
          received.push(Buffer.concat(chunks));
          socket.end('done');
        });
      },
    },
  );
  return { received, peers, [Symbol.asyncDispose]: async () => listener.close() };
}

describe('a sandwiched waypoint', () => {
  const proxyTunnel = { protocol: 'PROXY', port: 15088 } as const;
  const plainTunnel = { protocol: 'NONE', port: 15088 } as const;
  const sandwiched = (mesh: MeshLab, applicationTunnel: typeof proxyTunnel | typeof plainTunnel) =>
    mesh.addPod('waypoint', {
      enrolled: true,
      workload: { applicationTunnel, ...endpointOf('waypoint', { 15008: 15008 }) },
    });

  it('gets a PROXY header with the client, the service address and the client identity', async () => {
    await using mesh = await MeshLab.start();
    const pod = await sandwiched(mesh, proxyTunnel);
    await using program = await serveRaw(pod, 15088);
    const { client } = await withEcho(mesh, { waypoint: gatewayByHostname('waypoint') });
    assert.equal(await echoOnce(client, VIP, 80, 'payload'), 'done');
    const bytes = program.received[0] ?? Buffer.alloc(0);
    const parsed = parseProxyHeader(bytes);
    assert.ok(parsed.kind === 'proxy', parsed.kind);
    assert.equal(parsed.header.source.address, client.ipv4);
    assert.ok(parsed.header.source.port > 0);
    assert.deepEqual(parsed.header.destination, { address: VIP, port: 80 });
    assert.equal(parsed.header.peerIdentity, identityOf('client'));
    assert.equal(bytes.subarray(parsed.headerBytes).toString(), 'payload');
    assert.deepEqual(program.peers, ['127.0.0.1'], 'application tunnels come over the loopback');
  });

  it('gets the PROXY header on its own address when the loopback is turned off', async () => {
    await using mesh = await MeshLab.start({ env: { LOCALHOST_APP_TUNNEL: 'false' } });
    const pod = await sandwiched(mesh, proxyTunnel);
    await using program = await serveRaw(pod, 15088);
    const { client } = await withEcho(mesh, { waypoint: gatewayByHostname('waypoint') });
    assert.equal(await echoOnce(client, VIP, 80, 'payload'), 'done');
    assert.equal(parseProxyHeader(program.received[0] ?? Buffer.alloc(0)).kind, 'proxy');
    assert.deepEqual(program.peers, [client.ipv4]);
  });

  it('without a protocol gets the bytes alone, from the client address', async () => {
    await using mesh = await MeshLab.start();
    const pod = await sandwiched(mesh, plainTunnel);
    await using program = await serveRaw(pod, 15088);
    const { client } = await withEcho(mesh, { waypoint: gatewayByHostname('waypoint') });
    assert.equal(await echoOnce(client, VIP, 80, 'payload'), 'done');
    assert.equal(program.received[0]?.toString(), 'payload');
    assert.deepEqual(program.peers, [client.ipv4]);
  });

  it('takes tunnels for any address, weighted waypoints included, but answers 503 when its program is away', async () => {
    await using mesh = await MeshLab.start();
    await sandwiched(mesh, plainTunnel);
    const weightedWaypoints = [{ destination: gatewayByHostname('waypoint'), weight: 1 }];
    const { client } = await withEcho(mesh, { weightedWaypoints });
    assert.ok(await isRefused(echoOnce(client, VIP, 80, 'x')));
    await eventually('the log', () =>
      mesh.log.some((line) => line.includes('error="http status: 503 Service Unavailable"')),
    );
  });

  it('is not reachable in plain text past a STRICT policy on its real port', async () => {
    await using mesh = await MeshLab.start();
    const outsider = await mesh.addPod('outsider');
    const pod = await sandwiched(mesh, proxyTunnel);
    await using program = await serveRaw(pod, 15088);
    const presence = { kind: 'presence' } as const;
    const { createPolicyMatch } = await import('../../src/model/policy.ts');
    mesh.apply([
      {
        kind: 'policy',
        policy: {
          name: 'strict',
          namespace: 'default',
          scope: 'Namespace',
          action: 'Deny',
          dryRun: false,
          rules: [[[createPolicyMatch({ notPrincipals: [presence] })]]],
        },
      },
    ]);
    assert.ok(await isRefused(echoOnce(outsider, pod.ipv4, 15088, 'x')));
    assert.equal(program.peers.length, 0);
    assert.equal(ip(pod.ipv4), pod.ip);
  });
});
