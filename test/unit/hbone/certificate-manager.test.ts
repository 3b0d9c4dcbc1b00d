import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../../../src/base/logger.ts';
import { CertificateManager } from '../../../src/hbone/certificate-manager.ts';
import { type SpiffeId, spiffeId } from '../../../src/model/spiffe.ts';
import type { WorkloadCertificate } from '../../../src/pki/workload-certificate.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

const HOUR_MS = 3_600_000;
const id = (account: string) => spiffeId({ trustDomain: 'td', namespace: 'ns', serviceAccount: account });
const settle = async () => {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
};

interface Asked {
  readonly identity: SpiffeId;
  answer(lifetimeMs?: number, rootsPem?: readonly string[]): Promise<void>;
  refuse(text: string): Promise<void>;
}

function setUp(random = 0) {
  const clock = new ManualClock();
  const asked: Asked[] = [];
  const issued: WorkloadCertificate[] = [];
  const dropped: SpiffeId[] = [];
  const manager = new CertificateManager({
    clock,
    random: () => random,
    logger: silentLogger,
    onCertificate: (certificate) => issued.push(certificate),
    onDropped: (identity) => dropped.push(identity),
    source: {
      fetch: (identity) =>
        new Promise((resolve, reject) => {
          asked.push({
            identity,
            answer: (lifetimeMs = HOUR_MS, rootsPem = []) => {
              const notBeforeMs = clock.nowMs();
              const common = { keyPem: '', chainPem: [], rootsPem };
              resolve({ identity, ...common, notBeforeMs, notAfterMs: notBeforeMs + lifetimeMs });
              return settle();
            },
            refuse: (text) => {
              reject(new Error(text));
              return settle();
            },
          });
        }),
      close: () => undefined,
    },
  });
  return {
    clock,
    asked,
    issued,
    dropped,
    manager,
    state: (identity: SpiffeId) => new Map(manager.states()).get(identity)?.kind,
  };
}

describe('a certificate', () => {
  it('is asked for once, however many wait, and then given from memory', async () => {
    const { manager, asked, issued } = setUp();
    const waiting = [manager.fetch(id('a')), manager.fetch(id('a'))];
    assert.equal(asked.length, 1);
    await asked[0]?.answer();
    for (const result of await Promise.all(waiting)) assert.ok(result.ok);
    assert.ok((await manager.fetch(id('a'))).ok);
    assert.equal(asked.length, 1);
    assert.equal(issued.length, 1);
  });

  it('is renewed at half of its life, up to a tenth of that earlier, so that crowds spread', async () => {
    for (const [random, dueMs] of [
      [0, HOUR_MS / 2],
      [0.5, (HOUR_MS / 2) * 0.95],
    ] as const) {
      const { manager, asked, clock } = setUp(random);
      manager.prefetch(id('a'));
      await asked[0]?.answer();
      clock.advance(dueMs - 1);
      assert.equal(asked.length, 1);
      clock.advance(1);
      assert.equal(asked.length, 2);
    }
  });

  it('that is nearly expired when it comes does not cause requests without pause', async () => {
    const { manager, asked, clock } = setUp();
    manager.prefetch(id('a'));
    await asked[0]?.answer(10);
    assert.deepEqual(clock.waitingMs, [250]);
  });

  it('is kept while its renewal fails, tried again by backoff, and gone when it expires', async () => {
    const { manager, asked, clock, state } = setUp(0.5);
    manager.prefetch(id('a'));
    await asked[0]?.answer(100_000);
    clock.advance(50_000);
    const delays: number[] = [];
    for (let failure = 1; clock.nowMs() < 100_000; failure++) {
      await asked[failure]?.refuse('down');
      delays.push(clock.waitingMs[0] ?? 0);
      const result = manager.fetch(id('a'));
      if (clock.nowMs() < 100_000) assert.ok((await result).ok);
      clock.advance(clock.waitingMs[0] ?? 0);
    }
    assert.deepEqual(delays.slice(0, 4), [1000, 2000, 4000, 8000]);
    assert.equal(delays.reduce((sum, delay) => sum + delay, 0) <= 55_000, true);
    await asked.at(-1)?.refuse('still down');
    assert.equal(state(id('a')), 'Unavailable');
  });

  it('backs off with 20 % of jitter up to 150 s', async () => {
    for (const [random, factor] of [
      [0, 0.8],
      [0.999999, 1.2],
    ] as const) {
      const { manager, asked, clock } = setUp(random);
      manager.prefetch(id('a'));
      const delays: number[] = [];
      for (let failure = 0; failure < 11; failure++) {
        await asked[failure]?.refuse('down');
        delays.push(Math.round(clock.waitingMs[0] ?? 0));
        clock.advance((clock.waitingMs[0] ?? 0) + 1);
      }
      assert.deepEqual(delays.slice(0, 3), [1000 * factor, 2000 * factor, 4000 * factor]);
      assert.equal(delays.at(-1), 150_000 * factor);
    }
  });
});

describe('an authority whose roots change', () => {
  it('is asked for every certificate of the node again, once', async () => {
    const { manager, asked } = setUp();
    for (const name of ['a', 'b', 'c']) manager.prefetch(id(name));
    for (const one of asked.slice(0, 2)) await one.answer(HOUR_MS, ['old']);
    assert.equal(asked.length, 3);
    await asked[2]?.answer(HOUR_MS, ['old', 'new']);
    assert.deepEqual(
      asked.slice(3).map(({ identity }) => identity),
      [id('a'), id('b')],
    );
    for (const one of asked.slice(3)) await one.answer(HOUR_MS, ['new', 'old']);
    assert.equal(asked.length, 5, 'the order of roots means nothing');
  });
});

describe('an authority that is down', () => {
  it('gives the reason at once to those who wait, and is not asked for each connection', async () => {
    const { manager, asked, clock } = setUp(0.5);
    manager.prefetch(id('a'));
    const waiting = manager.fetch(id('a'));
    await asked[0]?.refuse('signing gRPC error (Unauthenticated): no');
    const first = await waiting;
    assert.ok(!first.ok);
    assert.equal(first.error.message, 'identity error: signing gRPC error (Unauthenticated): no');
    for (let call = 0; call < 50; call++) assert.equal((await manager.fetch(id('a'))).ok, false);
    assert.equal(asked.length, 1);
    clock.advance(1000);
    assert.equal(asked.length, 2, 'the backoff asks again');
    const next = manager.fetch(id('a'));
    await asked[1]?.answer();
    assert.ok((await next).ok);
  });

  it('is asked again at once for what it refused when there is a sign that it is back', async () => {
    const { manager, asked, clock } = setUp(0.5);
    for (const name of ['a', 'b']) manager.prefetch(id(name));
    await asked[0]?.answer();
    await asked[1]?.refuse('down');
    manager.retry();
    assert.deepEqual(
      asked.slice(2).map(({ identity }) => identity),
      [id('b')],
    );
    await asked[2]?.refuse('still down');
    assert.equal(Math.min(...clock.waitingMs), 1000, 'the backoff starts anew');
    manager.retry();
    const waiting = manager.fetch(id('b'));
    await asked[3]?.answer();
    assert.ok((await waiting).ok);
    manager.retry();
    assert.equal(asked.length, 4, 'nothing is left to ask for');
  });

  it('is asked by a waiting connection after a second, however long the backoff', async () => {
    const { manager, asked, clock } = setUp(0.5);
    manager.prefetch(id('a'));
    for (let failure = 0; failure < 6; failure++) {
      await asked[failure]?.refuse('down');
      clock.advance(clock.waitingMs[0] ?? 0);
    }
    await asked[6]?.refuse('down');
    clock.advance(1001);
    const waiting = manager.fetch(id('a'));
    assert.equal(asked.length, 8);
    await asked[7]?.answer();
    assert.ok((await waiting).ok);
  });
});

describe('the queue', () => {
  const names = (asked: readonly Asked[]) => asked.map(({ identity }) => identity.slice(identity.lastIndexOf('/') + 1));

  it('keeps eight requests in flight', async () => {
    const { manager, asked } = setUp();
    for (let index = 0; index < 20; index++) manager.prefetch(id(`w${index}`));
    assert.equal(asked.length, 8);
    await asked[0]?.answer();
    assert.equal(asked.length, 9);
    await Promise.all([asked[1]?.answer(), asked[2]?.refuse('no')]);
    assert.equal(asked.length, 11);
  });

  it('serves waiting connections before known pods before renewals, and moves what becomes urgent', async () => {
    const { manager, asked, clock } = setUp();
    manager.prefetch(id('old'));
    await asked[0]?.answer(20_000);
    for (let index = 0; index < 8; index++) manager.prefetch(id(`busy${index}`));
    clock.advance(10_000);
    manager.prefetch(id('warm'));
    manager.prefetch(id('moved'));
    void manager.fetch(id('now'));
    void manager.fetch(id('moved'));
    for (let index = 1; index <= 4; index++) await asked[index]?.answer();
    assert.deepEqual(names(asked).slice(9).sort(), ['moved', 'now', 'old', 'warm']);
    assert.deepEqual(names(asked).slice(9, 11).sort(), ['moved', 'now']);
    assert.deepEqual(names(asked).slice(11), ['warm', 'old']);
  });
});

describe('forgetting', () => {
  it('ends timers and waiting, and an answer that comes later is dropped', async () => {
    const { manager, asked, issued, clock, state } = setUp();
    manager.prefetch(id('a'));
    await asked[0]?.answer();
    manager.forget(id('a'));
    assert.deepEqual(clock.waitingMs, []);
    assert.equal(state(id('a')), undefined);
    const waiting = manager.fetch(id('b'));
    manager.forget(id('b'));
    assert.equal((await waiting).ok, false);
    await asked[1]?.answer();
    assert.equal(issued.length, 1);
    assert.deepEqual([...manager.states()], []);
    manager.prefetch(id('b'));
    assert.equal(asked.length, 3, 'the slot of the dropped request is free again');
  });

  it('on stop leaves nothing behind', async () => {
    const { manager, asked, clock } = setUp();
    manager.prefetch(id('a'));
    const waiting = manager.fetch(id('b'));
    await asked[0]?.answer();
    manager.stop();
    assert.equal((await waiting).ok, false);
    assert.deepEqual(clock.waitingMs, []);
    assert.equal((await manager.fetch(id('c'))).ok, false, 'nobody waits for an answer that will not come');
    assert.deepEqual([...manager.states()], []);
  });

  it('outlives a connection that asks too late: its certificate is used, not renewed, and dropped at half of its life', async () => {
    const { manager, asked, issued, dropped, clock, state } = setUp();
    manager.prefetch(id('a'));
    await asked[0]?.answer();
    manager.forget(id('a'));
    const late = manager.fetch(id('a'));
    await asked[1]?.answer();
    assert.ok((await late).ok);
    assert.ok((await manager.fetch(id('a'))).ok, 'other connections share it');
    assert.equal(asked.length, 2);
    assert.equal(issued.length, 2);
    assert.deepEqual(dropped, [id('a')]);
    clock.advance(HOUR_MS / 2);
    assert.equal(asked.length, 2, 'nobody keeps the identity');
    assert.equal(state(id('a')), undefined);
    assert.deepEqual(dropped, [id('a'), id('a')], 'the data threads forget it too');
    assert.deepEqual(clock.waitingMs, []);
  });

  it('outlives a connection that asks too late and in vain', async () => {
    const { manager, asked, clock } = setUp();
    const late = manager.fetch(id('a'));
    await asked[0]?.refuse('no such pod');
    assert.equal((await late).ok, false);
    assert.equal((await manager.fetch(id('a'))).ok, false, 'the reason is remembered for a second');
    clock.advance(HOUR_MS);
    assert.equal(asked.length, 1);
    assert.deepEqual([...manager.states()], []);
    assert.deepEqual(clock.waitingMs, []);
  });

  it('ends when the pod is back before: then the certificate is renewed again', async () => {
    const { manager, asked, clock } = setUp();
    void manager.fetch(id('a'));
    await asked[0]?.answer();
    manager.prefetch(id('a'));
    assert.equal(asked.length, 1);
    clock.advance(HOUR_MS / 2);
    assert.equal(asked.length, 2);
  });
});
