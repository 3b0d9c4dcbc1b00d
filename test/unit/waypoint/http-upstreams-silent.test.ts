import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { BlockPool } from '../../../src/http2/block-pool.ts';
import { createWorkload } from '../../../src/model/workload.ts';
import type { TrafficPolicy } from '../../../src/proto/gen/ambit.ts';
import type { Cancellation } from '../../../src/waypoint/cancellation.ts';
import { HttpUpstreams } from '../../../src/waypoint/http-upstreams.ts';
import type { UpstreamAnswer, Upstreams } from '../../../src/waypoint/upstreams.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';
import { pool, trafficPolicy } from '../../helpers/traffic-policies.ts';

const self = createWorkload({ uid: 'waypoint' });
const endpoint = { workload: createWorkload({ uid: 'a' }), port: 80, service: undefined };

describe('HTTP/2 endpoints that accept and say nothing', () => {
  let server: Server;
  const accepted: Socket[] = [];

  before(async () => {
    server = createServer((socket) => accepted.push(socket.on('error', () => undefined).resume()));
    await once(server.listen(0, '127.0.0.1'), 'listening');
  });

  after(() => {
    for (const socket of accepted) socket.destroy();
    server.close();
  });

  function fixture() {
    const clock = new ManualClock();
    const sockets: Socket[] = [];
    const upstreams = {
      connect: async (_endpoint: unknown, _self: unknown, _forwarded: string, done: UpstreamAnswer) => {
        const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
        sockets.push(socket);
        await once(socket, 'connect');
        done({ ok: true, value: { kind: 'tcp', socket } });
      },
    } as unknown as Upstreams;
    const http = new HttpUpstreams({ clock, blocks: new BlockPool(), upstreams });
    const acquire = async (policy?: TrafficPolicy, signal?: Cancellation) => {
      const acquired = await http.acquire(endpoint, 'http2', self, '', policy, signal);
      return acquired.ok ? '' : acquired.error.code;
    };
    /** Until the connection is there, and its settings are waited for. */
    const connected = async () => {
      while (clock.waitingMs.length === 0) await new Promise(setImmediate);
    };
    return { clock, http, sockets, acquire, connected };
  }

  it('fail all who wait when the connect timeout of the policy is over, and lose the connection', async () => {
    const { clock, http, sockets, acquire, connected } = fixture();
    const policy = trafficPolicy({ connectionPool: pool({ connectTimeoutMs: 250 }) });
    const answers = [acquire(policy), acquire(policy)];
    await connected();
    const [socket] = sockets;
    assert.ok(socket);
    const closed = once(socket, 'close');
    clock.advance(250);
    assert.deepEqual(await Promise.all(answers), ['CONNECT_TIMED_OUT', 'CONNECT_TIMED_OUT']);
    await closed;
    assert.equal(sockets.length, 1);
    assert.equal(http.waiting(policy), 0);
  });

  it('have ten seconds without a policy, and are connected to again then', async () => {
    const { clock, http, sockets, acquire, connected } = fixture();
    for (const connections of [1, 2]) {
      const answer = acquire();
      await connected();
      clock.advance(9999);
      assert.equal(http.waiting(undefined), 1);
      clock.advance(1);
      assert.equal(await answer, 'CONNECT_TIMED_OUT');
      assert.equal(sockets.length, connections);
    }
  });

  it('hold no request that is over', async () => {
    const { http, acquire, connected } = fixture();
    const listeners = new Set<() => void>();
    const signal = {
      aborted: false,
      onAbort: (listener: () => void) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    };
    const answer = acquire(undefined, signal);
    const other = acquire();
    await connected();
    signal.aborted = true;
    for (const listener of [...listeners]) listener();
    assert.equal(await answer, 'CLIENT_DISCONNECTED');
    assert.equal(http.waiting(undefined), 1);
    http.stop();
    assert.equal(await other, 'POOL_DRAINING');
  });
});
