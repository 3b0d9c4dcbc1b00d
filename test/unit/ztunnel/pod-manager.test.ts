import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../../../src/base/logger.ts';
import { PodManager, type PodRequest } from '../../../src/ztunnel/pod-manager.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

const INFO = { name: 'p', namespace: 'n', serviceAccount: 's' };

/** A manager whose descriptors are numbers: `netns * 100 + n`, so that 101 and 102 are the same namespace. */
function setUp() {
  const clock = new ManualClock();
  const running = new Set<string>();
  const closed: number[] = [];
  const failing = new Map<string, string>();
  const manager = new PodManager({
    clock,
    logger: silentLogger,
    startPod: async ({ uid }) => {
      const problem = failing.get(uid);
      if (problem === undefined) running.add(uid);
      return problem;
    },
    stopPod: async (uid) => void running.delete(uid),
    closeFd: (fd) => closed.push(fd),
    netnsId: (fd) => String(Math.floor(fd / 100)),
    onChange: () => undefined,
  });
  const send = async (request: PodRequest) => {
    const outcome = await manager.handle(request);
    return outcome.kind === 'ok' ? 'ok' : `${outcome.next}: ${outcome.message}`;
  };
  const add = (uid: string, netnsFd: number) => send({ kind: 'add', uid, info: INFO, netnsFd });
  const snapshot = () => send({ kind: 'snapshot-sent' });
  return { clock, running, closed, failing, manager, send, add, snapshot };
}

describe('add', () => {
  it('starts a proxy', async () => {
    const { manager, add, snapshot, running, closed } = setUp();
    manager.connected();
    assert.equal(await add('a', 100), 'ok');
    assert.equal(manager.ready, false, 'the snapshot is not complete');
    assert.equal(await snapshot(), 'ok');
    assert.equal(manager.ready, true);
    assert.deepEqual([[...running], closed], [['a'], []]);
  });

  it('of the same pod and namespace is nothing new: the second descriptor is closed', async () => {
    const { add, closed, manager } = setUp();
    await add('a', 101);
    assert.equal(await add('a', 102), 'ok');
    assert.deepEqual(closed, [102]);
    assert.equal(manager.counts().started, 1);
  });

  it('of the same pod in another namespace replaces the proxy', async () => {
    const { add, closed, manager, running } = setUp();
    await add('a', 100);
    assert.equal(await add('a', 200), 'ok');
    assert.deepEqual([[...running], closed], [['a'], [100]]);
    assert.deepEqual(manager.counts(), { active: 1, pending: 0, started: 2, stopped: 1 });
  });

  it('of another pod in a namespace that is taken is refused', async () => {
    const { add, closed, running } = setUp();
    await add('a', 101);
    assert.match(await add('b', 102), /^continue: .*belongs to pod a$/);
    assert.deepEqual([[...running], closed], [['a'], [102]]);
  });

  it('without a descriptor is an error, without workload info the end', async () => {
    const { send, closed } = setUp();
    assert.match(
      await send({ kind: 'add', uid: 'a', info: INFO, netnsFd: undefined }),
      /^reconnect: .*missing control message/,
    );
    assert.match(await send({ kind: 'add', uid: 'a', info: undefined, netnsFd: 100 }), /^exit: /);
    assert.deepEqual(closed, [100]);
  });

  it('whose proxy cannot start is refused, stays pending, and is tried every five seconds', async () => {
    const { add, snapshot, manager, clock, failing, running, closed } = setUp();
    manager.connected();
    failing.set('a', 'port in use');
    assert.equal(await add('a', 100), 'continue: failure to start proxy : port in use');
    await snapshot();
    assert.equal(manager.ready, false);
    assert.deepEqual([...manager.summaries()], [{ uid: 'a', state: 'Pending', info: INFO }]);
    clock.advance(5000);
    await new Promise(setImmediate);
    assert.equal(manager.counts().pending, 1);
    failing.clear();
    clock.advance(5000);
    await new Promise(setImmediate);
    assert.equal(manager.ready, true);
    assert.deepEqual([[...running], closed], [['a'], []]);
    assert.deepEqual([...manager.summaries()], [{ uid: 'a', state: 'Up', info: INFO }]);
  });
});

describe('keep', () => {
  it('before the snapshot ends saves a pod that runs already', async () => {
    const { add, send, snapshot, manager, running } = setUp();
    manager.connected();
    await add('a', 100);
    await add('b', 200);
    await snapshot();
    manager.disconnected();
    assert.equal(manager.ready, false);
    assert.deepEqual([...running], ['a', 'b'], 'pods go on while the agent is away');
    manager.connected();
    assert.equal(await send({ kind: 'keep', uid: 'a' }), 'ok');
    assert.equal(await snapshot(), 'ok');
    assert.deepEqual([...running], ['a']);
    assert.equal(manager.ready, true);
  });

  it('of a pod that nobody knows starts nothing; after the snapshot it is the end', async () => {
    const { send, snapshot, running } = setUp();
    assert.equal(await send({ kind: 'keep', uid: 'a' }), 'ok');
    await snapshot();
    assert.equal(running.size, 0);
    assert.match(await send({ kind: 'keep', uid: 'a' }), /^exit: /);
  });
});

describe('del', () => {
  it('after the snapshot ends the proxy at once and closes its namespace', async () => {
    const { add, send, snapshot, running, closed } = setUp();
    await add('a', 100);
    await snapshot();
    assert.equal(await send({ kind: 'del', uid: 'a' }), 'ok');
    assert.equal(await send({ kind: 'del', uid: 'a' }), 'ok');
    assert.deepEqual([running.size, closed], [0, [100]]);
  });

  it('before the snapshot takes the name back, so that the snapshot ends the pod', async () => {
    const { add, send, snapshot, running } = setUp();
    await add('a', 100);
    assert.equal(await send({ kind: 'del', uid: 'a' }), 'ok');
    assert.deepEqual([...running], ['a']);
    await snapshot();
    assert.equal(running.size, 0);
  });

  it('before the snapshot ends what is pending', async () => {
    const { add, send, snapshot, failing, closed, manager } = setUp();
    failing.set('a', 'port in use');
    await add('a', 100);
    await send({ kind: 'del', uid: 'a' });
    manager.connected();
    await snapshot();
    assert.deepEqual([closed, manager.ready], [[100], true]);
  });
});

describe('a snapshot', () => {
  it('that comes twice on one connection is the end', async () => {
    const { snapshot } = setUp();
    await snapshot();
    assert.match(await snapshot(), /^exit: /);
  });
  it('starts over with each connection', async () => {
    const { snapshot, manager } = setUp();
    manager.connected();
    await snapshot();
    manager.connected();
    assert.equal(manager.ready, false);
    assert.equal(await snapshot(), 'ok');
  });
});

describe('stop', () => {
  it('ends every pod and closes every namespace', async () => {
    const { add, manager, running, closed, failing } = setUp();
    await add('a', 100);
    failing.set('b', 'no');
    await add('b', 200);
    await manager.stop();
    assert.deepEqual([running.size, closed.sort(), manager.counts().stopped], [0, [100, 200], 1]);
  });
});
