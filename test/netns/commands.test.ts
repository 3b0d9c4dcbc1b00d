/** The commands that look at a mesh, on one of `ambit up` with a waypoint. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { eventually } from '../helpers/eventually.ts';
import { LocalMesh } from '../helpers/local-mesh.ts';

/** Answers with the status in the path. */
const SERVER = `
require('http').createServer((req, res) => {
  const status = Number(req.url.split('/')[1]) || 200;
  req.resume().on('end', () => { res.writeHead(status); res.end('0123456789'); });
}).listen(8080, '::');`;

/** Sends requests to each path in turn; prints the statuses. */
const ASK = `
const [...paths] = process.argv.slice(1);
(async () => {
  for (const path of paths) {
    const r = await fetch('http://shop' + path, { headers: { 'x-user': 'mia' } });
    await r.text();
    console.log(r.status);
  }
})();`;

const OTHER_FILES = ['istio-system_control/dump.json', 'istio-system_agent-node2/log.txt', 'up/log.txt'];
const NS = 'look';

const object = (apiVersion: string, kind: string, name: string, spec: object, namespace = NS) => ({
  apiVersion,
  kind,
  metadata: { name, namespace },
  spec,
});

function pod(name: string, node: string, command: readonly string[]): object {
  const readinessProbe = name === 'shop' ? { tcpSocket: { port: 8080 }, periodSeconds: 1 } : undefined;
  const containers = [{ name: 'main', image: 'none', command, ...(readinessProbe && { readinessProbe }) }];
  const metadata = { name, namespace: NS, labels: { app: name, version: 'v1' } };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { nodeName: node, containers } };
}

describe('commands', { timeout: 120_000 }, () => {
  const mesh = new LocalMesh();
  const folder = mkdtempSync(join(tmpdir(), 'ambit-commands-'));
  const ask = async (...paths: readonly string[]) =>
    (await mesh.exec('client', '-n', NS, '--', 'node', '-e', ASK, ...paths)).stdout.trim().split('\n');
  const ambit = (...args: readonly string[]) => mesh.ambit([...args, '--name', 'test']);
  /** Its value, from `-o json`. */
  const json = async (...args: readonly string[]) => {
    const { stdout, stderr } = await ambit(...args, '-o', 'json');
    assert.notEqual(stdout, '', stderr);
    return JSON.parse(stdout);
  };
  let waypoint = '';

  before(async () => {
    const listeners = [{ name: 'mesh', port: 15008, protocol: 'HBONE' }];
    const gateway = { gatewayClassName: 'istio-waypoint', listeners };
    const ports = [{ name: 'http', port: 80, targetPort: 8080 }];
    const targetRefs = [{ group: '', kind: 'Service', name: 'shop' }];
    const rules = [{ to: [{ operation: { paths: ['/secret'] } }] }];
    const labels = { 'istio.io/dataplane-mode': 'ambient', 'istio.io/use-waypoint': 'gate' };
    const backendRefs = [{ name: 'shop', port: 80 }];
    const matches = [{ path: { type: 'PathPrefix', value: '/' } }];
    const set = [{ name: 'authorization', value: 'Basic c2VjcmV0' }];
    const filters = [{ type: 'RequestHeaderModifier', requestHeaderModifier: { set } }];
    mesh.write(
      'mesh.yaml',
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NS, labels } },
      object('gateway.networking.k8s.io/v1', 'Gateway', 'gate', gateway),
      object('v1', 'Service', 'shop', { selector: { app: 'shop' }, ports }),
      object('gateway.networking.k8s.io/v1', 'HTTPRoute', 'all', {
        parentRefs: [{ group: '', kind: 'Service', name: 'shop' }],
        rules: [{ matches, filters, backendRefs }],
      }),
      object('security.istio.io/v1', 'AuthorizationPolicy', 'no', { targetRefs, action: 'DENY', rules }),
      pod('shop', 'node2', ['node', '-e', SERVER]),
      pod('client', 'node1', ['sleep', 'infinity']),
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'old' } },
      { ...pod('stranger', 'node1', ['sleep', 'infinity']), metadata: { name: 'stranger', namespace: 'old' } },
    );
    await mesh.up(4, '--nodes', '2');
    waypoint = mesh.readyPods().find(({ name }) => name.includes('gate'))?.name ?? '';
    assert.notEqual(waypoint, '', 'the waypoint is a pod');
    await eventually('an answer', async () => (await ask('/200'))[0] === '200', 20_000);
  });
  after(async () => {
    await mesh[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  it('ambit status shows every program in sync, with its certificates', async () => {
    await eventually('all in sync', async () => {
      const { status, stdout } = await ambit('status');
      return status === 0 && !stdout.includes('STALE');
    });
    const reports = await json('status');
    assert.deepEqual(reports.map(({ role }: { role: string }) => role).sort(), [
      'agent',
      'agent',
      'control',
      'waypoint',
      'ztunnel',
      'ztunnel',
    ]);
    const gate = reports.find(({ role }: { role: string }) => role === 'waypoint');
    assert.equal(gate.name, waypoint);
    assert.equal(gate.config.state, 'SYNCED');
    assert.equal(gate.config.control, 'istio-system/control');
    assert.match(gate.version, /^\d/);
    assert.equal(gate.certificates[0].state, 'Available');
    assert.match(gate.certificates[0].identity, /^spiffe:\/\/cluster\.local\/ns\/look\/sa\//);
    assert.ok(gate.certificates[0].notAfterMs > Date.now());
  });

  it('ambit check finds a mesh well, and names a manifest that is refused', async () => {
    const well = await ambit('check');
    assert.equal(well.status, 0, well.stdout + well.stderr);
    assert.match(well.stdout, /Programs\n {2}✓ 6 programs, all ready/);
    assert.match(well.stdout, /Configuration of proxies\n {2}✓ 3 proxies are connected/);
    assert.doesNotMatch(well.stdout, /[‼✗]/);
    mesh.write('bad.yaml', object('v1', 'Service', 'bad', { ports: [{ port: 'none' }] }));
    await eventually('a remark', async () => (await ambit('check')).stdout.includes('‼'));
    const { stdout } = await ambit('check');
    assert.match(stdout, /Objects\n {2}‼ .*bad\.yaml:\d+:\d+: Service look\/bad: .*\n {6}correct it/);
    mesh.remove('bad.yaml');
    await eventually('no remark', async () => !(await ambit('check')).stdout.includes('‼'));
  });

  it('ambit waypoint list and status show the waypoints of the manifests', async () => {
    const listed = await ambit('waypoint', 'list');
    assert.match(listed.stdout, /^NAMESPACE +NAME +REVISION +PROGRAMMED\nlook +gate +default +True\n$/, listed.stderr);
    assert.equal((await ambit('waypoint', 'status', 'gate', '-n', NS)).status, 0);
    assert.match((await ambit('waypoint', 'status', 'nobody')).stderr, /no waypoint in any namespace is called nobody/);
  });

  it('ambit dump shows what a waypoint serves and by which rules, and no secret', async () => {
    const dump = await json('dump', 'gate');
    assert.deepEqual(
      dump.services.map(({ name }: { name: string }) => name),
      ['shop'],
    );
    assert.equal(dump.policies[0].metadata.name, 'no');
    assert.deepEqual(dump.policies[0].targets, ['Service/look/shop']);
    assert.equal(dump.routes[0].hostname, 'shop.look.svc.cluster.local');
    const [cluster] = dump.clusters;
    assert.equal(cluster.service, 'look/shop.look.svc.cluster.local');
    assert.equal(cluster.port, 80);
    assert.match(cluster.endpoints[0].uid, /Pod\/look\/shop$/);
    assert.equal(cluster.endpoints[0].ejected, false);
    const text = JSON.stringify(dump);
    for (const secret of ['c2VjcmV0', 'PRIVATE KEY']) assert.ok(!text.includes(secret), secret);
    assert.deepEqual(await json('dump', 'gate', '--section', 'services'), dump.services);
  });

  it('ambit dump shows ztunnels and the control plane, too', async () => {
    const { workloads } = await json('dump', 'ztunnel-node1');
    assert.ok(workloads.some(({ name }: { name: string }) => name === 'client'));
    const streams = await json('dump', 'control', '--section', 'streams');
    assert.ok(streams.some(({ node }: { node: string }) => node.includes(`~${waypoint}.look~`)));
  });

  it('ambit top shows rates by service, workload and edge', async () => {
    let asking = true;
    const load = (async () => {
      while (asking) await ask(...(Array(20).fill('/200') as string[]), '/503');
    })();
    const top = (by: string) => json('top', '--window', '2s', '--by', by);
    const [services, workloads, edges] = await Promise.all(['service', 'workload', 'edge'].map(top));
    const { stdout } = await ambit('top', '--window', '1s', '-n', NS);
    asking = false;
    await load;
    const [busiest] = services;
    assert.equal(busiest.group, 'shop.look');
    assert.ok(busiest.requestsPerSec > 1);
    assert.ok(busiest.successShare > 0.8 && busiest.successShare < 1, String(busiest.successShare));
    assert.ok(busiest.p50Ms <= busiest.p99Ms);
    assert.equal(workloads[0].group, 'shop.look');
    assert.equal(edges[0].group, 'client.look > shop.look');
    assert.match(stdout, /^SERVICE +RPS +SUCCESS +DENIED\/S +P50 .*\nshop\.look +\d/);
  });

  it('ambit explain says what proxies do, and they do it', async () => {
    for (const [path, status] of [
      ['/200', 0],
      ['/secret', 1],
    ] as const) {
      const said = await ambit('explain', `client.${NS}`, `shop.${NS}`, '--path', path);
      assert.equal(said.status, status, said.stdout + said.stderr);
      assert.match(said.stdout, status === 0 ? /passes\n$/ : /403: denied by ns\[look\]-policy\[no\]-rule\[0\]/);
      assert.deepEqual(await ask(path), [status === 0 ? '200' : '403']);
    }
    const offline = await mesh.ambit([
      'explain',
      '-f',
      mesh.manifests,
      `client.${NS}`,
      `shop.${NS}`,
      '--path',
      '/secret',
    ]);
    assert.equal(offline.status, 1, offline.stderr);
    assert.match(offline.stdout, /denied by ns\[look\]-policy\[no\]-rule\[0\]/);
  });

  it('ambit authz says where policies are enforced and what they decided, and names those that nobody enforces', async () => {
    type Report = {
      policy: string;
      enforcedBy: string[];
      denied: number;
      allowed: number;
      wouldDeny: number;
      note: string;
    };
    const reports = async (...args: readonly string[]) =>
      new Map<string, Report>((await json('authz', ...args)).map((one: Report) => [one.policy, one]));
    const before = (await reports()).get(`${NS}/no`);
    await ask('/secret', '/secret', '/200');
    const first = (await reports()).get(`${NS}/no`);
    assert.deepEqual(first?.enforcedBy, [`${NS}/${waypoint}`]);
    assert.equal((first?.denied ?? 0) - (before?.denied ?? 0), 2);
    const targetRefs = [{ group: '', kind: 'Service', name: 'shop' }];
    const rules = [{ from: [{ source: { namespaces: ['nowhere'] } }] }];
    mesh.write(
      'policies.yaml',
      object('security.istio.io/v1', 'AuthorizationPolicy', 'idle', { selector: { matchLabels: { app: 'none' } } }),
      object('security.istio.io/v1', 'AuthorizationPolicy', 'wrong', { action: 'NONSENSE' }),
      {
        ...object('security.istio.io/v1', 'AuthorizationPolicy', 'try', {}),
        metadata: { name: 'try', namespace: NS, annotations: { 'istio.io/dry-run': 'true' } },
        spec: { targetRefs, action: 'ALLOW', rules },
      },
    );
    await eventually('a dry run that would deny', async () => {
      await ask('/200');
      return ((await reports()).get('')?.wouldDeny ?? 0) > 0;
    });
    const all = await reports(NS);
    mesh.remove('policies.yaml');
    assert.deepEqual(all.get(`${NS}/try`)?.enforcedBy, [`${NS}/${waypoint}`]);
    assert.deepEqual(all.get(`${NS}/idle`)?.enforcedBy, []);
    assert.match(all.get(`${NS}/idle`)?.note ?? '', /no workload of the mesh is selected/);
    assert.match(all.get(`${NS}/wrong`)?.note ?? '', /refused: spec\.action: must be one of/);
    await eventually('they leave', async () => !(await reports()).has(`${NS}/try`));
    const { stdout } = await ambit('authz');
    assert.match(
      stdout,
      /^POLICY +ACTION +APPLIES TO +ENFORCED BY +ALLOWED +DENIED .*\nlook\/no +DENY +Service shop +look\/gate/,
    );
  });

  it('ambit tap shows what happens, and only what was asked for', async () => {
    const tapped = (...flags: readonly string[]) => ambit('tap', '--for', '6s', ...flags);
    const [refused, connections] = await Promise.all([
      tapped('--status', '403', '--count', '2', '-o', 'json'),
      tapped('--workload', 'client', '--count', '1'),
      (async () => {
        for (let i = 0; i < 8; i++) await ask('/200?a=1', '/secret');
      })(),
    ]);
    const seen = refused.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.equal(seen.length, 2, refused.stderr);
    assert.match(refused.stderr, /listening at 3 of 3 proxies/);
    for (const { kind, path, proxy, response_code: code, 'src.workload': from } of seen) {
      assert.deepEqual([kind, path, proxy, code, from], ['request', '/secret', `look/${waypoint}`, 403, 'client']);
    }
    assert.match(connections.stdout, /^\d\d:\d\d:\d\d\.\d{3} {2}client\.look > .*@/);
    assert.equal(connections.stdout.trim().split('\n').length, 1);
    assert.deepEqual([refused.status, connections.status], [0, 0]);
  });

  it('ambit tap ends when nobody reads on', async () => {
    const program = fileURLToPath(new URL('../../bin/ambit', import.meta.url));
    const env = { ...process.env, XDG_RUNTIME_DIR: mesh.run.path.replace(/\/ambit\/test$/, '') };
    const tap = spawn(program, ['tap', '--name', 'test', '--for', '15s'], { env, stdio: ['ignore', 'pipe', 'ignore'] });
    const ended = once(tap, 'exit');
    tap.stdout?.once('data', () => tap.stdout?.destroy());
    const startMs = performance.now();
    for (let i = 0; i < 8; i++) await ask('/200');
    assert.deepEqual(await ended, [0, null]);
    assert.ok(performance.now() - startMs < 14_000, 'it was not the 15 s that ended it');
  });

  it('ambit tap counts what it leaves out', async () => {
    const [seen] = await Promise.all([
      ambit('tap', '--for', '5s', '--max-rps', '1', '--path', '/200', '-o', 'json'),
      (async () => {
        for (let i = 0; i < 6; i++) await ask(...(Array(20).fill('/200') as string[]));
      })(),
    ]);
    assert.match(seen.stderr, /look\/gate-[^:]*: \d+ left out/);
    assert.ok(seen.stdout.trim().split('\n').length <= 7, seen.stdout);
  });

  it('ambit strict says who still comes in plaintext', async () => {
    const before = await ambit('strict', NS, '--dry-run');
    assert.equal(before.status, 0, before.stdout + before.stderr);
    assert.match(before.stdout, /kind: PeerAuthentication[\s\S]*mode: STRICT/);
    const mistyped = await ambit('strict', `${NS}x`, '--dry-run');
    assert.deepEqual([mistyped.status, mistyped.stdout], [1, '']);
    assert.match(mistyped.stderr, /no workload is in a namespace "lookx"; there are some in .*look/);
    await mesh.exec(
      'stranger',
      '-n',
      'old',
      '--',
      'node',
      '-e',
      ASK.replace('http://shop', `http://shop.${NS}`),
      '/200',
    );
    await eventually('a client in plaintext', async () => (await ambit('strict', NS, '--dry-run')).status === 1);
    const { stdout } = await ambit('strict', NS, '--dry-run');
    assert.match(stdout, /^CLIENT .*\nstranger\.old +shop\.look +shop\.look +1\n/);
  });

  it('ambit bug-report has all that programs know, and no secret', async () => {
    const file = join(folder, 'report.tar.gz');
    const { status, stderr } = await ambit('bug-report', '-f', file);
    assert.equal(status, 0, stderr);
    const tar = (...args: readonly string[]) => execFileSync('tar', args, { cwd: folder, encoding: 'utf8' });
    const names = tar('tzf', file).trim().split('\n');
    assert.ok(!names.some((name) => name.endsWith('.missing')), names.join(' '));
    for (const name of ['about.json', 'status.json', ...OTHER_FILES, `look_${waypoint}/log.txt`]) {
      assert.ok(names.includes(name), names.join(' '));
    }
    tar('xzf', file);
    const text = names.map((name) => readFileSync(join(folder, name), 'utf8')).join('');
    for (const secret of ['c2VjcmV0', 'PRIVATE KEY', 'eyJhbGci']) assert.ok(!text.includes(secret), secret);
    assert.match(readFileSync(join(folder, 'istio-system_ztunnel-node1/log.txt'), 'utf8'), /ztunnel started/);
  });

  it('names what there is when it is asked for what there is not', async () => {
    const unknown = await ambit('dump', 'nobody');
    assert.equal(unknown.status, 1);
    assert.match(unknown.stderr, /there is no proxy "nobody"; there are istio-system\/control, .*look\/gate/);
    const several = await ambit('dump', 'ztunnel');
    assert.match(several.stderr, /"ztunnel" may be any of istio-system\/ztunnel-node1, istio-system\/ztunnel-node2/);
    const section = await ambit('dump', 'gate', '--section', 'nothing');
    assert.match(section.stderr, /has no section "nothing"; it has certificates, clusters, config/);
    const other = await mesh.ambit(['status', '--name', 'nowhere']);
    assert.equal(other.status, 1);
    assert.match(other.stderr, /nowhere/);
  });

  it('ambit log-level reads, sets and resets levels of proxies', async () => {
    for (const proxy of ['gate', 'ztunnel-node1']) {
      assert.match((await ambit('log-level', proxy)).stdout, /^current log level is /);
      assert.match((await ambit('log-level', proxy, 'xds=trace')).stdout, /xds=trace/);
      assert.doesNotMatch((await ambit('log-level', proxy, '--reset')).stdout, /xds=trace/);
      const refused = await ambit('log-level', proxy, 'loud');
      assert.equal(refused.status, 1);
      assert.match(refused.stderr, /invalid level: loud/);
    }
    assert.match((await ambit('log-level', 'control', 'debug')).stderr, /no admin endpoint/);
  });

  it('ambit profile writes a profile that pprof reads', async () => {
    const kinds = [
      { kind: 'cpu', flags: [] },
      { kind: 'inuse_space', flags: ['--heap'] },
    ];
    for (const { kind, flags } of kinds) {
      const file = join(folder, kind);
      const { status, stdout, stderr } = await ambit('profile', 'gate', '--seconds', '1', '-f', file, ...flags);
      assert.equal(status, 0, stderr);
      assert.match(stdout, /pprof/);
      assert.ok(gunzipSync(readFileSync(file)).includes(kind));
    }
  });
});
