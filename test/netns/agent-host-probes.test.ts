import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createConnection } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { chooseHostBackend } from '../../src/agent/host/choose-backend.ts';
import { HostProbeExemptions } from '../../src/agent/host/probe-exemptions.ts';
import { DEFAULT_PROBE_ADDRESS_V4, DEFAULT_PROBE_ADDRESS_V6 } from '../../src/agent/in-pod-rules.ts';
import { type RunCommand, runCommand } from '../../src/agent/run-command.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { eventually } from '../helpers/eventually.ts';
import { enterPrivateNetns, type LabPod, NetnsLab, run } from '../helpers/netns.ts';

enterPrivateNetns(import.meta.url);

const OPTIONS = {
  sourceV4: DEFAULT_PROBE_ADDRESS_V4,
  sourceV6: DEFAULT_PROBE_ADDRESS_V6,
  ipv6: true,
  procRoot: '/proc',
};
/** Tells each connection where it seems to come from. */
const ECHO = `require('node:net').createServer((s)=>s.end(s.remoteAddress)).listen(8080,'::',()=>console.log('up'))`;

function sourceSeenBy(ip: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = createConnection({ host: ip, port: 8080, timeout: 3000 });
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.on('end', () => resolve(text));
    socket.on('timeout', () => socket.destroy(new Error('no answer')));
    socket.on('error', reject);
  });
}

async function serve(pod: LabPod): Promise<() => void> {
  const child = spawn('nsenter', [`--net=${pod.path}`, process.execPath, '-e', ECHO], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let up = false;
  child.stdout.on('data', () => {
    up = true;
  });
  await eventually('the pod serves', () => up);
  return () => child.kill('SIGKILL');
}

for (const backend of ['iptables', 'nft'] as const) {
  describe(`the probe rules of the node with ${backend}`, () => {
    const lab = new NetnsLab();
    const pod = lab.addPod('web');
    const other = lab.addPod('other');
    let stops: (() => void)[] = [];
    const failing = new Set<string>();
    const runOrFail: RunCommand = (program, args, input) =>
      failing.has(program)
        ? Promise.resolve({ status: 1, stdout: '', stderr: 'no' })
        : runCommand(program, args, input);
    const create = (run = runOrFail) =>
      new HostProbeExemptions({
        backend: () => chooseHostBackend({ ...OPTIONS, backend }, { run, log: silentLogger }),
        clock: systemClock,
        log: silentLogger,
      });
    const rules = () => (backend === 'nft' ? run('nft', 'list', 'ruleset') : run('iptables-save', '-t', 'nat'));
    let probes = create();

    before(async () => {
      stops = [await serve(pod), await serve(other)];
      if (backend === 'iptables') {
        run('iptables', '-t', 'nat', '-A', 'POSTROUTING', '-s', lab.nodeIpv4, '-j', 'MASQUERADE');
      }
    });
    after(() => {
      for (const stop of stops) stop();
      lab[Symbol.dispose]();
    });

    it('rewrites the source of what the node sends to a pod in the mesh, and of nothing else', async () => {
      await probes.start();
      assert.equal(probes.problem, undefined);
      await probes.add({ uid: 'u1', ips: [pod.ipv4, pod.ipv6] });
      assert.match(await sourceSeenBy(pod.ipv4), /169\.254\.7\.127$/);
      assert.equal(await sourceSeenBy(pod.ipv6), DEFAULT_PROBE_ADDRESS_V6);
      assert.match(await sourceSeenBy(other.ipv4), new RegExp(`${lab.nodeIpv4}$`));
    });

    it('leaves traffic between pods alone', () => {
      const text = other.exec(
        process.execPath,
        '-e',
        `require('node:net').connect(8080,'${pod.ipv4}').on('data',(d)=>console.log(String(d)))`,
      );
      assert.match(text, new RegExp(other.ipv4));
    });

    it('keeps an address that another pod has taken over', async () => {
      await probes.add({ uid: 'u2', ips: [pod.ipv4] });
      await probes.remove('u1');
      assert.match(await sourceSeenBy(pod.ipv4), /169\.254\.7\.127$/);
      await probes.remove('u2');
      assert.doesNotMatch(await sourceSeenBy(pod.ipv4), /169\.254\.7\.127$/);
    });

    it('is rebuilt at the next start from the pods of then, with one jump at the front', async () => {
      await probes.add({ uid: 'u1', ips: [pod.ipv4] });
      await probes.stop();
      assert.match(await sourceSeenBy(pod.ipv4), /169\.254\.7\.127$/, 'the rules outlive the agent');
      probes = create();
      await probes.add({ uid: 'u3', ips: [other.ipv4] });
      await probes.start();
      assert.match(await sourceSeenBy(other.ipv4), /169\.254\.7\.127$/);
      assert.doesNotMatch(await sourceSeenBy(pod.ipv4), /169\.254\.7\.127$/);
      if (backend === 'iptables') {
        const lines = rules()
          .split('\n')
          .filter((line) => line.startsWith('-A POSTROUTING'));
        assert.equal(lines[0], '-A POSTROUTING -j ISTIO_POSTRT');
        assert.equal(lines.filter((line) => line.includes('ISTIO_POSTRT')).length, 1);
      }
    });

    it('says what fails, and puts everything in place once it works', async () => {
      failing.add(backend === 'nft' ? 'nft' : 'ipset');
      await probes.add({ uid: 'u1', ips: [pod.ipv4] });
      assert.match(probes.problem ?? '', /probe rules of the node/);
      failing.clear();
      await eventually('the retry', () => probes.problem === undefined);
      assert.match(await sourceSeenBy(pod.ipv4), /169\.254\.7\.127$/);
    });

    it('is gone after the removal, which can be repeated', async () => {
      await probes.stop();
      await probes.uninstall();
      await probes.uninstall();
      assert.doesNotMatch(rules(), /ISTIO_POSTRT|istio-ambient|istio-inpod/);
      if (backend === 'iptables') assert.equal(run('ipset', 'list', '-n'), '');
    });
  });
}

describe('the choice of programs', () => {
  const without = (...missing: string[]): RunCommand => {
    return (program, args, input) =>
      missing.includes(program) ? Promise.reject(new Error('missing')) : runCommand(program, args, input);
  };
  const choose = (backend: 'auto' | 'iptables' | 'nft', run: RunCommand) =>
    chooseHostBackend({ ...OPTIONS, backend }, { run, log: silentLogger });

  it('takes nft when ipset is missing, and says what is missing when nothing works', async () => {
    assert.equal((await choose('auto', runCommand)).name, 'iptables');
    assert.equal((await choose('auto', without('ipset'))).name, 'nft');
    await assert.rejects(choose('iptables', without('ipset')), { message: /ipset cannot be used/ });
    await assert.rejects(choose('auto', without('ipset', 'nft')), { message: /ipset, and nft, cannot/ });
    await assert.rejects(choose('nft', without('nft')), { message: /nft cannot be used/ });
  });
});
