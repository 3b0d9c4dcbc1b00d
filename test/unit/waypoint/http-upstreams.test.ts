import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { Result } from '../../../src/base/result.ts';
import type { ProxyError } from '../../../src/hbone/proxy-error.ts';
import { BlockPool } from '../../../src/http2/block-pool.ts';
import { createWorkload } from '../../../src/model/workload.ts';
import type { TrafficPolicy } from '../../../src/proto/gen/ambit.ts';
import { RequestEnd } from '../../../src/waypoint/cancellation.ts';
import { HttpUpstreams, upstreamVersion } from '../../../src/waypoint/http-upstreams.ts';
import type { HttpUpstream } from '../../../src/waypoint/pooled-connection.ts';
import type { UpstreamAnswer, Upstreams } from '../../../src/waypoint/upstreams.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';
import { pool, trafficPolicy } from '../../helpers/traffic-policies.ts';

const self = createWorkload({ uid: 'waypoint' });

function codeOf(acquired: Result<HttpUpstream, ProxyError>): string {
  return acquired.ok ? '' : acquired.error.code;
}

function limited(fields: Parameters<typeof pool>[0]): TrafficPolicy {
  return trafficPolicy({ connectionPool: pool(fields) });
}

describe('connections to endpoints', () => {
  let server: Server;
  const open: Fixture[] = [];

  before(async () => {
    server = createServer((_request, response) => response.end('ok')).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });

  after(() => {
    for (const fixture of open) fixture.http.stop();
    server.close();
  });

  class Fixture {
    readonly clock = new ManualClock();
    connects = 0;
    readonly http: HttpUpstreams;

    constructor() {
      const upstreams = {
        connect: async (_endpoint: unknown, _self: unknown, _forwarded: string, done: UpstreamAnswer) => {
          this.connects += 1;
          const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
          await once(socket, 'connect');
          done({ ok: true, value: { kind: 'tcp', socket } });
        },
      } as unknown as Upstreams;
      this.http = new HttpUpstreams({ clock: this.clock, blocks: new BlockPool(), upstreams });
      open.push(this);
    }

    acquire(policy: TrafficPolicy | undefined, uid = 'a', signal?: RequestEnd) {
      const endpoint = { workload: createWorkload({ uid }), port: 80, service: undefined };
      return this.http.acquire(endpoint, 'http1', self, '', policy, signal);
    }

    async upstream(policy: TrafficPolicy | undefined, uid = 'a'): Promise<HttpUpstream> {
      const acquired = await this.acquire(policy, uid);
      assert.ok(acquired.ok);
      return acquired.value;
    }
  }

  async function request(upstream: HttpUpstream): Promise<void> {
    await new Promise<void>((resolve) => {
      const headers = [
        [':method', 'GET'],
        [':scheme', 'http'],
        [':authority', 'a'],
        [':path', '/'],
      ] as const;
      const sent = upstream.request(
        headers,
        {
          onHeaders: () => undefined,
          onData: (stream, chunk) => stream.consume(chunk.length),
          onEnd: () => undefined,
          onWritable: () => undefined,
          onClosed: () => resolve(),
        },
        true,
      );
      assert.ok(sent.ok);
    });
  }

  it('are opened for each request at a time without a policy', async () => {
    const fixture = new Fixture();
    await fixture.upstream(undefined);
    await fixture.upstream(undefined);
    assert.equal(fixture.connects, 2);
  });

  it('are waited for in turn when there may be no more', async () => {
    const fixture = new Fixture();
    const policy = limited({ maxConnections: 1 });
    const first = await fixture.upstream(policy);
    const order: string[] = [];
    const second = fixture.upstream(policy).then((upstream) => {
      order.push('second');
      upstream.release();
    });
    const third = fixture.upstream(policy).then((upstream) => {
      order.push('third');
      upstream.release();
    });
    first.release();
    await Promise.all([second, third]);
    assert.deepEqual(order, ['second', 'third']);
    assert.equal(fixture.connects, 1);
  });

  it('are refused when too many wait already', async () => {
    const fixture = new Fixture();
    const policy = limited({ maxConnections: 1, maxPendingRequests: 1 });
    const first = await fixture.upstream(policy);
    const second = fixture.acquire(policy);
    const third = await fixture.acquire(policy);
    assert.equal(third.ok ? '' : third.error.code, 'UPSTREAM_OVERFLOW');
    first.release();
    assert.ok((await second).ok);
  });

  it('are not waited for by requests that are over', async () => {
    const fixture = new Fixture();
    const policy = limited({ maxConnections: 1, maxPendingRequests: 3 });
    const hanging = await fixture.upstream(policy);
    const aborted = [1, 2, 3].map(() => new RequestEnd());
    const dead = aborted.map((signal) => fixture.acquire(policy, 'a', signal));
    assert.equal(codeOf(await fixture.acquire(policy)), 'UPSTREAM_OVERFLOW');
    for (const signal of aborted) signal.abort();
    assert.equal(fixture.http.waiting(policy), 0);
    const live = fixture.acquire(policy);
    assert.deepEqual((await Promise.all(dead)).map(codeOf), Array(3).fill('CLIENT_DISCONNECTED'));
    hanging.release();
    assert.ok((await live).ok);
    assert.deepEqual(
      aborted.map(({ listeners }) => listeners),
      [0, 0, 0],
    );
  });

  it('go to the next when who was called is over', async () => {
    const fixture = new Fixture();
    const policy = limited({ maxConnections: 1 });
    const first = await fixture.upstream(policy);
    const called = new RequestEnd();
    const second = fixture.acquire(policy, 'a', called);
    const third = fixture.acquire(policy);
    first.release();
    called.abort();
    assert.equal((await second).ok, false);
    assert.ok((await third).ok);
  });

  it('that were opened for a request that is over are the next one’s', async () => {
    const fixture = new Fixture();
    const policy = limited({ maxConnections: 1 });
    const opener = new RequestEnd();
    const first = fixture.acquire(policy, 'a', opener);
    const second = fixture.acquire(policy);
    opener.abort();
    assert.equal(codeOf(await first), 'CLIENT_DISCONNECTED');
    assert.ok((await second).ok);
    assert.equal(fixture.connects, 1);
  });

  it('are never missing altogether because other endpoints have them', async () => {
    const fixture = new Fixture();
    const policy = limited({ maxConnections: 1 });
    await fixture.upstream(policy, 'a');
    await fixture.upstream(policy, 'b');
    assert.equal(fixture.connects, 2);
  });

  it('are opened anew for who waits when one is spent', async () => {
    const fixture = new Fixture();
    const policy = limited({ maxConnections: 1, maxRequestsPerConnection: 1 });
    const first = await fixture.upstream(policy);
    const second = fixture.upstream(policy);
    await request(first);
    await request(await second);
    assert.equal(fixture.connects, 2);
  });

  it('are used again until they are idle for too long', async () => {
    const fixture = new Fixture();
    const policy = limited({ idleTimeoutMs: 1000 });
    await request(await fixture.upstream(policy));
    const again = await fixture.upstream(policy);
    assert.ok(again.reused);
    const closed = once(server, 'connection').then(([socket]) => once(socket, 'close'));
    again.release();
    const other = await fixture.upstream(policy, 'b');
    other.release();
    fixture.clock.advance(1500);
    await closed;
    await fixture.upstream(policy, 'b');
    assert.equal(fixture.connects, 3);
  });

  it('are shared under the same policy only', async () => {
    const fixture = new Fixture();
    (await fixture.upstream(limited({}))).release();
    (await fixture.upstream(limited({}))).release();
    assert.equal(fixture.connects, 2);
  });

  it('are refused to a request that is over already', async () => {
    const over = new RequestEnd();
    over.abort();
    const fixture = new Fixture();
    assert.equal(codeOf(await fixture.acquire(undefined, 'a', over)), 'CLIENT_DISCONNECTED');
    assert.equal(fixture.connects, 0);
  });

  it('speak HTTP/2 where the policy wants it', () => {
    assert.equal(upstreamVersion('http1', limited({ upgradeToHttp2: true })), 'http2');
    assert.equal(upstreamVersion('http1', limited({})), 'http1');
    assert.equal(upstreamVersion('http2', undefined), 'http2');
  });
});
