import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ok } from '../../../src/base/result.ts';
import { type Tunnel, type TunnelKey, TunnelPool } from '../../../src/hbone/tunnel-pool.ts';
import type { Http2Connection } from '../../../src/http2/connection.ts';
import type { SpiffeId } from '../../../src/model/spiffe.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

const MAX_STREAMS = 10;
const PEER = 'spiffe://cluster.local/ns/a/sa/b' as SpiffeId;
const KEY: TunnelKey = {
  sourceIdentity: PEER,
  sourceIp: '10.0.0.1',
  identities: [PEER],
  targetIp: '10.0.0.2',
  targetPort: 15008,
};

/** A connection as far as the pool looks at it. */
class FakeConnection {
  openStreams = 0;
  drained = false;
  readonly peerMaxConcurrentStreams = MAX_STREAMS;
  get acceptsRequests(): boolean {
    return !this.drained && this.openStreams < this.peerMaxConcurrentStreams;
  }
  drain(): void {
    this.drained = true;
  }
  destroy(): void {
    this.drained = true;
  }
}

function setUp() {
  const clock = new ManualClock();
  const connections: FakeConnection[] = [];
  const pool = new TunnelPool(
    { maxStreams: MAX_STREAMS, idleMs: 1000 },
    {
      clock,
      open: async () => {
        await new Promise((resolve) => setImmediate(resolve));
        const connection = new FakeConnection();
        connections.push(connection);
        return ok({ connection: connection as unknown as Http2Connection, peer: PEER });
      },
    },
  );
  /** As a connection of a pod does: waits for a tunnel, then opens a stream on it. */
  const use = async (): Promise<Tunnel> => {
    const acquired = await pool.acquire(KEY);
    if (!acquired.ok) throw acquired.error;
    pool.redeem(acquired.value);
    const connection = acquired.value.connection as unknown as FakeConnection;
    assert.ok(connection.acceptsRequests, 'the tunnel has room for the stream');
    connection.openStreams++;
    return acquired.value;
  };
  return { clock, pool, connections, use };
}

describe('TunnelPool', () => {
  it('gives a burst of connections no more of one tunnel than it has room for, and opens as many as it takes', async () => {
    const { connections, use } = setUp();
    await Promise.all(Array.from({ length: 95 }, use));
    assert.deepEqual(
      connections.map(({ openStreams }) => openStreams),
      [10, 10, 10, 10, 10, 10, 10, 10, 10, 5],
    );
  });

  it('has the room again of a connection that waited and gave up', async () => {
    const { pool, connections, use } = setUp();
    const acquired = await pool.acquire(KEY);
    if (acquired.ok) pool.redeem(acquired.value);
    await Promise.all(Array.from({ length: MAX_STREAMS }, use));
    assert.equal(connections.length, 1);
  });

  it('does not close a tunnel as idle that is promised to somebody', async () => {
    const { pool, clock, connections } = setUp();
    const acquired = await pool.acquire(KEY);
    clock.advance(5000);
    assert.equal(connections[0]?.drained, false);
    if (acquired.ok) pool.redeem(acquired.value);
    clock.advance(5000);
    assert.equal(connections[0]?.drained, true);
  });

  it('answers with a failure where opening throws, and opens again for whoever asks next', async () => {
    let opened = 0;
    const pool = new TunnelPool(
      { maxStreams: MAX_STREAMS, idleMs: 1000 },
      {
        clock: new ManualClock(),
        open: async () => {
          opened++;
          if (opened === 1) throw new Error('a defect');
          return ok({ connection: new FakeConnection() as unknown as Http2Connection, peer: PEER });
        },
      },
    );
    const [first, waiting] = await Promise.all([pool.acquire(KEY), pool.acquire(KEY)]);
    for (const failed of [first, waiting]) {
      assert.equal(failed.ok ? '' : failed.error.code, 'CONNECT_FAILED');
      assert.match(failed.ok ? '' : failed.error.message, /a defect/);
    }
    assert.equal((await pool.acquire(KEY)).ok, true);
    assert.equal(opened, 2);
  });

  it('shares a tunnel while it has room, and never again one that was full', async () => {
    const { pool, connections, use } = setUp();
    for (let stream = 0; stream < MAX_STREAMS + 1; stream++) await use();
    assert.deepEqual(
      connections.map(({ openStreams, drained }) => [openStreams, drained]),
      [
        [10, true],
        [1, false],
      ],
    );
    pool.drain();
    assert.equal((await pool.acquire(KEY)).ok, false);
  });
});
