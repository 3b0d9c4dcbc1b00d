/** ztunnel as one process without namespaces (facts ztunnel-wire 15.3, "direct"). */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { askSocks, connectSocks, freePort, serveDouble, startDirect } from '../helpers/direct-ztunnel.ts';
import { eventually } from '../helpers/eventually.ts';
import { openSocketCount } from '../helpers/open-descriptors.ts';

const HOST = 'echo.default.svc.cluster.local';

/** This process as the workload `local`, with a service in front of a port of it. */
function config(port: number, protocol: 'HBONE' | 'TCP' = 'HBONE'): string {
  return JSON.stringify({
    workloads: [
      {
        uid: 'c//Pod/default/local',
        name: 'local',
        namespace: 'default',
        serviceAccount: 'local',
        trustDomain: 'cluster.local',
        workloadName: 'local',
        workloadIps: ['127.0.0.1'],
        protocol,
        services: { [`default/${HOST}`]: { 80: port } },
      },
    ],
    services: [{ name: 'echo', namespace: 'default', hostname: HOST, vips: ['/127.10.0.1'], ports: { 80: port } }],
  });
}

function get(port: number, path: string, options: { method?: string; headers?: Record<string, string> } = {}) {
  return new Promise<{ status: number; headers: Record<string, unknown>; body: Buffer }>((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, path, agent: false, ...options }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

describe('a request through the proxy', () => {
  for (const [what, protocol, host, port] of [
    ['an address, in a tunnel', 'HBONE', '127.0.0.1', undefined],
    ['an address, in plain TCP', 'TCP', '127.0.0.1', undefined],
    ['a VIP, in a tunnel', 'HBONE', '127.10.0.1', 80],
    ['a VIP, in plain TCP', 'TCP', '127.10.0.1', 80],
    ['a hostname of the mesh', 'HBONE', HOST, 80],
  ] as const) {
    it(`to ${what}, arrives and is counted`, async () => {
      await using server = await serveDouble();
      await using ztunnel = await startDirect(config(server.port, protocol));
      assert.equal(
        await askSocks(ztunnel.socksPort, host, port ?? server.port, 'hello mesh!'),
        'hello mesh!hello mesh!',
      );
      const { body } = await get(ztunnel.handle.metricsPort, '/metrics');
      const reporter = protocol === 'HBONE' ? '(source|destination)' : 'source';
      const policy = protocol === 'HBONE' ? 'mutual_tls' : 'unknown';
      const labels = `\\{reporter="${reporter}"[^}]*connection_security_policy="${policy}"[^}]*\\}`;
      for (const [name, value] of [
        ['connections_opened_total', 1],
        ['received_bytes_total', 11],
        ['sent_bytes_total', 22],
      ] as const) {
        const lines = body.toString().match(new RegExp(`istio_tcp_${name}${labels} ${value}\n`, 'g')) ?? [];
        assert.equal(lines.length, protocol === 'HBONE' ? 2 : 1, name);
      }
    });
  }

  it('to a name outside of the mesh is asked of DNS', async () => {
    await using server = await serveDouble();
    await using ztunnel = await startDirect(config(server.port, 'TCP'), {}, async (hostname) => {
      assert.equal(hostname, 'outside.example.com');
      return [{ address: '127.0.0.1', ttlSec: 5 }];
    });
    assert.equal(await askSocks(ztunnel.socksPort, 'outside.example.com', server.port, 'x'), 'xx');
  });

  it('to a name that nobody knows is refused in the words of SOCKS', async () => {
    await using ztunnel = await startDirect(config(1), {}, () => Promise.reject(new Error('NXDOMAIN')));
    await assert.rejects(connectSocks(ztunnel.socksPort, 'gone.example.com', 80), /SOCKS5 answer 4/);
  });

  it('to the proxy itself is refused', async () => {
    const socks = await freePort();
    await using ztunnel = await startDirect(config(1), { SOCKS5_PORT: String(socks) });
    assert.equal(await askSocks(socks, '127.0.0.1', socks, 'x'), '');
    assert.ok(ztunnel.log.some((line) => line.includes('attempted recursive call to ourselves')));
  });

  it('carries many megabytes both ways', async () => {
    await using server = await serveDouble();
    await using ztunnel = await startDirect(config(server.port));
    const text = 'x'.repeat(6 * 1024 * 1024);
    assert.equal((await askSocks(ztunnel.socksPort, '127.10.0.1', 80, text)).length, 2 * text.length);
  });
});

describe('the endpoints', () => {
  it('answer what they have, 404 and 405', async () => {
    await using ztunnel = await startDirect(config(1));
    const { adminPort, metricsPort, readinessPort } = ztunnel.handle;
    const status = async (port: number, path: string, method = 'GET') => (await get(port, path, { method })).status;
    assert.equal(await status(readinessPort, '/healthz/ready'), 200);
    assert.equal(await status(metricsPort, '/stats/prometheus'), 200);
    assert.equal(await status(adminPort, '/'), 200);
    assert.equal(await status(adminPort, '/config_dump'), 200);
    assert.equal(await status(adminPort, '/logging'), 405);
    assert.equal(await status(adminPort, '/logging?level=access=debug', 'POST'), 200);
    assert.equal(await status(adminPort, '/logging?level=access', 'POST'), 400);
    assert.equal(await status(adminPort, '/stats'), 404);
  });

  it('have CPU profiles, and heap profiles once these are switched on', async () => {
    await using ztunnel = await startDirect(config(1));
    const { adminPort } = ztunnel.handle;
    const pprof = (path: string) => get(adminPort, `/debug/pprof/${path}`);
    assert.equal((await pprof('profile?seconds=0')).status, 400);
    assert.equal((await pprof('profile?seconds=1&frequency=x')).status, 400);
    const running = pprof('profile?seconds=1&frequency=500');
    const second = await pprof('profile?seconds=1');
    const first = await running;
    assert.deepEqual([first.status, second.status].sort(), [200, 409]);
    const [taken] = [first, second].filter(({ status }) => status === 200);
    assert.ok(gunzipSync(taken?.body ?? '').includes('thread control'));
    assert.equal((await pprof('heap')).status, 409);
    assert.equal((await pprof('heap/profiling')).status, 400);
    assert.equal((await pprof('heap/profiling?activate=true')).status, 200);
    const heap = await pprof('heap');
    assert.equal(heap.status, 200);
    assert.ok(gunzipSync(heap.body).includes('inuse_space'));
    assert.equal((await pprof('heap/profiling?activate=false')).status, 200);
    assert.equal((await pprof('heap')).status, 409);
    assert.equal((await get(adminPort, '/debug/pprof/heap', { method: 'POST' })).status, 405);
  });

  it('have metrics in both formats, compressed for those who ask', async () => {
    await using ztunnel = await startDirect(config(1));
    const port = ztunnel.handle.metricsPort;
    const plain = await get(port, '/metrics');
    assert.match(String(plain.headers['content-type']), /^text\/plain/);
    for (const name of ['istio_build', 'process_open_fds', 'process_max_fds', 'workload_manager_active_proxy_count']) {
      assert.ok(plain.body.includes(name), name);
    }
    const open = await get(port, '/metrics', { headers: { accept: 'application/openmetrics-text; version=1.0.0' } });
    assert.match(String(open.headers['content-type']), /^application\/openmetrics-text/);
    assert.ok(open.body.toString().endsWith('# EOF\n'));
    const packed = await get(port, '/metrics', { headers: { 'accept-encoding': 'gzip' } });
    assert.equal(packed.headers['content-encoding'], 'gzip');
    assert.match(gunzipSync(packed.body).toString(), /istio_build/);
  });
});

describe('a start', () => {
  for (const variable of [
    'ADMIN_PORT',
    'STATS_PORT',
    'READINESS_PORT',
    'OUTBOUND_PORT',
    'INBOUND_PLAINTEXT_PORT',
    'INBOUND_PORT',
    'SOCKS5_PORT',
  ]) {
    it(`with ${variable} taken fails with the port in its text and leaves nothing behind`, async () => {
      const blocker = createServer().listen(0, '0.0.0.0');
      await once(blocker, 'listening');
      const address = blocker.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      const before = openSocketCount();
      await assert.rejects(startDirect(config(1), { [variable]: String(port) }), (error: Error) => {
        assert.match(error.message, new RegExp(`${port}`));
        return true;
      });
      await eventually('no socket is left', () => openSocketCount() <= before);
      blocker.close();
      await once(blocker, 'close');
    });
  }

  it('with a static configuration that is wrong fails with the place', async () => {
    const before = openSocketCount();
    await assert.rejects(startDirect('workloads: [{namespace: a}]'), /LOCAL_XDS: .*workloadIps/);
    await assert.rejects(startDirect('', { LOCAL_XDS: '', LOCAL_XDS_PATH: '/does/not/exist' }), /LOCAL_XDS_PATH/);
    await eventually('no socket is left', () => openSocketCount() <= before);
  });
});

describe('the end', () => {
  it('by quitquitquit waits for open connections and exits with 0', async () => {
    await using server = await serveDouble();
    await using ztunnel = await startDirect(config(server.port), { CONNECTION_TERMINATION_DEADLINE: '10s' });
    const socket = await connectSocks(ztunnel.socksPort, '127.10.0.1', 80);
    const answered = once(socket, 'data');
    socket.write('a');
    await answered;
    const { body } = await get(ztunnel.handle.metricsPort, '/metrics');
    for (const side of ['source', 'destination'])
      assert.ok(body.includes(`istio_tcp_sockets_open{reporter="${side}"} 1\n`));
    assert.equal((await get(ztunnel.handle.adminPort, '/quitquitquit', { method: 'POST' })).status, 200);
    await eventually('drain began', () => ztunnel.log.some((line) => line.includes('shutdown started')));
    await assert.rejects(connectSocks(ztunnel.socksPort, '127.10.0.1', 80));
    const again = once(socket, 'data');
    socket.write('b');
    assert.equal(String((await again)[0]), 'bb');
    assert.deepEqual(ztunnel.exits, []);
    socket.end();
    socket.resume();
    await eventually('the exit', () => ztunnel.exits.length > 0);
    assert.deepEqual(ztunnel.exits, [0]);
    assert.equal(
      ztunnel.log.some((line) => line.includes('error=')),
      false,
    );
  });

  it('at the deadline resets what is still open, with a reason', async () => {
    await using server = await serveDouble();
    await using ztunnel = await startDirect(config(server.port), { CONNECTION_TERMINATION_DEADLINE: '200ms' });
    const socket = await connectSocks(ztunnel.socksPort, '127.10.0.1', 80);
    const answered = once(socket, 'data');
    socket.write('a');
    await answered;
    const broken = once(socket.resume(), 'error');
    await ztunnel.handle.drain();
    const [error] = await broken;
    assert.equal(error.code, 'ECONNRESET', 'half an answer does not pass for a whole one');
    assert.deepEqual(ztunnel.exits, [0]);
    assert.ok(ztunnel.log.some((line) => line.includes('error="connection closed due to connection drain"')));
  });

  it('leaves no socket behind', async () => {
    const before = openSocketCount();
    {
      await using server = await serveDouble();
      await using ztunnel = await startDirect(config(server.port));
      assert.equal(await askSocks(ztunnel.socksPort, '127.10.0.1', 80, 'x'), 'xx');
    }
    await eventually('no socket is left', () => openSocketCount() <= before);
  });
});
