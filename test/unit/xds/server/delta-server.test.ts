import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import fc from 'fast-check';
import type { Clock, Timer } from '../../../../src/base/clock.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { type DeltaDiscoveryRequest, DeltaDiscoveryResponse } from '../../../../src/proto/gen/discovery.ts';
import { createDeltaServerStats, DeltaStream } from '../../../../src/xds/server/delta-server.ts';
import { LargeResponses } from '../../../../src/xds/server/large-responses.ts';
import { PushLoad } from '../../../../src/xds/server/push-pacing.ts';
import { ResourceStore } from '../../../../src/xds/server/resource-store.ts';
import type { StoredResource } from '../../../../src/xds/server/stored-resource.ts';

const TYPE = 'type.googleapis.com/test.Thing';
const REFERRING = 'type.googleapis.com/test.Referring';

/** Time that moves only when told to. */
class ManualClock implements Clock {
  #nowMs = 1_000_000;
  readonly #timers: { atMs: number; run: () => void; cancelled: boolean }[] = [];
  nowMs(): number {
    return this.#nowMs;
  }
  monotonicMs(): number {
    return this.#nowMs;
  }
  after(delayMs: number, run: () => void): Timer {
    const timer = { atMs: this.#nowMs + delayMs, run, cancelled: false };
    this.#timers.push(timer);
    return {
      cancel: () => {
        timer.cancelled = true;
      },
    };
  }
  advance(ms: number): void {
    this.#nowMs += ms;
    for (const timer of this.#timers.splice(0)) {
      if (timer.cancelled) continue;
      if (timer.atMs <= this.#nowMs) timer.run();
      else this.#timers.push(timer);
    }
  }
}

function resource(name: string, content = '1', fields: Partial<StoredResource> = {}): StoredResource {
  return { name, version: content, value: Buffer.from(`${name}=${content}`), aliases: [], groups: [], ...fields };
}

function request(fields: Partial<DeltaDiscoveryRequest> = {}): DeltaDiscoveryRequest {
  return {
    node: undefined,
    typeUrl: TYPE,
    resourceNamesSubscribe: [],
    resourceNamesUnsubscribe: [],
    initialResourceVersions: new Map(),
    responseNonce: '',
    errorDetail: undefined,
    ...fields,
  };
}

let clock: ManualClock;
let store: ResourceStore;
/** Its resources refer to those of `store`. */
let referring: ResourceStore;
let sent: DeltaDiscoveryResponse[];
let accepting: boolean;
let failures: string[];
const stats = createDeltaServerStats();

function stream(maxResponseBytes?: number, large = new LargeResponses(clock)): DeltaStream {
  return new DeltaStream(maxResponseBytes === undefined ? {} : { maxResponseBytes }, {
    load: new PushLoad(() => 0),
    large,
    clock,
    logger: silentLogger,
    stats,
    stores: new Map([store, referring].map((one) => [one.typeUrl, one])),
    send: (response) => {
      sent.push(DeltaDiscoveryResponse.decode(response));
      return accepting;
    },
    fail: (reason) => failures.push(reason),
  });
}

/** Takes what was sent as `+name` and `-name`, and ACKs it. */
function take(from: DeltaStream): string[] {
  const seen: string[] = [];
  while (sent.length > 0) {
    const response = sent.shift()!;
    seen.push(
      ...response.resources.map((entry) => `+${entry.name}`),
      ...response.removedResources.map((name) => `-${name}`),
    );
    from.onRequest(request({ responseNonce: response.nonce }));
  }
  return seen;
}

beforeEach(() => {
  clock = new ManualClock();
  store = new ResourceStore(TYPE);
  referring = new ResourceStore(REFERRING, [TYPE]);
  sent = [];
  failures = [];
  accepting = true;
});

describe('DeltaStream for a wildcard client', () => {
  test('sends all, then changes, then removals, without aliases', () => {
    store.update([resource('a', '1', { aliases: ['net/a'] }), resource('b')]);
    const one = stream();
    one.onRequest(request());
    assert.deepEqual(
      sent[0]!.resources.map((entry) => entry.aliases),
      [[], []],
    );
    assert.deepEqual(take(one), ['+a', '+b']);
    clock.advance(1000);
    store.update([resource('b', '2'), resource('a', '1', { aliases: ['net/a'] })], []);
    assert.deepEqual(take(one), ['+b']);
    clock.advance(1000);
    store.update([], ['a']);
    assert.deepEqual(take(one), ['-a']);
    one.close();
  });

  test('answers an empty store with an empty response', () => {
    const one = stream();
    one.onRequest(request());
    assert.deepEqual([sent.length, sent[0]!.resources, sent[0]!.typeUrl], [1, [], TYPE]);
  });

  test('sends after a reconnect what differs and removes what is gone', () => {
    store.update([resource('same'), resource('changed', '2'), resource('new')]);
    const one = stream();
    one.onRequest(
      request({
        initialResourceVersions: new Map([
          ['same', '1'],
          ['changed', '1'],
          ['gone', '1'],
        ]),
      }),
    );
    assert.deepEqual(take(one).sort(), ['+changed', '+new', '-gone']);
  });

  test('sends resources without a version again after every reconnect', () => {
    store.update([resource('policy', '', {})]);
    const one = stream();
    one.onRequest(request({ initialResourceVersions: new Map([['policy', '']]) }));
    assert.deepEqual(take(one), ['+policy']);
  });

  test('keeps one response in flight and merges what changes meanwhile', () => {
    const one = stream();
    one.onRequest(request());
    for (let round = 0; round < 10; round++) store.update([resource('a', String(round)), resource(`b${round}`)]);
    clock.advance(10_000);
    assert.equal(sent.length, 1);
    one.onRequest(request({ responseNonce: sent[0]!.nonce }));
    clock.advance(10_000);
    assert.equal(sent.length, 2);
    assert.equal(sent[1]!.resources.length, 11);
    assert.equal(sent[1]!.resources.find((entry) => entry.name === 'a')!.version, '9');
  });

  test('sends what refers to a type after the changes of that type, even if a client is slow to take them', () => {
    const one = stream();
    for (const typeUrl of [TYPE, REFERRING]) one.onRequest(request({ typeUrl }));
    const [first] = sent.splice(0);
    one.onRequest(request({ typeUrl: REFERRING, responseNonce: '2' }));
    // The first answer is not taken yet: the change of this type has to wait, and so has what follows it.
    store.update([resource('subset')]);
    referring.update([resource('route')]);
    clock.advance(500);
    assert.deepEqual(sent, []);
    one.onRequest(request({ responseNonce: first!.nonce }));
    clock.advance(500);
    assert.deepEqual(
      sent.map(({ typeUrl }) => typeUrl),
      [TYPE, REFERRING],
    );
  });

  test('does not wait for ever with what refers to a type', () => {
    const one = stream();
    for (const typeUrl of [TYPE, REFERRING]) one.onRequest(request({ typeUrl }));
    sent.splice(0);
    one.onRequest(request({ typeUrl: REFERRING, responseNonce: '2' }));
    store.update([resource('subset')]);
    referring.update([resource('route')]);
    clock.advance(1500);
    clock.advance(1500);
    assert.deepEqual(
      sent.map(({ typeUrl }) => typeUrl),
      [REFERRING],
    );
  });

  test('ignores the ACK of another response', () => {
    const one = stream();
    one.onRequest(request());
    store.update([resource('a')]);
    one.onRequest(request({ responseNonce: 'something else' }));
    clock.advance(1000);
    assert.equal(sent.length, 1);
  });

  test('sends the first change at once and merges a burst, with a pause that is bounded', () => {
    const one = stream();
    one.onRequest(request());
    take(one);
    clock.advance(1000);
    store.update([resource('a')]);
    assert.deepEqual(take(one), ['+a']);
    let pushes = 0;
    for (let ms = 0; ms < 1000; ms++) {
      store.update([resource('a', `v${ms}`)]);
      clock.advance(1);
      if (take(one).length > 0) pushes++;
    }
    assert.ok(pushes >= 190 && pushes < 300, `${pushes}`);
    clock.advance(6);
    assert.equal(store.get('a')!.version, 'v999');
    take(one);
    clock.advance(1000);
    store.update([resource('b')]);
    assert.deepEqual(take(one), ['+b']);
  });

  test('splits what is large and sends each part after the ACK of the former', () => {
    store.update(Array.from({ length: 10 }, (_, index) => resource(`n${index}`, 'x'.repeat(400))));
    const one = stream(1000);
    one.onRequest(request());
    assert.equal(sent.length, 1);
    const parts: number[] = [];
    while (sent.length > 0) {
      const response = sent.shift()!;
      parts.push(response.resources.length);
      one.onRequest(request({ responseNonce: response.nonce }));
    }
    assert.ok(parts.length >= 5 && parts.every((part) => part >= 1 && part <= 2), parts.join());
    assert.equal(
      parts.reduce((sum, part) => sum + part, 0),
      10,
    );
  });

  test('answers a wildcard client whole at first, however large the mesh: proxies take pods after one answer', () => {
    store.update(Array.from({ length: 20_000 }, (_, index) => resource(`n${index}`, 'x'.repeat(400))));
    const one = stream();
    one.onRequest(request());
    assert.equal(sent[0]!.resources.length, 20_000);
  });

  test('goes on after a NACK and counts it, without sending the same again', () => {
    store.update([resource('bad')]);
    const one = stream();
    one.onRequest(request());
    const rejects = stats.rejects;
    one.onRequest(
      request({ responseNonce: sent.shift()!.nonce, errorDetail: { code: 0, message: 'bad: no', details: [] } }),
    );
    clock.advance(1000);
    assert.deepEqual([stats.rejects - rejects, sent.length], [1, 0]);
    store.update([resource('bad', '2')]);
    assert.deepEqual(take(one), ['+bad']);
  });

  test('waits with a whole mesh while much is on its way to others, and then sends what is there by then', () => {
    const large = new LargeResponses(clock);
    const left = large.sent(500 * 1024 * 1024);
    const many = Array.from({ length: 2000 }, (_, index) => resource(`r${index}`));
    store.update(many);
    const one = stream(undefined, large);
    one.onRequest(request());
    assert.deepEqual(sent, []);
    assert.equal(one.report()[0]?.pending, 2000);
    store.update([resource('new')], ['r0', 'r1']);
    left();
    const added = take(one).filter((name) => name.startsWith('+'));
    assert.equal(added.length, 1999);
    assert.ok(added.includes('+new') && !added.includes('+r0'), 'it is told of what is there');
    clock.advance(100);
    store.update([resource('newer')]);
    assert.deepEqual(take(one), ['+newer']);
  });

  test('that has gone while it waited is sent nothing', () => {
    const large = new LargeResponses(clock);
    const left = large.sent(500 * 1024 * 1024);
    store.update(Array.from({ length: 2000 }, (_, index) => resource(`r${index}`)));
    const one = stream(undefined, large);
    one.onRequest(request());
    one.close();
    left();
    assert.deepEqual(sent, []);
  });

  test('sends nothing while the client is slow, and only the newest afterwards', () => {
    const one = stream();
    accepting = false;
    one.onRequest(request());
    one.onRequest(request({ responseNonce: sent.shift()!.nonce }));
    for (let round = 0; round < 100; round++) store.update([resource('a', String(round))]);
    clock.advance(1000);
    assert.equal(sent.length, 0);
    accepting = true;
    one.drained();
    assert.equal(sent[0]!.resources[0]!.version, '99');
  });

  test('stops listening when it is closed', () => {
    const one = stream();
    one.onRequest(request());
    one.close();
    sent = [];
    store.update([resource('a')]);
    clock.advance(1000);
    assert.equal(sent.length, 0);
  });

  test('ignores types that it does not serve', () => {
    stream().onRequest(request({ typeUrl: 'type.googleapis.com/other' }));
    assert.equal(sent.length, 0);
  });

  test('holds in the end what the store holds, whatever happens in between', () => {
    const step = fc.record({
      name: fc.constantFrom('a', 'b', 'c', 'd'),
      version: fc.constantFrom('1', '2', '3', ''),
      ms: fc.constantFrom(0, 1, 50, 500),
      ack: fc.boolean(),
      reconnect: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        clock = new ManualClock();
        store = new ResourceStore(TYPE);
        sent = [];
        const held = new Map<string, string>();
        let one = stream();
        one.onRequest(request());
        const receive = () => {
          for (const response of sent.splice(0)) {
            for (const entry of response.resources) held.set(entry.name, entry.version);
            for (const name of response.removedResources) held.delete(name);
            one.onRequest(request({ responseNonce: response.nonce }));
          }
        };
        for (const { name, version, ms, ack, reconnect } of steps) {
          if (version === '') store.update([], [name]);
          else store.update([resource(name, version)]);
          clock.advance(ms);
          if (ack) receive();
          if (reconnect) {
            one.close();
            sent = [];
            one = stream();
            one.onRequest(request({ initialResourceVersions: new Map(held) }));
          }
        }
        for (let round = 0; round < 5; round++) {
          receive();
          clock.advance(1000);
        }
        one.close();
        assert.deepEqual([...held].sort(), [...store.names()].map((name) => [name, store.get(name)!.version]).sort());
      }),
    );
  });
});

describe('DeltaStream for an on-demand client', () => {
  function onDemand(): DeltaStream {
    const one = stream();
    one.onRequest(request({ resourceNamesSubscribe: ['*'], resourceNamesUnsubscribe: ['*'] }));
    assert.deepEqual(take(one), []);
    return one;
  }
  const subscribe = (one: DeltaStream, ...keys: string[]) => one.onRequest(request({ resourceNamesSubscribe: keys }));

  test('gets single resources by name or alias, with aliases, and learns that others do not exist', () => {
    store.update([resource('a', '1', { aliases: ['net/1'] }), resource('b')]);
    const one = onDemand();
    subscribe(one, 'net/1', 'unknown');
    assert.deepEqual(sent[0]!.resources[0]!.aliases, ['net/1']);
    assert.deepEqual(take(one), ['+a', '-unknown']);
    store.update([resource('b', '2')]);
    clock.advance(1000);
    assert.deepEqual(take(one), []);
  });

  test('gets the workloads of a service with it, and later ones too', () => {
    store.update([resource('svc', '1', { aliases: ['net/vip'] }), resource('w1', '1', { groups: ['svc'] })]);
    const one = onDemand();
    subscribe(one, 'net/vip');
    assert.deepEqual(take(one), ['+w1', '+svc'], 'the service comes last, so that who has it has its workloads');
    clock.advance(1000);
    store.update([resource('w2', '1', { groups: ['svc'] }), resource('w3', '1', { groups: ['other'] })]);
    assert.deepEqual(take(one), ['+w2']);
    clock.advance(1000);
    store.update([], ['w1']);
    assert.deepEqual(take(one), ['-w1']);
  });

  test('hears when something unknown appears, with what belongs to it', () => {
    store.update([resource('w1', '1', { groups: ['svc'] })]);
    const one = onDemand();
    subscribe(one, 'net/vip');
    assert.deepEqual(take(one), ['-net/vip']);
    clock.advance(1000);
    store.update([resource('svc', '1', { aliases: ['net/vip'] })]);
    assert.deepEqual(take(one).sort(), ['+svc', '+w1']);
  });

  test('hears when an address moves to another resource', () => {
    store.update([resource('a', '1', { aliases: ['net/1'] })]);
    const one = onDemand();
    subscribe(one, 'net/1');
    take(one);
    clock.advance(1000);
    store.update([resource('b', '1', { aliases: ['net/1'] })], ['a']);
    assert.deepEqual(take(one).sort(), ['+b', '-a']);
  });

  test('hears no more of what it unsubscribes, unless another key still asks for it', () => {
    store.update([resource('a', '1', { aliases: ['net/1'] })]);
    const one = onDemand();
    subscribe(one, 'net/1', 'a');
    take(one);
    one.onRequest(request({ resourceNamesUnsubscribe: ['net/1'] }));
    clock.advance(1000);
    store.update([resource('a', '2', { aliases: ['net/1'] })]);
    assert.deepEqual(take(one), ['+a']);
    one.onRequest(request({ resourceNamesUnsubscribe: ['a'] }));
    clock.advance(1000);
    store.update([resource('a', '3', { aliases: ['net/1'] })]);
    assert.deepEqual(take(one), []);
  });

  test('gets after a reconnect what differs, and what it asked for and never got', () => {
    store.update([resource('a', '2'), resource('b')]);
    const one = stream();
    one.onRequest(
      request({
        resourceNamesSubscribe: ['*'],
        resourceNamesUnsubscribe: ['*'],
        initialResourceVersions: new Map([
          ['a', '1'],
          ['b', '1'],
          ['never', ''],
        ]),
      }),
    );
    assert.deepEqual(take(one).sort(), ['+a', '-never']);
  });

  test('gets an answer to every key, also when what it stands for was sent under another one', () => {
    store.update([
      resource('svc', '1', { aliases: ['net/vip'] }),
      resource('w', '1', { aliases: ['net/w'], groups: ['svc'] }),
    ]);
    const one = onDemand();
    subscribe(one, 'net/vip');
    assert.deepEqual(take(one), ['+w', '+svc']);
    for (const [key, answer] of [
      ['net/w', ['+w']],
      ['w', ['+w']],
      ['svc', ['+w', '+svc']],
    ] as const) {
      clock.advance(1000);
      subscribe(one, key);
      assert.deepEqual(take(one), answer, key);
    }
  });

  test('hears no more of the workloads of a service that it unsubscribes, but of one that it asked for itself', () => {
    const member = { groups: ['svc'] };
    store.update([
      resource('svc', '1', { aliases: ['net/vip'] }),
      resource('w1', '1', member),
      resource('w2', '1', member),
    ]);
    const one = onDemand();
    subscribe(one, 'net/vip', 'w2');
    take(one);
    one.onRequest(request({ resourceNamesUnsubscribe: ['net/vip'] }));
    clock.advance(1000);
    store.update([
      resource('w1', '2', member),
      resource('w2', '2', member),
      resource('svc', '2', { aliases: ['net/vip'] }),
    ]);
    assert.deepEqual(take(one), ['+w2']);
  });

  test('gets what comes back under its old key after it was removed', () => {
    store.update([resource('svc', '1', { aliases: ['net/vip'] }), resource('w', '1', { groups: ['svc'] })]);
    const one = onDemand();
    subscribe(one, 'net/vip');
    take(one);
    clock.advance(1000);
    store.update([], ['svc', 'w']);
    assert.deepEqual(take(one).sort(), ['-svc', '-w']);
    clock.advance(1000);
    store.update([resource('svc', '2', { aliases: ['net/vip'] }), resource('w', '2', { groups: ['svc'] })]);
    assert.deepEqual(take(one).sort(), ['+svc', '+w']);
  });

  test('keeps hearing of an alias after a reconnect that names it without a version', () => {
    store.update([resource('a', '1', { aliases: ['net/1'] })]);
    const one = stream();
    one.onRequest(
      request({
        resourceNamesSubscribe: ['*'],
        resourceNamesUnsubscribe: ['*'],
        initialResourceVersions: new Map([
          ['a', '1'],
          ['net/1', ''],
        ]),
      }),
    );
    assert.deepEqual(take(one), [], 'it holds what there is');
    clock.advance(1000);
    store.update([resource('b', '1', { aliases: ['net/1'] })], ['a']);
    assert.deepEqual(take(one).sort(), ['+b', '-a']);
  });

  test('is cut off when it asks for too many names', () => {
    const one = onDemand();
    subscribe(one, ...Array.from({ length: 100_001 }, (_, index) => `n${index}`));
    assert.equal(failures.length, 1);
  });
});

describe('The report of a DeltaStream', () => {
  test('says what a client took, what it refused and what is on its way', () => {
    store.update([resource('a')]);
    const one = stream();
    one.onRequest(request());
    const [waiting] = one.report();
    assert.deepEqual([waiting?.state, waiting?.sent, waiting?.acknowledged], ['STALE', 1, 0]);
    one.onRequest(request({ responseNonce: sent[0]?.nonce ?? '' }));
    const [taken] = one.report();
    assert.deepEqual([taken?.state, taken?.acknowledged, taken?.acknowledgedMs], ['SYNCED', 1, clock.nowMs()]);
    store.update([resource('a', '2')]);
    clock.advance(1000);
    const errorDetail = { code: 3, message: 'no good', details: [] };
    one.onRequest(request({ responseNonce: sent[1]?.nonce ?? '', errorDetail }));
    const [refused] = one.report();
    assert.deepEqual([refused?.state, refused?.error], ['ERROR', 'no good']);
  });
});
