/** Shapes of destinations that need no waypoint (facts ztunnel-wire 6.5, 6.7, 8.6): VIPs, blocks, passthrough, ports. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseCidr } from '../../src/model/address.ts';
import { createPolicyMatch, type PolicyClause } from '../../src/model/policy.ts';
import type { LoadBalancing } from '../../src/model/service.ts';
import { eventually } from '../helpers/eventually.ts';
import { MeshLab } from '../helpers/mesh-lab.ts';
import { clusterService, endpointOf, hostnameOf, ip, isRefused } from '../helpers/mesh-objects.ts';
import { enterPrivateNetns } from '../helpers/netns.ts';
import { connectFrom, echoOnce, serveEcho, untilEnded } from '../helpers/pod-traffic.ts';

enterPrivateNetns(import.meta.url);

const VIP = '10.96.0.20';
const PASSTHROUGH: LoadBalancing = { mode: 'Passthrough', routingPreferences: [], healthPolicy: 'AllowAll' };

function cidr(text: string) {
  const block = parseCidr(text);
  assert.ok(block);
  return [{ network: '', cidr: block }];
}

describe('a pod that calls itself', () => {
  it('through its own service gets there, as itself', async () => {
    await using mesh = await MeshLab.start();
    const pod = await mesh.addPod('solo', { enrolled: true, workload: endpointOf('solo', { 80: 8080 }) });
    mesh.apply([{ kind: 'service', service: clusterService('solo', VIP, { 80: 8080 }) }]);
    await using echo = await serveEcho(pod, 8080);
    assert.equal(await echoOnce(pod, VIP, 80, 'x'), `${pod.ipv4}: x`);
    assert.equal(echo.connections, 1);
    await eventually(
      'both log lines',
      () => mesh.log.filter((line) => line.includes('connection complete')).length === 2,
    );
  });

  it('by its own address or the loopback is left alone', async () => {
    await using mesh = await MeshLab.start();
    const pod = await mesh.addPod('solo', { enrolled: true });
    await using _echo = await serveEcho(pod, 8080);
    assert.equal(await echoOnce(pod, '127.0.0.1', 8080, 'x'), '127.0.0.1: x');
    assert.equal(await echoOnce(pod, pod.ipv4, 8080, 'x'), `${pod.ipv4}: x`);
    assert.equal(
      mesh.log.some((line) => line.includes('connection complete')),
      false,
    );
  });
});

describe('a headless service', () => {
  it('is a matter of its pods: their addresses are called in a tunnel', async () => {
    await using mesh = await MeshLab.start();
    const client = await mesh.addPod('client', { enrolled: true });
    const pod = await mesh.addPod('db-0', { enrolled: true, workload: endpointOf('db', { 5432: 5432 }) });
    mesh.apply([{ kind: 'service', service: clusterService('db', undefined, { 5432: 5432 }) }]);
    await using _echo = await serveEcho(pod, 5432);
    assert.equal(await echoOnce(client, pod.ipv4, 5432, 'x'), `${client.ipv4}: x`);
    await eventually('a tunnel', () => mesh.log.some((line) => line.includes(`dst.hbone_addr=${pod.ipv4}:5432`)));
  });
});

describe('a destination outside of the mesh', () => {
  it('that is unknown passes in plain TCP', async () => {
    await using mesh = await MeshLab.start();
    const client = await mesh.addPod('client', { enrolled: true });
    const outside = mesh.net.addPod('outside');
    await using _echo = await serveEcho(outside, 443);
    assert.equal(await echoOnce(client, outside.ipv4, 443, 'x'), `${client.ipv4}: x`);
    await eventually('the log', () =>
      mesh.log.some((line) => line.includes(`dst.addr=${outside.ipv4}:443 direction="outbound"`)),
    );
  });

  it('that nothing listens on ends with a reason, and counts as failed', async () => {
    await using mesh = await MeshLab.start();
    const client = await mesh.addPod('client', { enrolled: true });
    const outside = mesh.net.addPod('outside');
    assert.ok(await isRefused(echoOnce(client, outside.ipv4, 443, 'x')));
    await eventually('the log', () =>
      mesh.log.some((line) => /error="connection failed: .*nothing listens/.test(line)),
    );
    const { body } = await mesh.fetch(mesh.ztunnel.metricsPort, '/metrics');
    assert.match(body, /connections_failed_total\{reporter="source"[^}]*response_flags="CONNECT"/);
  });

  it('that a passthrough service owns goes to its original address, named after the service', async () => {
    await using mesh = await MeshLab.start();
    const client = await mesh.addPod('client', { enrolled: true });
    const outside = mesh.net.addPod('outside');
    await using _echo = await serveEcho(outside, 443);
    const service = clusterService('external', outside.ipv4, { 443: 443 }, { loadBalancer: PASSTHROUGH });
    mesh.apply([{ kind: 'service', service }]);
    assert.equal(await echoOnce(client, outside.ipv4, 443, 'x'), `${client.ipv4}: x`);
    await eventually('the log', () =>
      mesh.log.some((line) => line.includes(`dst.service="${hostnameOf('external')}"`)),
    );
  });

  it('in the block of a passthrough service goes to its original address, mesh pods included', async () => {
    await using mesh = await MeshLab.start();
    const client = await mesh.addPod('client', { enrolled: true });
    const server = await mesh.addPod('server', { enrolled: true });
    await using _echo = await serveEcho(server, 8080);
    const block = cidr(`${server.ipv4}/28`);
    const service = clusterService('block', undefined, {}, { cidrVips: block, loadBalancer: PASSTHROUGH });
    mesh.apply([{ kind: 'service', service }]);
    assert.equal(await echoOnce(client, server.ipv4, 8080, 'x'), `${client.ipv4}: x`);
    await eventually('plain TCP', () =>
      mesh.log.some((line) => line.includes(`dst.addr=${server.ipv4}:8080`) && !line.includes('hbone_addr')),
    );
  });

  it('in the block of a service is balanced over its endpoints, the longest block first', async () => {
    await using mesh = await MeshLab.start();
    const client = await mesh.addPod('client', { enrolled: true });
    const wide = await mesh.addPod('wide', { enrolled: true, workload: endpointOf('wide', { 80: 8080 }) });
    const narrow = await mesh.addPod('narrow', { enrolled: true, workload: endpointOf('narrow', { 80: 8080 }) });
    await using first = await serveEcho(wide, 8080);
    await using second = await serveEcho(narrow, 8080);
    mesh.apply([
      {
        kind: 'service',
        service: clusterService('wide', undefined, { 80: 8080 }, { cidrVips: cidr('172.20.0.0/16') }),
      },
      {
        kind: 'service',
        service: clusterService('narrow', undefined, { 80: 8080 }, { cidrVips: cidr('172.20.5.0/24') }),
      },
    ]);
    await echoOnce(client, '172.20.1.1', 80, 'x');
    await echoOnce(client, '172.20.5.1', 80, 'x');
    await echoOnce(client, '172.20.5.200', 80, 'x');
    assert.deepEqual([first.connections, second.connections], [1, 2]);
  });
});

describe('a service port', () => {
  it('that the service does not have is refused, whatever its endpoints listen on', async () => {
    await using mesh = await MeshLab.start();
    const client = await mesh.addPod('client', { enrolled: true });
    const server = await mesh.addPod('server', { enrolled: true, workload: endpointOf('echo', { 80: 8080 }) });
    mesh.apply([{ kind: 'service', service: clusterService('echo', VIP, { 80: 8080 }) }]);
    await using echo = await serveEcho(server, 8080);
    assert.ok(await isRefused(echoOnce(client, VIP, 8080, 'x')));
    assert.equal(echo.connections, 0);
  });

  it('that is named goes to the port that each endpoint gives it', async () => {
    await using mesh = await MeshLab.start();
    const client = await mesh.addPod('client', { enrolled: true });
    const one = await mesh.addPod('one', { enrolled: true, workload: endpointOf('echo', { 80: 7001 }) });
    const two = await mesh.addPod('two', { enrolled: true, workload: endpointOf('echo', { 80: 7002 }) });
    mesh.apply([{ kind: 'service', service: clusterService('echo', VIP, { 80: 0 }) }]);
    await using first = await serveEcho(one, 7001);
    await using second = await serveEcho(two, 7002);
    for (let call = 0; call < 30; call++) assert.match(await echoOnce(client, VIP, 80, 'x'), /: x$/);
    assert.equal(first.connections + second.connections, 30);
    assert.ok(first.connections > 0 && second.connections > 0);
  });
});

describe('STRICT with a port that is exempt', () => {
  const policy = (clauses: readonly PolicyClause[]) =>
    ({
      kind: 'policy',
      policy: {
        name: 'converted_peer_authentication_x',
        namespace: 'default',
        scope: 'Namespace',
        action: 'Deny',
        dryRun: false,
        rules: [clauses],
      },
    }) as const;
  const plaintext = createPolicyMatch({ notPrincipals: [{ kind: 'presence' }] });

  it('lets plaintext in there and nowhere else, and tunnels everywhere', async () => {
    await using mesh = await MeshLab.start();
    const outsider = await mesh.addPod('outsider');
    const client = await mesh.addPod('client', { enrolled: true });
    const server = await mesh.addPod('server', { enrolled: true });
    await using _open = await serveEcho(server, 9090);
    await using _closed = await serveEcho(server, 8080);
    mesh.apply([policy([[plaintext], [createPolicyMatch({ notDestinationPorts: [9090] })]])]);
    assert.equal(await echoOnce(outsider, server.ipv4, 9090, 'x'), `${outsider.ipv4}: x`);
    assert.ok(await isRefused(echoOnce(outsider, server.ipv4, 8080, 'x')));
    for (const port of [8080, 9090]) assert.equal(await echoOnce(client, server.ipv4, port, 'x'), `${client.ipv4}: x`);
  });

  it('the other way round: PERMISSIVE with one STRICT port', async () => {
    await using mesh = await MeshLab.start();
    const outsider = await mesh.addPod('outsider');
    const server = await mesh.addPod('server', { enrolled: true });
    await using _open = await serveEcho(server, 9090);
    await using _closed = await serveEcho(server, 8080);
    mesh.apply([policy([[plaintext], [createPolicyMatch({ destinationPorts: [8080] })]])]);
    assert.equal(await echoOnce(outsider, server.ipv4, 9090, 'x'), `${outsider.ipv4}: x`);
    assert.ok(await isRefused(echoOnce(outsider, server.ipv4, 8080, 'x')));
  });

  it('ends open plaintext connections to the port that became STRICT, and keeps those to the exempt one', async () => {
    await using mesh = await MeshLab.start();
    const outsider = await mesh.addPod('outsider');
    const server = await mesh.addPod('server', { enrolled: true });
    await using _open = await serveEcho(server, 9090);
    await using _closed = await serveEcho(server, 8080);
    const kept = await connectFrom(outsider, server.ipv4, 9090);
    const cut = await connectFrom(outsider, server.ipv4, 8080);
    const exchange = (socket: typeof kept) =>
      new Promise<string>((resolve) => {
        socket.once('data', (chunk: Buffer) => resolve(chunk.toString()));
        socket.write('x');
      });
    await Promise.all([exchange(kept), exchange(cut)]);
    const ended = untilEnded(cut);
    mesh.apply([policy([[plaintext], [createPolicyMatch({ notDestinationPorts: [9090] })]])]);
    await ended;
    assert.equal(await exchange(kept), `${outsider.ipv4}: x`);
    kept.destroy();
  });
});

describe('the client address', () => {
  it('of IPv6 plaintext is kept too', async () => {
    await using mesh = await MeshLab.start();
    const outsider = mesh.net.addPod('outsider');
    const server = await mesh.addPod('server', { enrolled: true });
    await using _echo = await serveEcho(server, 8080);
    assert.equal(await echoOnce(outsider, server.ipv6, 8080, 'x'), `${outsider.ipv6}: x`);
    assert.equal(ip(server.ipv4), server.ip);
  });

  it('is that of the pod itself when keeping it is turned off', async () => {
    await using mesh = await MeshLab.start({ env: { ENABLE_ORIG_SRC: 'false' } });
    const outsider = mesh.net.addPod('outsider');
    const server = await mesh.addPod('server', { enrolled: true });
    await using _echo = await serveEcho(server, 8080);
    assert.equal(await echoOnce(outsider, server.ipv4, 8080, 'x'), `${server.ipv4}: x`);
  });
});
