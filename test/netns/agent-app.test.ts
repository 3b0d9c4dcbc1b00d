import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { type Agent, startAgent } from '../../src/agent/app.ts';
import { parseAgentConfig } from '../../src/agent/config.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { eventually } from '../helpers/eventually.ts';
import { FakeZtunnel, NACK } from '../helpers/fake-ztunnel.ts';
import { httpOverUnix } from '../helpers/http-over-unix.ts';
import { enterPrivateNetns, type LabPod, NetnsLab } from '../helpers/netns.ts';

enterPrivateNetns(import.meta.url);

const bodyOf = (uid: string, pod: LabPod, extra: object = {}) =>
  JSON.stringify({
    uid,
    name: pod.name,
    namespace: 'default',
    serviceAccount: 'sa',
    netns: pod.path,
    ips: [pod.ipv4],
    ...extra,
  });
const redirected = (pod: LabPod) => pod.exec('iptables-save').includes('--to-ports 15001');

describe('the node agent', () => {
  const lab = new NetnsLab();
  let folder = '';
  let agent: Agent;
  let pod: LabPod;
  let podNumber = 0;

  const start = () =>
    startAgent(
      parseAgentConfig(
        [
          '--ztunnel-uds-address',
          join(folder, 'zds', 'ztunnel.sock'),
          '--cni-event-address',
          join(folder, 'agent.sock'),
          '--readiness-address',
          '127.0.0.1:0',
          '--monitoring-address',
          '127.0.0.1:0',
        ],
        {},
      ),
      { log: silentLogger },
    );
  const call = (method: string, path: string, body?: string) => httpOverUnix(agent.socketPath, method, path, body);
  const states = async () =>
    Object.fromEntries(
      (JSON.parse((await call('GET', '/pods')).body) as { uid: string; state: string }[]).map((p) => [p.uid, p.state]),
    );

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'agent-app-'));
  });
  beforeEach(async () => {
    agent = await start();
    pod = lab.addPod(`p${podNumber++}`);
  });
  afterEach(() => agent.stop());
  after(() => {
    lab[Symbol.dispose]();
    rmSync(folder, { recursive: true });
  });

  it('answers 200 when rules are written and ztunnel has taken the namespace', async () => {
    const ztunnel = await FakeZtunnel.ready(agent.zdsPath);
    ztunnel.answer = (request) => {
      assert.ok(redirected(pod), 'rules come before ztunnel');
      assert.equal(request.fdCount, 1);
      return Buffer.from('0a00', 'hex');
    };
    assert.deepEqual(await call('POST', '/pods', bodyOf('u1', pod)), { status: 200, body: '' });
    assert.deepEqual(ztunnel.cases(), ['snapshotSent', 'add']);
    assert.deepEqual(await states(), { u1: 'enrolled' });
  });

  it('leaves rules in place when it stops, and takes the pod again without changing them', async () => {
    let ztunnel = await FakeZtunnel.ready(agent.zdsPath);
    await call('POST', '/pods', bodyOf('u1', pod));
    const rules = pod.exec('iptables-save').replaceAll(/^#.*$/gm, '');
    await agent.stop();
    await eventually('ztunnel sees the end', () => ztunnel.ended);
    assert.equal(pod.exec('iptables-save').replaceAll(/^#.*$/gm, ''), rules);
    agent = await start();
    ztunnel = await FakeZtunnel.ready(agent.zdsPath);
    assert.equal((await call('POST', '/pods', bodyOf('u1', pod))).status, 200);
    assert.equal(pod.exec('iptables-save').replaceAll(/^#.*$/gm, ''), rules);
  });

  it('keeps a pod that ztunnel refuses as partial, and enrols it when ztunnel takes it', async () => {
    const ztunnel = await FakeZtunnel.ready(agent.zdsPath);
    ztunnel.answer = () => NACK;
    const answer = await call('POST', '/pods', bodyOf('u1', pod));
    assert.equal(answer.status, 500);
    assert.match(answer.body, /ztunnel refused: x/);
    assert.deepEqual(await states(), { u1: 'partial' });
    assert.ok(redirected(pod), 'captured, so nothing leaves as plaintext');
    ztunnel.answer = () => Buffer.from('0a00', 'hex');
    await eventually('a retry comes', () => ztunnel.cases().filter((kind) => kind === 'add').length >= 2);
    await eventually('the pod is enrolled', async () => (await states())['u1'] === 'enrolled');
  });

  it('says that no ztunnel is there, and hands the pod over in the snapshot when one comes', async () => {
    const answer = await call('POST', '/pods', bodyOf('u1', pod));
    assert.match(answer.body, /no ztunnel connection/);
    const ztunnel = await FakeZtunnel.ready(agent.zdsPath);
    assert.equal(ztunnel.cases()[0], 'add');
    assert.equal(ztunnel.received[0]?.fdCount, 1);
  });

  it('redirects nothing more of a living pod that leaves, and ends the rest once ztunnel carries nothing', async () => {
    const ztunnel = await FakeZtunnel.ready(agent.zdsPath);
    await call('POST', '/pods', bodyOf('u1', pod));
    assert.equal((await call('DELETE', '/pods/u1')).status, 200);
    assert.ok(!redirected(pod));
    await eventually('ztunnel is told', () => ztunnel.cases().at(-1) === 'del');
    await eventually('the routing is gone', () => !pod.exec('ip', 'rule').includes('32764'));
    await eventually('the pod is forgotten', async () => Object.keys(await states()).length === 0);
  });

  it('does not touch the namespace of a pod that is gone', async () => {
    await FakeZtunnel.ready(agent.zdsPath);
    await call('POST', '/pods', bodyOf('u1', pod));
    assert.equal((await call('DELETE', '/pods/u1?gone=true')).status, 200);
    assert.ok(redirected(pod));
  });

  it('refuses the namespace of the host, of another pod, and of a pod with other addresses', async () => {
    await FakeZtunnel.ready(agent.zdsPath);
    const host = await call('POST', '/pods', bodyOf('u1', pod, { netns: '/proc/self/ns/net', ips: [lab.nodeIpv4] }));
    assert.match(host.body, /network namespace of the host/);
    const wrong = await call('POST', '/pods', bodyOf('u1', pod, { ips: ['10.99.0.1'] }));
    assert.match(wrong.body, /none of the pod's addresses/);
    const none = await call('POST', '/pods', bodyOf('u1', pod, { netns: '/dev/null' }));
    assert.match(none.body, /no network namespace/);
    assert.ok(!redirected(pod));
    assert.equal((await call('POST', '/pods', bodyOf('u1', pod))).status, 200);
    const second = await call('POST', '/pods', bodyOf('u2', pod));
    assert.match(second.body, /belongs to pod default\/p\d+ \(uid u1\)/);
    assert.deepEqual(
      [host, wrong, none, second].map(({ status }) => status),
      [500, 500, 500, 500],
    );
  });

  it('tells what it does in its metrics', async () => {
    await FakeZtunnel.ready(agent.zdsPath);
    await call('POST', '/pods', bodyOf('u1', pod));
    await call('POST', '/pods', bodyOf('u2', pod));
    const answer = await fetch(`http://127.0.0.1:${agent.monitoring?.port}/metrics`);
    const text = await answer.text();
    assert.match(text, /^ambit_agent_pods\{state="enrolled"\} 1$/m);
    assert.match(text, /^ambit_agent_pod_adds_total\{result="success"\} 1$/m);
    assert.match(text, /^ambit_agent_pod_adds_total\{result="failure"\} 1$/m);
    assert.match(text, /^ztunnel_connected 1$/m);
    assert.doesNotMatch(text, /istio_cni/);
  });

  it('is ready while it runs', async () => {
    const probe = (path: string) =>
      new Promise((resolve, reject) => {
        get({ host: '127.0.0.1', port: agent.readiness.port, path, agent: false }, (response) => {
          response.resume();
          resolve(response.statusCode);
        }).on('error', reject);
      });
    assert.deepEqual([await probe('/healthz'), await probe('/readyz'), await probe('/')], [200, 200, 404]);
    await agent.stop();
    await assert.rejects(probe('/healthz'));
  });
});
