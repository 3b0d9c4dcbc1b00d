/** The L4 mesh on real namespaces: the cases of facts ztunnel-wire 15.3 that need no waypoint. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { parseIpAddress } from '../../src/model/address.ts';
import { createPolicyMatch } from '../../src/model/policy.ts';
import { createService } from '../../src/model/service.ts';
import { eventually } from '../helpers/eventually.ts';
import { openHbone } from '../helpers/hbone-client.ts';
import { MeshLab } from '../helpers/mesh-lab.ts';
import { enterPrivateNetns } from '../helpers/netns.ts';
import { connectFrom, echoOnce, serveEcho, untilEnded } from '../helpers/pod-traffic.ts';

enterPrivateNetns(import.meta.url);

const VIP = '10.96.0.20';

function vip(ports: Record<number, number>, fields = {}) {
  const address = parseIpAddress(VIP);
  assert.ok(address);
  return createService({
    name: 'echo',
    namespace: 'default',
    hostname: 'echo.default.svc.cluster.local',
    vips: [{ network: '', address }],
    ports: new Map(Object.entries(ports).map(([port, target]) => [Number(port), target])),
    canonical: true,
    ...fields,
  });
}

function endpointOf(ports: Record<number, number> = { 80: 8080 }) {
  const map = new Map(Object.entries(ports).map(([port, target]) => [Number(port), target]));
  return { services: new Map([['default/echo.default.svc.cluster.local', map]]) };
}

const identity = (name: string) => `spiffe://cluster.local/ns/default/sa/${name}`;

async function refused(promise: Promise<string>): Promise<boolean> {
  try {
    return (await promise) === '';
  } catch {
    return true;
  }
}

describe('two captured pods', () => {
  it('talk through a mutual TLS tunnel; the server sees the client address, both sides log and count it', async () => {
    await using mesh = await MeshLab.start();
    const client = await mesh.addPod('client', { enrolled: true });
    const server = await mesh.addPod('server', { enrolled: true });
    await using echo = await serveEcho(server, 8080);
    assert.equal(await echoOnce(client, server.ipv4, 8080, 'hello mesh!'), `${client.ipv4}: hello mesh!`);
    assert.equal(echo.connections, 1);
    await eventually('both access log lines', () => mesh.log.length >= 2);
    const inbound = mesh.log.find((line) => line.includes('direction="inbound"')) ?? '';
    const outbound = mesh.log.find((line) => line.includes('direction="outbound"')) ?? '';
    assert.match(outbound, /src\.identity="spiffe:\/\/cluster\.local\/ns\/default\/sa\/client"/);
    assert.match(outbound, /dst\.addr=10\.77\.\d+\.3:15008 dst\.hbone_addr=10\.77\.\d+\.3:8080/);
    assert.match(outbound, /bytes_sent=11 bytes_recv=22 duration="\d+ms"$/);
    assert.match(inbound, /bytes_sent=22 bytes_recv=11 duration="\d+ms"$/);
    const { body } = await mesh.fetch(mesh.ztunnel.metricsPort, '/metrics');
    for (const reporter of ['source', 'destination']) {
      const labels = `\\{reporter="${reporter}",[^}]*connection_security_policy="mutual_tls"[^}]*\\}`;
      assert.match(body, new RegExp(`istio_tcp_connections_opened_total${labels} 1\n`));
      assert.match(body, new RegExp(`istio_tcp_received_bytes_total${labels} 11\n`));
      assert.match(body, new RegExp(`istio_tcp_sent_bytes_total${labels} 22\n`));
    }
  });

  it('talk by IPv6 too', async () => {
    await using mesh = await MeshLab.start();
    const client = await mesh.addPod('client', { enrolled: true });
    const pod = mesh.net.addPod('server');
    const addresses = [pod.ipv4, pod.ipv6].flatMap((text) => parseIpAddress(text) ?? []);
    const workload = {
      ...client.workload,
      uid: 'Kubernetes//Pod/default/server',
      name: 'server',
      serviceAccount: 'server',
      addresses,
    };
    mesh.apply([{ kind: 'workload', workload }]);
    await mesh.enrol(pod, workload);
    await using echo = await serveEcho(pod, 8080);
    assert.equal(await echoOnce(client, pod.ipv6, 8080, 'six'), `${client.ipv6}: six`);
    assert.equal(echo.connections, 1);
    await eventually('the log', () => mesh.log.some((line) => line.includes('dst.addr=[fd77:')));
  });

  it('keep every byte and the half-close of large streams both ways', async () => {
    await using mesh = await MeshLab.start();
    const client = await mesh.addPod('client', { enrolled: true });
    const server = await mesh.addPod('server', { enrolled: true });
    const payload = randomBytes(24 * 1024 * 1024);
    const { listenTcp } = await import('../../src/net/tcp-listener.ts');
    const hash = (data: Buffer) => createHash('sha256').update(data).digest('hex');
    const listener = await listenTcp(
      { endpoint: { address: '::', port: 9000 }, netnsFd: server.fd },
      {
        onConnection: (connection) => {
          const socket = connection.open();
          const chunks: Buffer[] = [];
          socket.on('data', (chunk: Buffer) => {
            chunks.push(chunk);
            // A reader that stops now and then makes both windows fill.
            if (chunks.length % 50 === 0) {
              socket.pause();
              setTimeout(() => socket.resume(), 3);
            }
          });
          socket.on('end', () => {
            const received = Buffer.concat(chunks);
            socket.end(Buffer.concat([Buffer.from(hash(received)), received.reverse()]));
          });
        },
      },
    );
    const socket = await connectFrom(client, server.ipv4, 9000);
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    const done = new Promise((resolve) => socket.on('close', resolve));
    socket.end(payload);
    await done;
    listener.close();
    const answer = Buffer.concat(chunks);
    assert.equal(answer.subarray(0, 64).toString(), hash(payload));
    assert.equal(hash(answer.subarray(64).reverse()), hash(payload));
  });
});

describe('a captured and an uncaptured pod', () => {
  it('talk in plain TCP out of the mesh, with the policy label unknown', async () => {
    await using mesh = await MeshLab.start();
    const client = await mesh.addPod('client', { enrolled: true });
    const server = await mesh.addPod('server');
    await using _echo = await serveEcho(server, 8080);
    assert.equal(await echoOnce(client, server.ipv4, 8080, 'x'), `${client.ipv4}: x`);
    const { body } = await mesh.fetch(mesh.ztunnel.metricsPort, '/metrics');
    assert.match(body, /opened_total\{reporter="source"[^}]*connection_security_policy="unknown"/);
  });

  it('talk in plain TCP into the mesh, and the server still sees the client address', async () => {
    await using mesh = await MeshLab.start();
    const client = await mesh.addPod('client');
    const server = await mesh.addPod('server', { enrolled: true });
    await using _echo = await serveEcho(server, 8080);
    assert.equal(await echoOnce(client, server.ipv4, 8080, 'x'), `${client.ipv4}: x`);
    await eventually('the log', () => mesh.log.some((line) => line.includes('direction="inbound"')));
  });
});

describe('a connection that is open when a pod enters the mesh', () => {
  for (const who of ['client', 'server'] as const) {
    it(`ends instead of going on in plaintext (${who} enters)`, async () => {
      await using mesh = await MeshLab.start();
      const client = await mesh.addPod('client');
      const server = await mesh.addPod('server');
      await using echo = await serveEcho(server, 8080);
      const open = await connectFrom(client, server.ipv4, 8080);
      let received = '';
      open.on('data', (chunk: Buffer) => {
        received += chunk.toString();
      });
      const ended = untilEnded(open);
      open.write('before');
      await eventually('the answer', () => received === `${client.ipv4}: before`);
      const pod = who === 'client' ? client : server;
      await mesh.enrol(pod, pod.workload);
      open.write('after');
      await ended;
      assert.equal(received, `${client.ipv4}: before`);
      assert.equal(await echoOnce(client, server.ipv4, 8080, 'again'), `${client.ipv4}: again`);
      assert.equal(echo.connections, 2);
    });
  }
});

describe('a connection that is open when its pod leaves the mesh', () => {
  it('ends on both sides instead of hanging', async () => {
    await using mesh = await MeshLab.start();
    const client = await mesh.addPod('client', { enrolled: true });
    const server = await mesh.addPod('server', { enrolled: true });
    await using _echo = await serveEcho(server, 8080);
    const open = await connectFrom(client, server.ipv4, 8080);
    await new Promise((resolve) => {
      open.once('data', resolve);
      open.write('x');
    });
    const ended = untilEnded(open);
    await mesh.withdraw(client);
    await ended;
  });
});

describe('a policy', () => {
  const strict = {
    kind: 'policy',
    policy: {
      name: 'istio_converted_static_strict',
      namespace: 'istio-system',
      scope: 'WorkloadSelector',
      action: 'Deny',
      dryRun: false,
      rules: [[[createPolicyMatch({ notPrincipals: [{ kind: 'presence' }] })]]],
    },
  } as const;

  it('that is STRICT refuses plaintext, lets tunnels in, and ends plaintext connections that are open', async () => {
    await using mesh = await MeshLab.start();
    const outsider = await mesh.addPod('outsider');
    const client = await mesh.addPod('client', { enrolled: true });
    const server = await mesh.addPod('server', { enrolled: true });
    await using _echo = await serveEcho(server, 8080);
    const open = await connectFrom(outsider, server.ipv4, 8080);
    await new Promise((resolve) => {
      open.once('data', resolve);
      open.write('before');
    });
    const ended = untilEnded(open);
    mesh.apply([
      strict,
      {
        kind: 'workload',
        workload: { ...server.workload, authorizationPolicies: ['istio-system/istio_converted_static_strict'] },
      },
    ]);
    await ended;
    assert.ok(await refused(echoOnce(outsider, server.ipv4, 8080, 'x')));
    assert.equal(await echoOnce(client, server.ipv4, 8080, 'x'), `${client.ipv4}: x`);
    assert.ok(mesh.log.some((line) => line.includes('error="connection closed due to policy change"')));
    const text = 'policy rejection: explicitly denied by: istio-system/istio_converted_static_strict';
    assert.ok(mesh.log.some((line) => line.includes(text)));
  });

  it('lets one service account in and another not, and can be turned round while running', async () => {
    await using mesh = await MeshLab.start();
    const web = await mesh.addPod('web', { enrolled: true });
    const bad = await mesh.addPod('bad', { enrolled: true });
    const server = await mesh.addPod('server', { enrolled: true });
    await using _echo = await serveEcho(server, 8080);
    const allow = (account: string) =>
      ({
        kind: 'policy',
        policy: {
          name: 'callers',
          namespace: 'default',
          scope: 'Namespace',
          action: 'Allow',
          dryRun: false,
          rules: [
            [
              [createPolicyMatch({ serviceAccounts: [{ namespace: 'default', serviceAccount: account }] })],
              [createPolicyMatch({ destinationPorts: [8080] })],
            ],
          ],
        },
      }) as const;
    mesh.apply([allow('web')]);
    assert.equal(await echoOnce(web, server.ipv4, 8080, 'x'), `${web.ipv4}: x`);
    assert.ok(await refused(echoOnce(bad, server.ipv4, 8080, 'x')));
    await eventually('the source logs 401', () =>
      mesh.log.some((line) => line.includes('error="http status: 401 Unauthorized"')),
    );
    mesh.apply([allow('bad')]);
    assert.ok(await refused(echoOnce(web, server.ipv4, 8080, 'x')));
    assert.equal(await echoOnce(bad, server.ipv4, 8080, 'x'), `${bad.ipv4}: x`);
    const { body } = await mesh.fetch(mesh.ztunnel.metricsPort, '/metrics');
    assert.match(body, /connections_failed_total\{reporter="destination"[^}]*response_flags="DENY"/);
  });

  it('that selects a workload and has not arrived denies', async () => {
    await using mesh = await MeshLab.start();
    const client = await mesh.addPod('client', { enrolled: true });
    const server = await mesh.addPod('server', {
      enrolled: true,
      workload: { authorizationPolicies: ['default/not-here'] },
    });
    await using echo = await serveEcho(server, 8080);
    assert.ok(await refused(echoOnce(client, server.ipv4, 8080, 'x')));
    assert.equal(echo.connections, 0);
  });
});

describe('a service', () => {
  it('spreads connections over its endpoints, maps ports, and passes unhealthy ones over', async () => {
    await using mesh = await MeshLab.start();
    const client = await mesh.addPod('client', { enrolled: true });
    const one = await mesh.addPod('one', { enrolled: true, workload: endpointOf() });
    const two = await mesh.addPod('two', { workload: endpointOf() });
    const sick = await mesh.addPod('sick', { enrolled: true, workload: { ...endpointOf(), status: 'Unhealthy' } });
    mesh.apply([{ kind: 'service', service: vip({ 80: 8080 }) }]);
    await using first = await serveEcho(one, 8080);
    await using second = await serveEcho(two, 8080);
    await using third = await serveEcho(sick, 8080);
    for (let call = 0; call < 40; call++) assert.equal(await echoOnce(client, VIP, 80, 'x'), `${client.ipv4}: x`);
    assert.equal(first.connections + second.connections, 40);
    assert.ok(first.connections > 4 && second.connections > 4, 'both endpoints are used');
    assert.equal(third.connections, 0);
  });

  it('whose waypoint cannot be found fails closed', async () => {
    await using mesh = await MeshLab.start();
    const client = await mesh.addPod('client', { enrolled: true });
    const server = await mesh.addPod('server', { enrolled: true, workload: endpointOf() });
    const waypoint = {
      destination: { kind: 'hostname', hostname: { namespace: 'default', hostname: 'gone.default.svc.cluster.local' } },
      hboneMtlsPort: 15008,
    } as const;
    mesh.apply([{ kind: 'service', service: vip({ 80: 8080 }, { waypoint }) }]);
    await using echo = await serveEcho(server, 8080);
    assert.ok(await refused(echoOnce(client, VIP, 80, 'x')));
    assert.equal(echo.connections, 0);
    await eventually('the log', () =>
      mesh.log.some((line) => line.includes('error="unknown waypoint: default/gone.default.svc.cluster.local"')),
    );
  });

  it('without a healthy endpoint ends the connection with a reason', async () => {
    await using mesh = await MeshLab.start();
    const client = await mesh.addPod('client', { enrolled: true });
    mesh.apply([{ kind: 'service', service: vip({ 80: 8080 }) }]);
    assert.ok(await refused(echoOnce(client, VIP, 80, 'x')));
    await eventually('the log', () => mesh.log.some((line) => line.includes(`error="no healthy upstream: ${VIP}:80"`)));
  });
});

describe('a tunnel server', () => {
  it('answers what a peer may not ask with the status of the facts and opens no connection for it', async () => {
    await using mesh = await MeshLab.start();
    const client = await mesh.addPod('client');
    const server = await mesh.addPod('server', { enrolled: true, workload: endpointOf() });
    mesh.apply([{ kind: 'service', service: vip({ 80: 8080 }) }]);
    await using echo = await serveEcho(server, 8080);
    using hbone = await openHbone(client, {
      identity: identity('client'),
      address: server.ipv4,
      serverIdentity: identity('server'),
    });
    const status = async (authority: string) => (await hbone.connect(authority)).status;
    assert.equal(await status(`${client.ipv4}:8080`), '400');
    assert.equal(await status('127.0.0.1:8080'), '400');
    assert.equal(await status('169.254.169.254:80'), '400');
    assert.equal(await status(`${server.ipv4}`), '400');
    assert.equal(await status(`${server.ipv4}:0`), '400');
    assert.equal(await status(`${server.ipv4}:65536`), '400');
    assert.equal(await status(`${server.ipv4}:15008`), '503');
    assert.equal(await status(`${server.ipv4}:15001`), '503');
    assert.equal(await status('unknown.default.svc.cluster.local:80'), '503');
    assert.equal(await status(`${server.ipv4}:81`), '503');
    assert.equal(echo.connections, 0);
    const get = await hbone.request([
      [':method', 'GET'],
      [':scheme', 'http'],
      [':path', '/'],
      [':authority', `${server.ipv4}:8080`],
    ]);
    assert.equal(get.status, '400');
    assert.ok(mesh.log.some((line) => line.includes(`error="ip mismatch: ${client.ipv4} != ${server.ipv4}"`)));
  });

  it('accepts a service hostname and finds the endpoint port', async () => {
    await using mesh = await MeshLab.start();
    const client = await mesh.addPod('client');
    const server = await mesh.addPod('server', { enrolled: true, workload: endpointOf() });
    mesh.apply([{ kind: 'service', service: vip({ 80: 0 }) }]);
    await using _echo = await serveEcho(server, 8080);
    using hbone = await openHbone(client, {
      identity: identity('client'),
      address: server.ipv4,
      serverIdentity: identity('server'),
    });
    const reply = await hbone.connect('echo.default.svc.cluster.local:80', 'named');
    assert.equal(reply.status, '200');
    assert.equal(reply.body, `${client.ipv4}: named`);
    assert.ok(
      reply.headers.some(([name, value]) => name === 'baggage' && value.includes('k8s.namespace.name=default')),
    );
  });

  it('refuses a peer of another trust domain and one whose certificate has expired', async () => {
    await using mesh = await MeshLab.start();
    const client = await mesh.addPod('client');
    const server = await mesh.addPod('server', { enrolled: true });
    const target = { address: server.ipv4, serverIdentity: identity('server') };
    const reach = async (options: { identity: string; lifetimeMs?: number }) => {
      using hbone = await openHbone(client, { ...options, ...target });
      return (await hbone.connect(`${server.ipv4}:8080`)).status;
    };
    assert.equal(await reach({ identity: identity('client') }), '503');
    await assert.rejects(reach({ identity: 'spiffe://other.domain/ns/default/sa/client' }));
    await assert.rejects(reach({ identity: identity('client'), lifetimeMs: -30_000 }));
    await assert.rejects(reach({ identity: 'spiffe://cluster.local/not/a/workload' }));
    await eventually('the log', () => mesh.log.some((line) => line.includes('error="tls error: ')));
  });
});

describe('ztunnel', () => {
  it('carries a burst of connections that fills several tunnels, every one of them', async () => {
    await using mesh = await MeshLab.start();
    const client = await mesh.addPod('client', { enrolled: true });
    const server = await mesh.addPod('server', { enrolled: true });
    await using _echo = await serveEcho(server, 8080);
    const answers = await Promise.all(Array.from({ length: 350 }, () => echoOnce(client, server.ipv4, 8080, 'x')));
    assert.deepEqual(new Set(answers), new Set([`${client.ipv4}: x`]));
  });

  it('serves pods only while the agent says so', async () => {
    await using mesh = await MeshLab.start();
    const client = await mesh.addPod('client', { enrolled: true });
    const server = await mesh.addPod('server', { enrolled: true });
    await using _echo = await serveEcho(server, 8080);
    assert.equal(await echoOnce(client, server.ipv4, 8080, 'x'), `${client.ipv4}: x`);
    mesh.apply([{ kind: 'workload', workload: { ...server.workload, protocol: 'TCP' } }]);
    await mesh.withdraw(server);
    assert.equal(await echoOnce(client, server.ipv4, 8080, 'x'), `${client.ipv4}: x`);
    assert.doesNotMatch(server.exec('iptables-save'), /ISTIO/);
  });

  it('dumps its state in the shape that istioctl reads', async () => {
    await using mesh = await MeshLab.start();
    const client = await mesh.addPod('client', { enrolled: true });
    const server = await mesh.addPod('server', { enrolled: true, workload: endpointOf() });
    mesh.apply([{ kind: 'service', service: vip({ 80: 8080 }) }]);
    await using _echo = await serveEcho(server, 8080);
    const open = await connectFrom(client, server.ipv4, 8080);
    await new Promise((resolve) => {
      open.once('data', resolve);
      open.write('x');
    });
    const { body } = await mesh.fetch(mesh.ztunnel.adminPort, '/config_dump');
    const dump = JSON.parse(body);
    assert.deepEqual(Object.keys(dump).sort(), [
      'certificates',
      'config',
      'policies',
      'services',
      'stagedServices',
      'staticConfig',
      'version',
      'workloadState',
      'workloads',
    ]);
    assert.deepEqual(dump.workloadState['uid-client'].connections.outbound[0].protocol, 'HBONE');
    assert.deepEqual(dump.workloadState['uid-server'].connections.inbound.length, 1);
    const states = dump.certificates.map((one: { identity: string; state: string }) => [one.identity, one.state]);
    assert.deepEqual(states.sort(), [
      [identity('client'), 'Available'],
      [identity('server'), 'Available'],
    ]);
    assert.equal(body.includes('PRIVATE KEY'), false);
    open.destroy();
  });

  it('forgets the certificate of an identity whose last pod left the node', async () => {
    await using mesh = await MeshLab.start();
    const server = await mesh.addPod('server', { enrolled: true });
    const identities = async () => {
      const { body } = await mesh.fetch(mesh.ztunnel.adminPort, '/config_dump');
      return JSON.parse(body).certificates.map((one: { identity: string }) => one.identity);
    };
    assert.deepEqual(await identities(), [identity('server')]);
    mesh.apply([{ kind: 'remove-address', name: server.workload.uid }]);
    assert.deepEqual(await identities(), []);
  });

  it('lets open connections finish when it drains, and ends the rest at the deadline', async () => {
    await using mesh = await MeshLab.start({ env: { CONNECTION_TERMINATION_DEADLINE: '700ms' } });
    const client = await mesh.addPod('client', { enrolled: true });
    const server = await mesh.addPod('server', { enrolled: true });
    await using _echo = await serveEcho(server, 8080);
    const exchange = async (socket: Awaited<ReturnType<typeof connectFrom>>, text: string) =>
      new Promise<string>((resolve) => {
        socket.once('data', (chunk: Buffer) => resolve(chunk.toString()));
        socket.write(text);
      });
    const open = await connectFrom(client, server.ipv4, 8080);
    await exchange(open, 'a');
    const closed = untilEnded(open);
    const drained = mesh.ztunnel.drain();
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(await exchange(open, 'b'), `${client.ipv4}: b`);
    assert.ok(await refused(echoOnce(client, server.ipv4, 8080, 'new')));
    await closed;
    await drained;
    assert.ok(mesh.log.some((line) => line.includes('error="connection closed due to connection drain"')));
  });

  it('carries traffic with its data plane in two worker threads', async () => {
    await using mesh = await MeshLab.start({ workers: true, env: { ZTUNNEL_WORKER_THREADS: '2', RUST_LOG: 'off' } });
    const client = await mesh.addPod('client', { enrolled: true });
    const server = await mesh.addPod('server', { enrolled: true });
    await using _echo = await serveEcho(server, 8080);
    for (let call = 0; call < 20; call++) {
      assert.equal(await echoOnce(client, server.ipv4, 8080, 'x'), `${client.ipv4}: x`);
    }
    const { body } = await mesh.fetch(mesh.ztunnel.metricsPort, '/metrics');
    assert.match(body, /connections_opened_total\{reporter="source"[^}]*\} 20\n/);
    assert.equal((await mesh.fetch(mesh.ztunnel.readinessPort, '/healthz/ready')).body, 'ready\n');
  });
});
