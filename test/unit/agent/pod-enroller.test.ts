import assert from 'node:assert/strict';
import { closeSync, openSync, statSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { InPodRuleOptions } from '../../../src/agent/in-pod-rules.ts';
import type { RulesFound } from '../../../src/agent/iptables-save.ts';
import { PodEnroller } from '../../../src/agent/pod-enroller.ts';
import { PodRegistry } from '../../../src/agent/pod-registry.ts';
import { AmbitError } from '../../../src/base/errors.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import type { AgentPod } from '../../../src/model/agent-pod.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';
import { openDescriptors } from '../../helpers/open-descriptors.ts';

const RULES: InPodRuleOptions = {
  dnsCapture: true,
  ingressMode: false,
  rerouteVirtualInterfaces: [],
  probeAddressV4: '169.254.7.127',
  probeAddressV6: 'fd16::1',
  ipv6: true,
};
/** Any file that is not the host's namespace serves: entering it is the business of `run`, which is a fake here. */
const pod = (uid: string, netns = '/dev/null', extra: Partial<AgentPod> = {}): AgentPod => ({
  uid,
  name: `name-${uid}`,
  namespace: 'ns',
  serviceAccount: 'sa',
  netns,
  ips: ['10.0.0.1'],
  annotations: {},
  ...extra,
});
const LINKS = JSON.stringify([{ addr_info: [{ local: '10.0.0.1' }, { local: 'fd00::1' }] }]);

/** What `grep` finds in /proc/net/tcp says while ztunnel has a connection on 15008, and when it has none. */
const TUNNEL = '   0: 0100007F:3AA0 0200007F:C001 01 00000000:00000000';
const LISTENER = '   0: 00000000:3AA0 00000000:0000 0A 00000000:00000000';

function setUp({ drainMs = 0 } = {}) {
  const sockets = { table: TUNNEL };
  const rules: { found: RulesFound } = { found: 'none' };
  const tracking = { drops: 0, isMissing: false };
  const clock = new ManualClock();
  const registry = new PodRegistry();
  const calls: string[] = [];
  const failures = new Map<string, AmbitError>();
  const step = async (name: string, subject: string) => {
    calls.push(`${name} ${subject}`);
    const failure = failures.get(name);
    if (failure !== undefined) throw failure;
  };
  const enroller = new PodEnroller(
    { rules: RULES, leaveDrainMs: drainMs, joinDrainMs: 300_000 },
    {
      registry,
      clock,
      log: silentLogger,
      run: async (_program, args) => ({ status: 0, stdout: args.includes('grep') ? sockets.table : LINKS, stderr: '' }),
      dropRedirected: (netnsFd, ports) => {
        if (tracking.isMissing) throw new AmbitError('NATIVE_FAILED', 'no such subsystem');
        if (ports.includes(15001)) tracking.drops += netnsFd >= 0 ? 1 : 0;
        else calls.push(`forget ${ports.join(' ')}`);
        return 1;
      },
      applier: {
        apply: (path, options) => {
          const capture = options.capture === 'all' ? '' : ` ${options.capture}`;
          return step('rules', `${statSync(path).isCharacterDevice()} ${options.ingressMode}${capture}`);
        },
        inspect: async () => rules.found,
        remove: () => step('unrule', ''),
      },
      zds: {
        add: ({ uid }, fd) => step('add', `${uid} ${fd >= 0}`),
        del: (uid) => step('del', uid),
      },
    },
  );
  const state = (uid: string) => registry.get(uid)?.state.kind;
  return { clock, registry, calls, failures, enroller, sockets, rules, tracking, state };
}

const refused = new AmbitError('ZDS_REFUSED', 'ztunnel refused: port in use');
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('PodEnroller', () => {
  it('writes rules first, then tells ztunnel, and is enrolled after the ack', async () => {
    const { enroller, calls, state } = setUp();
    await enroller.add(pod('u1', '/dev/null', { annotations: { 'ambient.istio.io/bypass-inbound-capture': 'true' } }));
    assert.deepEqual(calls, ['rules true true', 'add u1 true']);
    assert.equal(state('u1'), 'enrolled');
  });

  it('forgets a pod whose rules failed and does not tell ztunnel', async () => {
    const { enroller, calls, failures, registry } = setUp();
    const before = openDescriptors().length;
    failures.set('rules', new AmbitError('RULES_TOOL_FAILED', 'no iptables'));
    await assert.rejects(enroller.add(pod('u1')), { code: 'RULES_TOOL_FAILED' });
    assert.deepEqual(calls, ['rules true false']);
    assert.deepEqual(registry.list(), []);
    assert.equal(openDescriptors().length, before);
  });

  it('offers a pod again that ztunnel did not take, from 5 ms on doubling to 5 s', async () => {
    const { enroller, clock, failures, state, registry, calls } = setUp();
    failures.set('add', refused);
    await assert.rejects(enroller.add(pod('u1')), { code: 'ZDS_REFUSED' });
    assert.equal(state('u1'), 'partial');
    const delays: number[] = [];
    for (let retry = 0; retry < 13; retry++) {
      const [delayMs = 0] = clock.waitingMs;
      delays.push(delayMs);
      clock.advance(delayMs);
      await settle();
    }
    assert.deepEqual(delays, [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5000, 5000, 5000]);
    assert.equal(registry.snapshot().length, 1);
    failures.clear();
    clock.advance(5000);
    await settle();
    assert.equal(state('u1'), 'enrolled');
    assert.deepEqual(clock.waitingMs, []);
    assert.equal(calls.filter((call) => call.startsWith('rules')).length, 1);
  });

  it('stops offering a pod that was removed', async () => {
    const { enroller, clock, failures, registry, calls } = setUp();
    failures.set('add', refused);
    await assert.rejects(enroller.add(pod('u1')));
    await enroller.remove('u1', true);
    assert.deepEqual(clock.waitingMs, []);
    assert.deepEqual(registry.list(), []);
    assert.deepEqual(calls.slice(-1), ['del u1']);
  });

  it('lets ztunnel go of a living pod before it removes its rules, and touches nothing of one that is gone', async () => {
    const { enroller, calls } = setUp();
    await enroller.add(pod('u1'));
    await enroller.remove('u1', false);
    await enroller.add(pod('u1'));
    await enroller.remove('u1', true);
    await enroller.remove('unknown', false);
    assert.deepEqual(
      calls.filter((call) => /^(unrule|del)/.test(call)),
      ['del u1', 'unrule ', 'del u1', 'del unknown'],
    );
  });

  it('tells ztunnel even when rules cannot be removed, and reports the failure', async () => {
    const { enroller, calls, failures, registry } = setUp();
    await enroller.add(pod('u1'));
    failures.set('unrule', new AmbitError('RULES_TOOL_FAILED', 'busy'));
    await assert.rejects(enroller.remove('u1', false), { code: 'RULES_TOOL_FAILED' });
    assert.ok(calls.includes('del u1'));
    assert.deepEqual(registry.list(), []);
  });

  it('refuses two pods in one namespace, also under different paths, and keeps the first', async () => {
    const { enroller, state } = setUp();
    await enroller.add(pod('u1'));
    const before = openDescriptors().length;
    const fd = openSync('/dev/null', 'r');
    await assert.rejects(enroller.add(pod('u2', `/proc/self/fd/${fd}`)), { code: 'NETNS_IN_USE', message: /name-u1/ });
    closeSync(fd);
    assert.equal(openDescriptors().length, before);
    assert.equal(state('u1'), 'enrolled');
    assert.equal(state('u2'), undefined);
  });

  it("refuses the host's own namespace, a path that is gone, and a namespace without the pod's address", async () => {
    const { enroller, registry } = setUp();
    await assert.rejects(enroller.add(pod('u1', '/proc/self/ns/net')), { code: 'NETNS_IS_HOST' });
    await assert.rejects(enroller.add(pod('u1', '/proc/self/ns/missing')), { code: 'NETNS_NOT_FOUND' });
    await assert.rejects(enroller.add(pod('u1', '/dev/null', { ips: ['10.0.0.2'] })), { code: 'NETNS_NOT_OF_POD' });
    assert.deepEqual(registry.list(), []);
    await enroller.add(pod('u1', '/dev/null', { ips: ['10.0.0.2', 'FD00:0::1'] }));
  });

  it('is harmless to do twice, and leaves one descriptor', async () => {
    const { enroller } = setUp();
    const before = openDescriptors().length;
    await Promise.all([enroller.add(pod('u1')), enroller.add(pod('u1')), enroller.add(pod('u1', '/dev/zero'))]);
    assert.equal(openDescriptors().length, before + 1);
    enroller.stop();
    assert.equal(openDescriptors().length, before);
  });
});

describe('a pod whose programs run', () => {
  it('is served by ztunnel before anything is redirected, and its open connections are spared for a time', async () => {
    const { enroller, calls, clock, state } = setUp();
    await enroller.add(pod('u1'), 'running');
    assert.deepEqual(calls, ['add u1 true', 'rules true false new-connections']);
    assert.equal(state('u1'), 'enrolled');
    clock.advance(300_000);
    await settle();
    assert.deepEqual(calls.slice(2), ['rules true false']);
  });

  it('is not redirected before ztunnel takes it, and is as soon as it does', async () => {
    const { enroller, calls, clock, failures, state } = setUp();
    failures.set('add', refused);
    await assert.rejects(enroller.add(pod('u1'), 'running'), { code: 'ZDS_REFUSED' });
    clock.advance(5);
    await settle();
    assert.deepEqual(calls, ['add u1 true', 'add u1 true']);
    assert.equal(state('u1'), 'partial');
    failures.clear();
    clock.advance(10);
    await settle();
    assert.deepEqual(calls.slice(2), ['add u1 true', 'rules true false new-connections']);
    assert.equal(state('u1'), 'enrolled');
    clock.advance(300_000);
    await settle();
    assert.deepEqual(calls.slice(4), ['rules true false']);
  });

  it('is tried again when its rules cannot be written at a retry', async () => {
    const { enroller, calls, clock, failures, state } = setUp();
    failures.set('add', refused);
    await assert.rejects(enroller.add(pod('u1'), 'running'), { code: 'ZDS_REFUSED' });
    failures.clear();
    failures.set('rules', new AmbitError('RULES_TOOL_FAILED', 'busy'));
    clock.advance(5);
    await settle();
    assert.equal(state('u1'), 'partial');
    failures.clear();
    clock.advance(10);
    await settle();
    assert.equal(state('u1'), 'enrolled');
    assert.deepEqual(calls.slice(-2), ['add u1 true', 'rules true false new-connections']);
  });

  it('stays redirected when it was before, whether ztunnel takes it or not', async () => {
    const { enroller, calls, failures, rules, state } = setUp();
    rules.found = 'capturing';
    failures.set('add', refused);
    await assert.rejects(enroller.add(pod('u1'), 'running'), { code: 'ZDS_REFUSED' });
    assert.deepEqual(calls, ['rules true false new-connections', 'add u1 true']);
    assert.equal(state('u1'), 'partial');
  });

  it('is taken from ztunnel again when its rules cannot be written', async () => {
    const { enroller, calls, failures, registry } = setUp();
    failures.set('rules', new AmbitError('RULES_TOOL_FAILED', 'no iptables'));
    await assert.rejects(enroller.add(pod('u1'), 'running'), { code: 'RULES_TOOL_FAILED' });
    assert.deepEqual(calls, ['add u1 true', 'rules true false new-connections', 'del u1']);
    assert.deepEqual(registry.list(), []);
  });
});

describe('connection tracking of a pod', () => {
  it('forgets what was redirected before a running pod joins, and when its rules are gone', async () => {
    const { enroller, tracking } = setUp();
    await enroller.add(pod('u1'), 'running');
    assert.equal(tracking.drops, 1);
    await enroller.remove('u1', false);
    assert.equal(tracking.drops, 2);
    await enroller.clear(pod('u1'));
    assert.equal(tracking.drops, 3);
    await enroller.add(pod('u1'));
    await enroller.remove('u1', true);
    assert.equal(tracking.drops, 3, 'not of a pod whose programs have not started, or that has ended');
  });

  it('keeps what ztunnel still carries of a pod that comes back, or was taken up', async () => {
    const { enroller, rules, tracking } = setUp({ drainMs: 30_000 });
    await enroller.add(pod('u1'));
    rules.found = 'capturing';
    await enroller.add(pod('u1'), 'running');
    await enroller.remove('u1', false);
    rules.found = 'emptied';
    await enroller.add(pod('u1'), 'running');
    assert.equal(tracking.drops, 0);
  });

  it('is done without where the kernel does not let it', async () => {
    const { enroller, tracking, state } = setUp();
    tracking.isMissing = true;
    await enroller.add(pod('u1'), 'running');
    assert.equal(state('u1'), 'enrolled');
    await enroller.remove('u1', false);
    assert.equal(state('u1'), undefined);
  });
});

describe('a pod of the time before the agent started', () => {
  it('is taken up with its rules, and left alone when nothing is redirected in it', async () => {
    const { enroller, calls, rules, state } = setUp();
    for (const found of ['none', 'emptied'] as const) {
      rules.found = found;
      assert.equal(await enroller.adopt(pod('u1'), 'write'), false);
    }
    assert.deepEqual(calls, []);
    rules.found = 'capturing';
    assert.equal(await enroller.adopt(pod('u1'), 'write'), true);
    assert.deepEqual(calls, ['rules true false', 'add u1 true']);
    assert.equal(state('u1'), 'enrolled');
  });

  it('is cleared of what is left in it when it is not in the mesh', async () => {
    const { enroller, calls, rules } = setUp();
    await enroller.clearLeftovers(pod('u1'));
    assert.deepEqual(calls, []);
    rules.found = 'emptied';
    const before = openDescriptors().length;
    await enroller.clearLeftovers(pod('u1'));
    assert.deepEqual(calls, ['del u1', 'unrule ']);
    assert.equal(openDescriptors().length, before);
  });
});

describe('a pod that leaves and lives on', () => {
  it('has its new connections plain at once, and those of ztunnel end before the rest goes', async () => {
    const { enroller, calls, clock, sockets, state } = setUp({ drainMs: 30_000 });
    await enroller.add(pod('u1'));
    await enroller.remove('u1', false);
    assert.deepEqual(calls.slice(2), ['rules true false none']);
    assert.equal(state('u1'), 'leaving');
    for (let second = 0; second < 5; second++) {
      clock.advance(1000);
      await settle();
    }
    assert.deepEqual(calls.slice(3), []);
    sockets.table = LISTENER;
    clock.advance(1000);
    await settle();
    assert.deepEqual(calls.slice(3), ['del u1', 'forget 15053', 'unrule ']);
    assert.equal(state('u1'), undefined);
  });

  it('is cut when its connections do not end in time', async () => {
    const { enroller, calls, clock } = setUp({ drainMs: 3000 });
    await enroller.add(pod('u1'));
    await enroller.remove('u1', false);
    for (let second = 0; second < 3; second++) {
      clock.advance(1000);
      await settle();
    }
    assert.deepEqual(calls.slice(3), ['del u1', 'forget 15053', 'unrule ']);
    assert.deepEqual(clock.waitingMs, []);
  });

  it('comes back with no gap when it is wanted again meanwhile', async () => {
    const { enroller, calls, clock, state } = setUp({ drainMs: 30_000 });
    await enroller.add(pod('u1'));
    await enroller.remove('u1', false);
    await enroller.add(pod('u1'));
    assert.deepEqual(calls.slice(3), ['add u1 true', 'rules true false new-connections']);
    clock.advance(60_000);
    await settle();
    assert.equal(state('u1'), 'enrolled');
    assert.equal(calls.includes('del u1'), false);
  });

  it('does so with all others when the mesh leaves the node, and is cut after the time it has', async () => {
    const { enroller, calls, clock, registry } = setUp({ drainMs: 30_000 });
    await enroller.add(pod('u1'));
    const removal = enroller.removeAll(2000);
    for (let step = 0; step < 12; step++) {
      await settle();
      clock.advance(250);
    }
    await removal;
    assert.deepEqual(calls.slice(2), ['rules true false none', 'del u1', 'forget 15053', 'unrule ']);
    assert.deepEqual(registry.list(), []);
  });

  it('is forgotten at once when it ends meanwhile', async () => {
    const { enroller, calls, clock, registry } = setUp({ drainMs: 30_000 });
    await enroller.add(pod('u1'));
    await enroller.remove('u1', false);
    await enroller.remove('u1', true);
    assert.deepEqual(calls.slice(3), ['del u1']);
    assert.deepEqual(registry.list(), []);
    assert.deepEqual(clock.waitingMs, []);
  });
});

describe('PodRegistry', () => {
  it('offers only pods whose rules are written, and keeps those known by uid', async () => {
    const registry = new PodRegistry();
    const netns = { fd: openSync('/dev/null', 'r'), id: { dev: 1n, ino: 1n } };
    registry.keep('u0');
    registry.claim(pod('u1'), netns);
    assert.deepEqual(registry.snapshot(), [{ kind: 'keep', uid: 'u0' }]);
    registry.setState('u1', { kind: 'enrolled' });
    const [entry] = registry.snapshot();
    assert.equal(entry?.kind === 'add' && entry.netnsFd(), netns.fd);
    registry.release('u1');
    assert.equal(entry?.kind === 'add' && entry.netnsFd(), undefined);
    assert.deepEqual(registry.snapshot(), [{ kind: 'keep', uid: 'u0' }]);
  });
});
