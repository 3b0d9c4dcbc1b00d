import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { type Agent, startAgent } from '../../src/agent/app.ts';
import { parseAgentConfig } from '../../src/agent/config.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { KubeClient } from '../../src/kube/kube-client.ts';
import { DAEMON_SETS, NAMESPACES, PODS } from '../../src/kube/resource-kind.ts';
import { buildCni, CNI_BINARY, runCni } from '../helpers/cni-plugin.ts';
import { eventually } from '../helpers/eventually.ts';
import { FakeKubeApi } from '../helpers/fake-kube-api.ts';
import { ACK, FakeZtunnel, NACK } from '../helpers/fake-ztunnel.ts';
import { enterPrivateNetns, type LabPod, NetnsLab, run } from '../helpers/netns.ts';

enterPrivateNetns(import.meta.url);

const REDIRECTION = 'ambient.istio.io/redirection';
const AMBIENT = { 'istio.io/dataplane-mode': 'ambient' };
const BRIDGE = { cniVersion: '1.0.0', name: 'net', plugins: [{ type: 'bridge' }] };

interface PodOptions {
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
  readonly namespace?: string;
  readonly ips?: boolean;
  readonly spec?: object;
}

describe('the agent of a cluster node', () => {
  const lab = new NetnsLab();
  let folder = '';
  let api: FakeKubeApi;
  let agent: Agent;
  let pod: LabPod;
  let podNumber = 0;
  let uid = '';
  let pid = 100;

  const start = async () => {
    const client = new KubeClient(api.config, { clock: systemClock });
    const environment = {
      NODE_NAME: 'n1',
      POD_NAME: 'agent-x',
      POD_NAMESPACE: 'istio-system',
      ZTUNNEL_UDS_ADDRESS: join(folder, 'zds.sock'),
      CNI_EVENT_ADDRESS: join(folder, 'run', 'pluginevent.sock'),
      READINESS_ADDRESS: '127.0.0.1:0',
      MONITORING_ADDRESS: '127.0.0.1:0',
      CNI_NET_DIR: join(folder, 'net.d'),
      CNI_BIN_DIR: join(folder, 'bin'),
      CNI_BINARY,
      AMBIT_STATE_DIR: join(folder, 'state'),
      HOST_PROC: join(folder, 'proc'),
    };
    agent = await startAgent(parseAgentConfig([], environment), { log: silentLogger, client });
  };
  const readiness = async () => {
    const answer = await fetch(`http://127.0.0.1:${agent.readiness.port}/readyz`);
    return { status: answer.status, text: await answer.text() };
  };
  const ready = () => eventually('the agent is ready', async () => (await readiness()).status === 200);
  const putPod = (lab: LabPod, { labels, annotations, namespace = 'shop', ips = true, spec }: PodOptions = {}) =>
    api.put(PODS, {
      metadata: { name: lab.name, namespace, uid, ...(labels && { labels }), ...(annotations && { annotations }) },
      spec: { nodeName: 'n1', serviceAccountName: 'cart', ...spec },
      status: { phase: 'Running', ...(ips && { podIP: lab.ipv4, podIPs: [{ ip: lab.ipv4 }, { ip: lab.ipv6 }] }) },
    });
  const putNamespace = (name: string, labels: Record<string, string>) =>
    api.put(NAMESPACES, { metadata: { name, labels } });
  /** A process as the host's /proc shows it. */
  const putProcess = (netns: string, ofUid: string, startTicks = 50) => {
    const path = join(folder, 'proc', String(++pid));
    mkdirSync(join(path, 'ns'), { recursive: true });
    writeFileSync(
      join(path, 'cgroup'),
      `0::/kubepods.slice/kubepods-pod${ofUid.replaceAll('-', '_')}.slice/cri-1.scope\n`,
    );
    writeFileSync(join(path, 'stat'), `${pid} (a) b) S 1 ${'0 '.repeat(17)}${startTicks} 0`);
    symlinkSync(netns, join(path, 'ns', 'net'));
  };
  const redirected = (of = pod) => of.exec('iptables-save').includes('--to-ports 15001');
  const annotation = (name = pod.name) => api.get(PODS, 'shop', name)?.metadata.annotations?.[REDIRECTION];
  const plugin = (of: LabPod, { namespace = 'shop', name = of.name, podUid = uid } = {}) =>
    runCni(
      {
        CNI_COMMAND: 'ADD',
        CNI_NETNS: of.path,
        CNI_ARGS: `K8S_POD_NAMESPACE=${namespace};K8S_POD_NAME=${name}${podUid === '' ? '' : `;K8S_POD_UID=${podUid}`}`,
      },
      JSON.stringify({
        cniVersion: '1.0.0',
        ...pluginConfig(),
        prevResult: { cniVersion: '1.0.0', ips: [{ address: `${of.ipv4}/24` }] },
      }),
    );
  const pluginConfig = () =>
    (JSON.parse(readFileSync(join(folder, 'net.d', '10-net.conflist'), 'utf8')) as { plugins: object[] }).plugins[1];
  const probeAddresses = () => run('ipset', 'list', 'istio-inpod-probes-v4');

  before(buildCni);
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'agent-cluster-'));
    mkdirSync(join(folder, 'proc'));
    mkdirSync(join(folder, 'net.d'));
    writeFileSync(join(folder, 'net.d', '10-net.conflist'), JSON.stringify(BRIDGE));
    api = await FakeKubeApi.start();
    putNamespace('shop', AMBIENT);
    putNamespace('plain', {});
    api.put(PODS, {
      metadata: { name: 'agent-x', namespace: 'istio-system', ownerReferences: [{ kind: 'DaemonSet', name: 'agent' }] },
      spec: { nodeName: 'n1', hostNetwork: true },
    });
    api.put(DAEMON_SETS, { metadata: { name: 'agent', namespace: 'istio-system' } });
    pod = lab.addPod(`c${podNumber++}`);
    uid = `00000000-0000-4000-8000-${String(podNumber).padStart(12, '0')}`;
  });
  afterEach(async () => {
    await agent.stop();
    await api.stop();
    rmSync(folder, { recursive: true });
  });
  after(() => lab[Symbol.dispose]());

  it('takes in a pod the plugin tells of, says so to the control plane, and lets it go when it is deleted', async () => {
    await start();
    await ready();
    const ztunnel = await FakeZtunnel.ready(agent.zdsPath);
    putPod(pod, { ips: false });
    const { status, stdout } = await plugin(pod);
    assert.equal(status, 0, stdout.toString());
    assert.ok(redirected());
    const added = ztunnel.received.at(-1);
    assert.deepEqual(added?.payload?.$case === 'add' && added.payload.add, {
      uid,
      workloadInfo: { name: pod.name, namespace: 'shop', serviceAccount: 'cart' },
    });
    await eventually('the annotation', () => annotation() === 'enabled');
    assert.match(probeAddresses(), new RegExp(`${pod.ipv4} comment "${uid}"`));
    api.remove(PODS, 'shop', pod.name);
    await eventually('ztunnel lets go', () => ztunnel.cases().at(-1) === 'del');
    await eventually('the probe exemption ends', () => !probeAddresses().includes(`${pod.ipv4} `));
  });

  it('leaves pods alone that do not belong into the mesh', async () => {
    await start();
    await ready();
    const ztunnel = await FakeZtunnel.ready(agent.zdsPath);
    putPod(pod, { namespace: 'plain', ips: false });
    assert.equal((await plugin(pod, { namespace: 'plain' })).status, 0);
    assert.equal((await plugin(pod, { namespace: 'kube-system' })).status, 0);
    assert.ok(!redirected());
    assert.deepEqual(ztunnel.cases(), ['snapshotSent']);
  });

  it('follows labels of namespaces and pods at run time', async () => {
    putProcess(pod.path, uid);
    putPod(pod, { namespace: 'plain' });
    await start();
    await ready();
    const ztunnel = await FakeZtunnel.ready(agent.zdsPath);
    putNamespace('plain', AMBIENT);
    await eventually('the pod is taken in', () => ztunnel.cases().at(-1) === 'add' && redirected());
    const isEnabled = () => api.get(PODS, 'plain', pod.name)?.metadata.annotations?.[REDIRECTION] === 'enabled';
    await eventually('the annotation', isEnabled);
    assert.match(readFileSync(join(folder, 'state', 'namespaces'), 'utf8'), /^enrolled shop$/m);
    putPod(pod, { namespace: 'plain', labels: { 'istio.io/dataplane-mode': 'none' } });
    await eventually('the pod is let go', () => ztunnel.cases().at(-1) === 'del' && !redirected());
    putPod(pod, { namespace: 'plain' });
    await eventually('and taken in again', () => ztunnel.cases().at(-1) === 'add' && redirected());
    putNamespace('plain', {});
    await eventually('and let go', () => ztunnel.cases().at(-1) === 'del' && !redirected());
    await eventually('without the annotation', () => !isEnabled());
    const namespaces = () => readFileSync(join(folder, 'state', 'namespaces'), 'utf8');
    await eventually('the plugin knows', () => /^plain plain$/m.test(namespaces()));
  });

  it('takes a pod in again that has not left yet', async () => {
    putProcess(pod.path, uid);
    putPod(pod);
    await start();
    await ready();
    const ztunnel = await FakeZtunnel.ready(agent.zdsPath);
    const isIn = () => annotation() === 'enabled' && redirected();
    await eventually('the pod is in', isIn);
    putPod(pod, { labels: { 'istio.io/dataplane-mode': 'none' }, annotations: { [REDIRECTION]: 'enabled' } });
    await eventually('it begins to leave', () => !redirected());
    putPod(pod);
    await eventually('it is in again', isIn);
    const dels = () => ztunnel.cases().filter((kind) => kind === 'del').length;
    const before = dels();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.ok(redirected(), 'and stays');
    assert.equal(dels(), before);
  });

  it('takes the pods of before up again before ztunnel gets its snapshot, and clears those that left', async () => {
    putProcess(pod.path, uid);
    putPod(pod);
    await start();
    await ready();
    await FakeZtunnel.ready(agent.zdsPath);
    await eventually('the pod is in', () => annotation() === 'enabled' && redirected());
    await agent.stop();
    const gone = `${uid.slice(0, -12)}999999999999`;
    api.put(PODS, {
      metadata: { name: 'lost', namespace: 'shop', uid: gone, annotations: { [REDIRECTION]: 'enabled' } },
      spec: { nodeName: 'n1' },
      status: { podIP: '10.77.0.250' },
    });
    await start();
    await ready();
    const ztunnel = await FakeZtunnel.ready(agent.zdsPath);
    assert.deepEqual(ztunnel.cases().slice(0, 3), ['add', 'keep', 'snapshotSent']);
    assert.ok(redirected());
    assert.equal(annotation(), 'enabled');
    assert.match(probeAddresses(), new RegExp(`${pod.ipv4} `));
    await agent.stop();
    assert.ok(redirected(), 'the rules outlive the agent');
    putNamespace('shop', {});
    await start();
    await ready();
    await eventually('the rules are removed', () => !redirected());
    await eventually('the annotation too', () => annotation() === undefined);
  });

  it('refuses the namespace of another pod, of the host, and prefers the oldest process', async () => {
    const other = lab.addPod(`o${podNumber}`);
    putProcess(other.path, uid, 10);
    putProcess('/proc/self/ns/net', uid, 20);
    putProcess(pod.path, uid, 30);
    putPod(pod);
    await start();
    await ready();
    await FakeZtunnel.ready(agent.zdsPath);
    await eventually('the annotation', () => annotation() === 'enabled');
    await eventually('redirection', redirected);
    assert.ok(!redirected(other));
    assert.ok(!run('iptables-save').includes('--to-ports 15001'));
  });

  it('marks a pod that ztunnel does not take as pending, and as enabled when it does', async () => {
    putProcess(pod.path, uid);
    await start();
    await ready();
    const ztunnel = await FakeZtunnel.ready(agent.zdsPath);
    ztunnel.answer = () => NACK;
    putPod(pod);
    await eventually('pending', () => annotation() === 'pending');
    assert.ok(!redirected(), 'a running pod waits for ztunnel as it is');
    ztunnel.answer = () => ACK;
    await eventually('enabled', () => annotation() === 'enabled' && redirected());
  });

  it('redirects no running pod before a ztunnel has taken it, whatever its annotation says', async () => {
    putProcess(pod.path, uid);
    putPod(pod, { annotations: { [REDIRECTION]: 'enabled' } });
    await start();
    await ready();
    await eventually('control planes send no tunnels', () => annotation() !== 'enabled');
    assert.ok(!redirected());
    await FakeZtunnel.ready(agent.zdsPath);
    await eventually('the pod is in', () => annotation() === 'enabled' && redirected());
  });

  it('keeps a pod redirected that was, while there is no ztunnel', async () => {
    putProcess(pod.path, uid);
    putPod(pod);
    await start();
    await ready();
    await FakeZtunnel.ready(agent.zdsPath);
    await eventually('the pod is in', () => annotation() === 'enabled' && redirected());
    await agent.stop();
    await start();
    await ready();
    assert.ok(redirected());
    assert.equal(annotation(), 'enabled');
  });

  it('clears a pod outside the mesh of what a former agent left in it', async () => {
    putProcess(pod.path, uid);
    putPod(pod);
    await start();
    await ready();
    await FakeZtunnel.ready(agent.zdsPath);
    await eventually('the pod is in', () => annotation() === 'enabled' && redirected());
    await agent.stop();
    // The emptied chains of a pod that was about to leave, and no annotation any more.
    for (const chain of ['ISTIO_OUTPUT', 'ISTIO_PRERT']) pod.exec('iptables', '-t', 'nat', '-F', chain);
    putPod(pod, { namespace: 'plain' });
    api.remove(PODS, 'shop', pod.name);
    await start();
    await ready();
    await eventually('nothing is left', () => !/ISTIO/.test(pod.exec('iptables-save')));
  });

  it('never gives a pod the identity of another one of the same name', async () => {
    await start();
    await ready();
    const ztunnel = await FakeZtunnel.ready(agent.zdsPath);
    putPod(pod, { ips: false });
    const old = await plugin(pod, { podUid: 'ffffffff-0000-4000-8000-000000000000' });
    assert.equal(old.status, 1);
    assert.match(old.stdout.toString(), /taken its place/);
    assert.ok(!ztunnel.cases().includes('add'));
    assert.ok(!redirected());
    const unnamed = await plugin(pod, { podUid: '' });
    assert.equal(unnamed.status, 0, 'without a uid the API server is asked');
    const fresh = `${uid.slice(0, -12)}888888888888`;
    api.remove(PODS, 'shop', pod.name);
    api.put(PODS, {
      metadata: { name: pod.name, namespace: 'shop', uid: fresh },
      spec: { nodeName: 'n1', serviceAccountName: 'other' },
    });
    await eventually('the old one is let go', () => ztunnel.cases().includes('del'));
    assert.equal((await plugin(pod, { podUid: fresh })).status, 0);
    const added = ztunnel.received.at(-1)?.payload;
    assert.equal(added?.$case === 'add' && added.add.workloadInfo?.serviceAccount, 'other');
  });

  it('does not keep a pod in the mesh that was deleted while it was added', async () => {
    await start();
    await ready();
    const ztunnel = await FakeZtunnel.ready(agent.zdsPath);
    putPod(pod, { ips: false });
    ztunnel.answer = ({ payload }) => {
      if (payload?.$case !== 'add') return ACK;
      api.remove(PODS, 'shop', pod.name);
      setTimeout(() => ztunnel.send(ACK), 200);
      return undefined;
    };
    await plugin(pod);
    await eventually('ztunnel is told', () => ztunnel.cases().at(-1) === 'del');
    assert.doesNotMatch(probeAddresses(), new RegExp(`${pod.ipv4} `));
  });

  it('fails a pod of the mesh without ztunnel, with the reason', async () => {
    await start();
    await ready();
    putPod(pod, { ips: false });
    const { status, stdout } = await plugin(pod);
    assert.equal(status, 1);
    assert.match(stdout.toString(), /no ztunnel connection/);
  });

  it('lets plain pods start while the API server is away, and holds others back', async () => {
    await start();
    await ready();
    await FakeZtunnel.ready(agent.zdsPath);
    const config = pluginConfig();
    api.refuse = () => 500;
    const args = { podUid: 'ffffffff-0000-4000-8000-000000000000' };
    assert.ok(config !== undefined);
    const [plain, meshed] = await Promise.all([
      plugin(pod, { ...args, namespace: 'plain' }),
      plugin(pod, { ...args, namespace: 'shop' }),
    ]);
    assert.equal(plain.status, 0, plain.stdout.toString());
    assert.equal(meshed.status, 1);
    assert.match(meshed.stdout.toString(), /cannot be looked up/);
  });

  it('leaves plugin and probe rules on the node at a rollout, and removes them with its DaemonSet', async () => {
    await start();
    await ready();
    await agent.stop();
    assert.ok(pluginConfig() !== undefined);
    assert.match(run('iptables-save', '-t', 'nat'), /ISTIO_POSTRT/);
    await start();
    await ready();
    api.remove(DAEMON_SETS, 'istio-system', 'agent');
    await agent.stop();
    assert.deepEqual(JSON.parse(readFileSync(join(folder, 'net.d', '10-net.conflist'), 'utf8')), BRIDGE);
    assert.doesNotMatch(run('iptables-save', '-t', 'nat'), /ISTIO_POSTRT/);
    assert.equal(run('ipset', 'list', '-n'), '');
  });

  it('gives its pods back when its rights went before it, if it saw its DaemonSet deleted', async () => {
    putProcess(pod.path, uid);
    putPod(pod);
    const isIn = () => annotation() === 'enabled' && redirected();
    await start();
    await ready();
    await FakeZtunnel.ready(agent.zdsPath);
    await eventually('the pod is in', isIn);
    api.refuse = () => 403;
    await agent.stop();
    assert.ok(redirected(), 'nothing was seen: it may be a rollout');
    api.refuse = () => undefined;
    await start();
    await ready();
    await FakeZtunnel.ready(agent.zdsPath);
    // The watch is open when it has told of something.
    api.put(DAEMON_SETS, { metadata: { name: 'agent', namespace: 'istio-system', labels: { a: 'b' } } });
    await new Promise((resolve) => setTimeout(resolve, 300));
    api.remove(DAEMON_SETS, 'istio-system', 'agent');
    await new Promise((resolve) => setTimeout(resolve, 300));
    api.refuse = () => 403;
    await agent.stop();
    assert.doesNotMatch(pod.exec('iptables-save'), /ISTIO/);
    assert.ok(!existsSync(join(folder, 'state', 'namespaces')));
  });

  it('cleans the node when it is told to leave before it has taken up its pods', async () => {
    putProcess(pod.path, uid);
    putPod(pod);
    await start();
    await ready();
    await FakeZtunnel.ready(agent.zdsPath);
    await eventually('the pod is in', () => annotation() === 'enabled' && redirected());
    await agent.stop();
    assert.ok(redirected());
    api.remove(DAEMON_SETS, 'istio-system', 'agent');
    await start();
    await agent.stop();
    assert.doesNotMatch(pod.exec('iptables-save'), /ISTIO/);
  });

  it('is not ready, and says why, while the plugin cannot be written', async () => {
    run('mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', join(folder, 'net.d'));
    try {
      mkdirSync(join(folder, 'bin'));
      run('mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', join(folder, 'bin'));
      writeFileSync(join(folder, 'net.d', '10-net.conflist'), JSON.stringify(BRIDGE));
      await start();
      await eventually('it says why', async () => (await readiness()).text.includes('disk is full'));
      assert.equal((await readiness()).status, 503);
      run('mount', '-o', 'remount,size=16m', join(folder, 'bin'));
      await ready();
    } finally {
      await agent.stop();
      run('umount', join(folder, 'net.d'));
      run('umount', join(folder, 'bin'));
    }
  });

  it('finds a real process of a pod by its cgroup', async () => {
    // The namespace of a living process, and not of a name that could be gone.
    const child = spawn('nsenter', [`--net=${pod.path}`, 'sleep', '30'], { stdio: 'ignore' });
    await once(child, 'spawn');
    await eventually('the child is in the namespace', () => {
      const names = run('ip', 'netns', 'identify', String(child.pid));
      return names.trim() === pod.path.slice('/run/netns/'.length);
    });
    putProcess(`/proc/${child.pid}/ns/net`, uid);
    putPod(pod);
    await start();
    await ready();
    await FakeZtunnel.ready(agent.zdsPath);
    await eventually('the annotation', () => annotation() === 'enabled');
    child.kill('SIGKILL');
  });
});
