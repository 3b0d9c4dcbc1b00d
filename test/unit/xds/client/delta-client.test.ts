import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Metadata, status } from '@grpc/grpc-js';
import { systemClock } from '../../../../src/base/clock.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { DeltaClient, type ReceivedResource, type ResourceHandler } from '../../../../src/xds/client/delta-client.ts';
import { eventually } from '../../../helpers/eventually.ts';
import { ScriptedFeed } from '../../../helpers/scripted-feed.ts';

interface Setup extends AsyncDisposable {
  readonly server: ScriptedFeed;
  readonly client: DeltaClient;
  readonly held: Map<string, string>;
  readonly ready: string[];
  readonly reasons: string[];
  /** Of every accepted stream, how many had ended before. */
  readonly connections: number[];
}

/** A handler that keeps texts and refuses those that say `bad`. */
async function setUp(onDemand = false): Promise<Setup> {
  const server = new ScriptedFeed();
  await server.start();
  const held = new Map<string, string>();
  const ready: string[] = [];
  const reasons: string[] = [];
  const connections: number[] = [];
  const apply = (resources: readonly ReceivedResource[], removed: readonly string[]) => {
    for (const name of removed) held.delete(name);
    const good = resources.filter(({ bytes }) => Buffer.from(bytes).toString() !== 'bad');
    for (const { name, bytes } of good) held.set(name, Buffer.from(bytes).toString());
    return resources.filter((one) => !good.includes(one)).map(({ name }) => ({ name, reason: 'it is bad' }));
  };
  const handlers: ResourceHandler[] = [
    { typeUrl: 'A', onDemand, apply },
    { typeUrl: 'B', onDemand: false, apply: () => [] },
  ];
  const client = new DeltaClient(
    {
      endpoint: {
        address: `http://127.0.0.1:${server.port}`,
        rootCa: '',
        altHostname: undefined,
        authToken: 'token',
        clusterId: 'c1',
        headers: new Map([['X-Extra', 'e']]),
      },
      node: { id: 'ztunnel~1.1.1.1~a.b~b.svc.cluster.local', cluster: '', metadata: undefined, buildVersion: '' },
      handlers,
    },
    {
      clock: systemClock,
      logger: silentLogger,
      onMessage: () => undefined,
      onTerminated: (reason) => reasons.push(reason),
      onConnected: () => connections.push(reasons.length),
      onReady: (typeUrl) => ready.push(typeUrl),
    },
  );
  const running = client.run();
  await eventually('two first requests', () => server.requests.length === 2);
  return {
    server,
    client,
    held,
    ready,
    reasons,
    connections,
    async [Symbol.asyncDispose]() {
      client.stop();
      await running;
      await server[Symbol.asyncDispose]();
    },
  };
}

const last = (server: ScriptedFeed) => server.requests.at(-1);

describe('the delta client', () => {
  it('introduces itself and asks for everything of each type', async () => {
    await using setup = await setUp();
    const { requests, calls } = setup.server;
    assert.deepEqual(
      requests.map(({ typeUrl }) => typeUrl),
      ['A', 'B'],
    );
    assert.equal(requests[0]?.node?.id, 'ztunnel~1.1.1.1~a.b~b.svc.cluster.local');
    assert.deepEqual([requests[0]?.resourceNamesSubscribe, requests[0]?.initialResourceVersions.size], [[], 0]);
    const { metadata } = calls[0] ?? assert.fail();
    assert.deepEqual(metadata.get('authorization'), ['Bearer token']);
    assert.deepEqual(metadata.get('clusterid'), ['c1']);
    assert.deepEqual(metadata.get('x-extra'), ['e']);
  });

  it('acknowledges a push and is ready after the first of each type, an empty one included', async () => {
    await using setup = await setUp();
    setup.server.push({ a: '1' }, 'n1');
    setup.server.push({}, 'n2', [], 'B');
    await eventually('both answers', () => setup.server.requests.length === 4);
    assert.deepEqual(
      setup.server.requests.slice(2).map(({ responseNonce, errorDetail }) => [responseNonce, errorDetail]),
      [
        ['n1', undefined],
        ['n2', undefined],
      ],
    );
    assert.deepEqual([setup.ready.sort(), [...setup.held]], [['A', 'B'], [['a', '1']]]);
  });

  it('refuses the bad resources of a push by name and keeps the good ones and what was before', async () => {
    await using setup = await setUp();
    setup.server.push({ a: '1', b: '1' }, 'n1');
    setup.server.push({ a: 'bad', b: '2', c: '1' }, 'n2');
    await eventually('both answers', () => setup.server.requests.length === 4);
    assert.equal(last(setup.server)?.errorDetail?.message, 'a: it is bad');
    assert.deepEqual(
      [...setup.held],
      [
        ['a', '1'],
        ['b', '2'],
        ['c', '1'],
      ],
    );
  });

  it('that never got a push is not ready; one whose first push had bad resources is', async () => {
    await using setup = await setUp();
    assert.deepEqual(setup.ready, []);
    setup.server.push({ a: 'bad', b: '1' }, 'n1');
    await eventually('the answer', () => setup.server.requests.length === 3);
    assert.deepEqual([setup.ready, [...setup.held]], [['A'], [['b', '1']]]);
    assert.equal(last(setup.server)?.errorDetail?.message, 'a: it is bad');
  });

  it('says on reconnect what it holds, without what it refused or lost', async () => {
    await using setup = await setUp();
    setup.server.push({ a: '1', b: '1', c: '1', d: '1' }, 'n1');
    setup.server.push({ b: 'bad' }, 'n2', ['d']);
    await eventually('both answers', () => setup.server.requests.length === 4);
    setup.server.calls[0]?.end();
    await eventually('the next stream', () => setup.server.requests.length === 6);
    const again = setup.server.requests[4];
    assert.deepEqual([...(again?.initialResourceVersions ?? [])].sort(), [
      ['a', 'v-1'],
      ['c', 'v-1'],
    ]);
    assert.ok(again?.node, 'the node is sent with each stream');
    assert.deepEqual(setup.reasons, ['Complete']);
    assert.equal(setup.held.get('b'), '1', 'state outlives the stream');
    setup.server.push({}, 'n3', ['a']);
    await eventually('the removal', () => !setup.held.has('a'));
  });

  it('reconnects after every kind of end', async () => {
    await using setup = await setUp();
    for (const code of [status.UNKNOWN, status.UNAVAILABLE, status.INTERNAL]) {
      const before = setup.server.calls.length;
      setup.server.calls.at(-1)?.emit('error', { code, details: 'gone' });
      await eventually('the next stream', () => setup.server.calls.length > before);
    }
    assert.deepEqual(setup.reasons, ['Reconnect', 'ConnectionError', 'Error']);
  });

  it('says of every stream that it was accepted, before any push', async () => {
    await using setup = await setUp();
    setup.server.calls.at(-1)?.sendMetadata(new Metadata());
    await eventually('the connection', () => setup.connections.length === 1);
    setup.server.calls.at(-1)?.emit('error', { code: status.UNAVAILABLE, details: 'gone' });
    await eventually('the next stream', () => setup.server.calls.length === 2);
    assert.equal(setup.connections.length, 1, 'to have connected is not to be accepted');
    setup.server.calls.at(-1)?.sendMetadata(new Metadata());
    await eventually('the connection', () => setup.connections.length === 2);
    assert.deepEqual(setup.connections, [0, 1]);
    assert.deepEqual(setup.ready, []);
  });

  it('acknowledges types that it does not know', async () => {
    await using setup = await setUp();
    setup.server.push({ x: '1' }, 'n1', [], 'C');
    await eventually('the answer', () => setup.server.requests.length === 3);
    assert.deepEqual([last(setup.server)?.typeUrl, last(setup.server)?.responseNonce], ['C', 'n1']);
  });

  it('on demand asks for nothing first, then for single names, once each, and again after a reconnect', async () => {
    await using setup = await setUp(true);
    const [first] = setup.server.requests;
    assert.deepEqual([first?.resourceNamesSubscribe, first?.resourceNamesUnsubscribe], [['*'], ['*']]);
    setup.client.subscribe('A', 'net/10.0.0.1');
    setup.client.subscribe('A', 'net/10.0.0.1');
    await eventually('the question', () => setup.server.requests.length === 3);
    assert.deepEqual(last(setup.server)?.resourceNamesSubscribe, ['net/10.0.0.1']);
    setup.server.calls[0]?.end();
    await eventually('the next stream', () => setup.server.requests.length === 5);
    assert.deepEqual([...(setup.server.requests[3]?.initialResourceVersions ?? [])], [['net/10.0.0.1', '']]);
  });

  it('on demand names after a reconnect what it holds, and without a version what it asked for and does not hold', async () => {
    await using setup = await setUp(true);
    for (const name of ['a', 'net/1', 'gone', 'never', 'dropped']) setup.client.subscribe('A', name);
    setup.server.push({ a: '1', member: '1', gone: '1', lost: '1' }, 'n1');
    setup.server.push({}, 'n2', ['gone', 'lost', 'dropped']);
    await eventually('the answers', () => setup.server.requests.length === 9);
    setup.client.unsubscribe('A', ['dropped', 'not asked for']);
    await eventually('the end of a subscription', () => setup.server.requests.length === 10);
    assert.deepEqual(last(setup.server)?.resourceNamesUnsubscribe, ['dropped']);
    setup.server.calls[0]?.end();
    await eventually('the next stream', () => setup.server.requests.length === 12);
    assert.deepEqual([...(setup.server.requests[10]?.initialResourceVersions ?? [])].sort(), [
      ['a', 'v-1'],
      ['gone', ''],
      ['member', 'v-1'],
      ['net/1', ''],
      ['never', ''],
    ]);
  });

  it('on demand asks for a name that came unasked, because its answer is waited for', async () => {
    await using setup = await setUp(true);
    setup.server.push({ a: '1' }, 'n1');
    await eventually('the answer', () => setup.server.requests.length === 3);
    setup.client.subscribe('A', 'a');
    await eventually('the question', () => setup.server.requests.length === 4);
    assert.deepEqual(last(setup.server)?.resourceNamesSubscribe, ['a']);
  });

  it('calls no handler once it was stopped', async () => {
    await using setup = await setUp();
    setup.client.stop();
    setup.server.push({ a: '1' }, 'n1');
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(setup.held.size, 0);
  });
});
