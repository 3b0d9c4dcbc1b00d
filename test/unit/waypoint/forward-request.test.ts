import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fail, ok } from '../../../src/base/result.ts';
import { proxyError } from '../../../src/hbone/proxy-error.ts';
import type { HttpHeader, HttpStreamHandler } from '../../../src/http/http-stream.ts';
import { Http2Code } from '../../../src/http2/http2-error.ts';
import { compileRetry } from '../../../src/routing/retry-policy.ts';
import type { Outcome } from '../../../src/waypoint/clusters.ts';
import { ForwardedRequest, type OutboundRequest } from '../../../src/waypoint/forward-request.ts';
import type { HttpUpstreams } from '../../../src/waypoint/http-upstreams.ts';
import type { LocalReply } from '../../../src/waypoint/local-reply.ts';
import type { PickRequest } from '../../../src/waypoint/pick-request.ts';
import { ReplayBudget, RequestBody } from '../../../src/waypoint/request-body.ts';
import { FakeHttpStream } from '../../helpers/fake-http-stream.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

const settle = () => new Promise((resolve) => setImmediate(resolve));

interface Setup {
  readonly endpoints?: number;
  readonly attempts?: number;
  readonly on?: string[];
  readonly codes?: number[];
  readonly timeoutMs?: number;
  readonly perTryTimeoutMs?: number;
  readonly ended?: boolean;
  readonly budgetBytes?: number;
  readonly permits?: { requests?: number; retries?: number };
  readonly refuse?: number;
  readonly refuseWith?: 'CONNECT_FAILED' | 'TLS_CREDENTIAL_UNUSABLE';
  /** Whether a connection has to be opened first. */
  readonly waitsForConnection?: boolean;
  readonly isHurried?: boolean;
  readonly leavePriorities?: boolean;
  readonly endpointId?: string;
}

/** One request; endpoints are called `e0`, `e1`, and so on, and every try gets the first that is not avoided. */
function setUp(options: Setup = {}) {
  const { endpoints = 3, attempts = 2, on = ['5xx'], codes = [], ended = true, permits = {} } = options;
  const clock = new ManualClock();
  const downstream = new FakeHttpStream();
  const tries: { endpoint: string; stream: FakeHttpStream; headers: readonly HttpHeader[] }[] = [];
  const left: number[][] = [];
  const named: (string | undefined)[] = [];
  const outcomes: (Outcome | undefined)[] = [];
  const replies: { reply: LocalReply; retries: number }[] = [];
  const done: unknown[] = [];
  const open = { requests: 0, retries: 0, refusals: options.refuse ?? 0 };
  const admit = (kind: 'requests' | 'retries') => () => {
    if (open[kind] >= (permits[kind] ?? 100)) return undefined;
    open[kind]++;
    return { release: () => void open[kind]-- };
  };
  let picked = '';
  const cluster = {
    policy: undefined,
    pick: (_self: unknown, { avoid, leave, endpointId }: PickRequest) => {
      named.push(endpointId);
      left.push([...(leave ?? [])]);
      const all = Array.from({ length: endpoints }, (_, index) => `e${index}`);
      const uid = all.find((one) => !avoid.has(one)) ?? all[0];
      if (uid === undefined) return undefined;
      picked = uid;
      const tried = (outcome: Outcome | undefined) => void outcomes.push(outcome);
      return { endpoint: { workload: { uid } }, priority: Math.min(1, tries.length >> 1), done: tried };
    },
    admitRequest: admit('requests'),
    admitRetry: admit('retries'),
  };
  // A connection that is free is had at once.
  const inTime = <T>(result: T) => (options.waitsForConnection === true ? Promise.resolve(result) : result);
  const http = {
    acquire: () => {
      if (open.refusals-- > 0) return inTime(fail(proxyError(options.refuseWith ?? 'CONNECT_FAILED', 'refused')));
      const free = ok({
        reused: false,
        release: () => undefined,
        request: (headers: readonly HttpHeader[], handler: HttpStreamHandler, endStream: boolean) => {
          const stream = new FakeHttpStream();
          stream.setHandler(handler);
          stream.ended = endStream;
          tries.push({ endpoint: picked, stream, headers });
          return ok(stream);
        },
      });
      return inTime(free);
    },
  };
  let forwarded: ForwardedRequest | undefined;
  const body = new RequestBody(ended, new ReplayBudget(options.budgetBytes ?? 1_000_000), {
    onBodyEnded: () => forwarded?.bodyEnded(),
    onClientGone: () => forwarded?.cancel(),
  });
  downstream.setHandler(body);
  const retry = compileRetry({
    attempts,
    perTryTimeoutMs: options.perTryTimeoutMs ?? 0,
    conditions: on,
    statusCodes: codes,
    backoffMs: 0,
    keepPreviousHosts: false,
    leavePriorities: options.leavePriorities ?? false,
  });
  const request = {
    stream: downstream,
    body,
    headers: [[':method', 'POST']],
    idempotent: false,
    cluster,
    version: 'http1',
    self: {},
    forwarded: '',
    hashKey: undefined,
    endpointId: options.endpointId,
    retry,
    timeoutMs: options.timeoutMs ?? 0,
    isHurried: options.isHurried ?? false,
  } as unknown as OutboundRequest;
  forwarded = new ForwardedRequest(
    request,
    {
      onEndpoint: () => undefined,
      onConnectFailed: () => undefined,
      onResponse: (headers) => headers,
      onData: () => undefined,
      onTrailers: () => undefined,
      onFailed: (reply, retries) => replies.push({ reply, retries }),
      onDone: (aborted) => done.push(aborted),
    },
    { clock, random: () => 0.5, http: http as unknown as HttpUpstreams },
  );
  forwarded.start();
  return { clock, downstream, tries, left, named, outcomes, replies, done, open, body };
}

/** The last try, once it is there. */
async function latest({ clock, tries }: ReturnType<typeof setUp>) {
  await settle();
  clock.advance(1000);
  await settle();
  const last = tries.at(-1);
  assert.ok(last);
  return last;
}

describe('a forwarded request', () => {
  it('leaves the priorities of its tries after every second one, where its route says so', async () => {
    const lab = setUp({ attempts: 5, leavePriorities: true });
    for (let count = 0; count < 5; count++) (await latest(lab)).stream.headers(503, {});
    await latest(lab);
    assert.deepEqual(lab.left, [[], [], [0], [0], [0, 1], [0, 1]]);
    const other = setUp({ attempts: 2 });
    for (let count = 0; count < 2; count++) (await latest(other)).stream.headers(503, {});
    await latest(other);
    assert.deepEqual(other.left, [[], [], []]);
  });

  it('goes elsewhere when the endpoint that the client had before is not reached, and that is no retry', async () => {
    const lab = setUp({ attempts: 0, refuse: 1, endpointId: 'before' });
    await latest(lab);
    assert.deepEqual(lab.named, ['before', undefined]);
    assert.deepEqual(
      lab.tries.map(({ endpoint }) => endpoint),
      ['e1'],
    );
    const failing = setUp({ attempts: 1, endpointId: 'before' });
    (await latest(failing)).stream.headers(503, {});
    await latest(failing);
    assert.deepEqual(failing.named, ['before', undefined]);
  });

  it('counts as one retry at a time, however often it is sent again', async () => {
    const lab = setUp({ attempts: 3, permits: { retries: 1 } });
    for (let count = 0; count < 3; count++) {
      (await latest(lab)).stream.headers(503, {});
      assert.equal(lab.open.retries, 1);
    }
    const last = await latest(lab);
    last.stream.headers(200, {});
    last.stream.finish();
    last.stream.close({ kind: 'normal' });
    lab.downstream.close({ kind: 'normal' });
    assert.deepEqual([lab.tries.length, lab.open.retries, lab.open.requests], [4, 0, 0]);
  });

  it('tells every endpoint which try this is', async () => {
    const lab = setUp();
    (await latest(lab)).stream.headers(503, {});
    await latest(lab);
    const counts = lab.tries.map(({ headers }) => headers.filter(([name]) => name === 'x-envoy-attempt-count'));
    assert.deepEqual(counts, [[['x-envoy-attempt-count', '1']], [['x-envoy-attempt-count', '2']]]);
  });

  it('is reset when its client takes no headers of the size of the answer, instead of sent a body without them', async () => {
    const lab = setUp();
    const { stream } = await latest(lab);
    lab.downstream.takesHeaders = false;
    stream.headers(200, { a: 'b'.repeat(10_000) });
    stream.data('hello');
    assert.deepEqual([lab.downstream.resets, lab.downstream.written], [[Http2Code.INTERNAL_ERROR], []]);
    assert.deepEqual([stream.resets, lab.done], [[Http2Code.CANCEL], ['downstream']]);
  });

  it('is reset when its client takes no trailers of that size, instead of left without an end', async () => {
    const lab = setUp();
    const { stream } = await latest(lab);
    stream.headers(200, {});
    stream.data('hello');
    lab.downstream.takesHeaders = false;
    stream.handler?.onHeaders(stream, [['grpc-status-details-bin', 'b'.repeat(10_000)]], true);
    stream.finish();
    assert.deepEqual([lab.downstream.resets, lab.downstream.written], [[Http2Code.INTERNAL_ERROR], ['hello']]);
  });

  it('gets the answer of its endpoint, and leaves nothing behind', async () => {
    const lab = setUp();
    const { stream } = await latest(lab);
    stream.headers(200, { a: 'b' });
    stream.data('hello');
    stream.finish();
    stream.close({ kind: 'normal' });
    lab.downstream.close({ kind: 'normal' });
    assert.deepEqual(lab.downstream.written, ['hello']);
    assert.deepEqual(lab.done, [undefined]);
    assert.deepEqual(lab.outcomes, [{ kind: 'status', status: 200 }]);
    assert.deepEqual(lab.open, { requests: 0, retries: 0, refusals: -1 });
    assert.deepEqual(lab.clock.waitingMs, []);
  });

  it('is sent again to another endpoint after an answer that the route does not want', async () => {
    const lab = setUp();
    (await latest(lab)).stream.headers(503);
    const second = await latest(lab);
    second.stream.headers(200, {}, true);
    assert.deepEqual(
      lab.tries.map(({ endpoint }) => endpoint),
      ['e0', 'e1'],
    );
    assert.deepEqual(lab.tries[0]?.stream.resets, [Http2Code.CANCEL]);
    assert.deepEqual(lab.downstream.responses, [[[':status', '200']]]);
  });

  it('passes on the last answer when the tries are used up', async () => {
    const lab = setUp({ attempts: 1 });
    (await latest(lab)).stream.headers(503);
    (await latest(lab)).stream.headers(503, { n: '2' }, true);
    assert.equal(lab.tries.length, 2);
    assert.deepEqual(lab.downstream.responses, [
      [
        [':status', '503'],
        ['n', '2'],
      ],
    ]);
  });

  it('fails with what happened last when no endpoint answered', async () => {
    const lab = setUp({ refuse: 5, attempts: 1 });
    await settle();
    lab.clock.advance(1000);
    await settle();
    assert.equal(lab.replies[0]?.reply.flag, 'UF');
    assert.equal(lab.replies[0]?.retries, 1);
    assert.deepEqual(lab.outcomes, [{ kind: 'connect-failure' }, { kind: 'connect-failure' }]);
    assert.equal(lab.open.requests, 0);
    assert.equal(lab.open.retries, 0);
  });

  it('fails without another try, and without a word about the endpoint, where the waypoint has no credential', async () => {
    const lab = setUp({ refuse: 5, refuseWith: 'TLS_CREDENTIAL_UNUSABLE' });
    await settle();
    assert.deepEqual([lab.replies[0]?.reply.flag, lab.replies[0]?.retries], ['UF', 0]);
    assert.deepEqual([lab.outcomes, lab.clock.waitingMs], [[undefined], []]);
  });

  it('sends its body again from the beginning, and gives credit for each byte once', async () => {
    const lab = setUp({ ended: false });
    const first = await latest(lab);
    lab.downstream.data('one ');
    lab.downstream.data('two ');
    assert.deepEqual(first.stream.written, ['one ', 'two ']);
    assert.equal(lab.downstream.creditBytes, 8);
    first.stream.headers(500);
    lab.downstream.data('three');
    assert.equal(lab.downstream.creditBytes, 8, 'nobody took it yet');
    const second = await latest(lab);
    lab.downstream.finish();
    assert.deepEqual(second.stream.written, ['one ', 'two ', 'three']);
    assert.equal(second.stream.ended, true);
    assert.equal(lab.downstream.creditBytes, 13);
  });

  it('is not sent again when its body was too long to keep', async () => {
    const lab = setUp({ ended: false });
    const first = await latest(lab);
    lab.downstream.data('x'.repeat(300 * 1024));
    first.stream.headers(500, {}, true);
    await latest(lab);
    assert.equal(lab.tries.length, 1);
    assert.deepEqual(lab.downstream.responses, [[[':status', '500']]]);
  });

  it('is not sent again when the bodies of all requests together are too long', async () => {
    const lab = setUp({ ended: false, budgetBytes: 10 });
    const first = await latest(lab);
    lab.downstream.data('0123456789ab');
    first.stream.headers(500, {}, true);
    await latest(lab);
    assert.equal(lab.tries.length, 1);
  });

  it('loses nothing of a body that comes between two tries, however much', async () => {
    const lab = setUp({ ended: false });
    const first = await latest(lab);
    lab.downstream.data('begin ');
    first.stream.headers(500);
    lab.downstream.data('x'.repeat(300 * 1024));
    lab.downstream.data(' end');
    const second = await latest(lab);
    lab.downstream.finish();
    assert.equal(second.stream.written.join('').length, 300 * 1024 + 10);
    assert.ok(second.stream.written.join('').startsWith('begin x'));
  });

  it('is kept for copies even when it is not sent again', async () => {
    const lab = setUp({ ended: false, attempts: 0, waitsForConnection: true });
    lab.body.retain();
    const { stream } = await latest(lab);
    lab.downstream.data('one ');
    stream.headers(200, {}, true);
    lab.downstream.data('two');
    lab.downstream.finish();
    assert.equal(lab.body.complete?.toString(), 'one two');
  });

  it('is cut, not sent again, once an answer began', async () => {
    const lab = setUp();
    const { stream } = await latest(lab);
    stream.headers(200);
    stream.data('half');
    stream.close({ kind: 'lost', error: undefined });
    assert.deepEqual(lab.downstream.resets, [Http2Code.INTERNAL_ERROR]);
    assert.deepEqual(lab.outcomes, [{ kind: 'reset' }]);
    assert.deepEqual(lab.done, ['upstream']);
  });

  it('ends after its time, whatever it is doing', async () => {
    const lab = setUp({ timeoutMs: 500 });
    await settle();
    lab.clock.advance(500);
    assert.equal(lab.replies[0]?.reply.status, 504);
    assert.deepEqual(lab.tries[0]?.stream.resets, [Http2Code.CANCEL]);
    assert.deepEqual(lab.outcomes, [{ kind: 'timeout' }]);
    assert.deepEqual(lab.clock.waitingMs, []);
  });

  it('has its time from the end of its body on', async () => {
    const lab = setUp({ timeoutMs: 500, ended: false });
    await settle();
    lab.clock.advance(5000);
    assert.equal(lab.replies.length, 0);
    lab.downstream.finish();
    lab.clock.advance(500);
    assert.equal(lab.replies[0]?.reply.status, 504);
  });

  it('is tried again when a single try takes too long', async () => {
    const lab = setUp({ perTryTimeoutMs: 100, attempts: 1 });
    await settle();
    lab.clock.advance(100);
    lab.clock.advance(50);
    await settle();
    assert.equal(lab.tries.length, 2);
    lab.clock.advance(100);
    assert.equal(lab.replies[0]?.reply.details, 'upstream_per_try_timeout');
    assert.equal(lab.replies[0]?.retries, 1);
  });

  it('has the time of a try from the end of its body on', async () => {
    const lab = setUp({ perTryTimeoutMs: 100, attempts: 0, ended: false });
    await settle();
    lab.clock.advance(5000);
    assert.equal(lab.replies.length, 0);
    lab.downstream.finish();
    lab.clock.advance(100);
    assert.equal(lab.replies[0]?.reply.details, 'upstream_per_try_timeout');
  });

  it('that its client is in a hurry about says nothing about the endpoint', async () => {
    const lab = setUp({ timeoutMs: 5, isHurried: true });
    await settle();
    lab.clock.advance(5);
    assert.equal(lab.replies[0]?.reply.status, 504);
    assert.deepEqual(lab.outcomes, [undefined]);
  });

  it('is refused when there are too many requests, and not tried again when there are too many tries', async () => {
    assert.equal(setUp({ permits: { requests: 0 } }).replies[0]?.reply.flag, 'UO');
    const lab = setUp({ permits: { retries: 0 } });
    (await latest(lab)).stream.headers(503, {}, true);
    await latest(lab);
    assert.equal(lab.tries.length, 1);
    assert.deepEqual(lab.downstream.responses, [[[':status', '503']]]);
  });

  it('says so when there is no endpoint', () => {
    assert.equal(setUp({ endpoints: 0 }).replies[0]?.reply.flag, 'UH');
  });

  it('ends with its client between two tries', async () => {
    const lab = setUp();
    await settle();
    lab.tries[0]?.stream.headers(503);
    lab.downstream.close({ kind: 'reset', by: 'peer', code: 8 });
    lab.clock.advance(1000);
    await settle();
    assert.equal(lab.tries.length, 1);
    assert.deepEqual(lab.open, { requests: 0, retries: 0, refusals: -1 });
    assert.deepEqual(lab.clock.waitingMs, []);
  });
});
