/**
 * A copy of a request for a service that only watches: nobody waits for it, its answer is dropped.
 *
 * Invariant: what all copies under way hold is bounded by the budget of kept bodies; beyond it copies are dropped.
 */
import type { Clock } from '../base/clock.ts';
import type { HttpHeader, HttpStreamHandler } from '../http/http-stream.ts';
import { Http2Code } from '../http2/http2-error.ts';
import type { Workload } from '../model/workload.ts';
import { RequestEnd } from './cancellation.ts';
import type { Cluster } from './clusters.ts';
import type { HttpUpstreams, UpstreamVersion } from './http-upstreams.ts';
import type { ReplayBudget } from './request-body.ts';

export interface MirroredRequest {
  readonly cluster: Cluster;
  readonly version: UpstreamVersion;
  readonly headers: readonly HttpHeader[];
  readonly body: Buffer;
  readonly self: Workload;
  readonly forwarded: string;
}

export interface MirrorDeps {
  readonly http: HttpUpstreams;
  readonly clock: Clock;
  readonly replayBudget: ReplayBudget;
}

/** A watcher that does not answer is not waited for longer, nor is a connection to it. */
const MIRROR_TIMEOUT_MS = 15_000;
/** Where so many requests wait for a connection, copies are dropped, also where a policy sets no limit. */
const MAX_WAITING_MIRRORS = 1024;
/** What a copy holds besides its body: its headers, its stream, its part of a connection. */
const MIRROR_OVERHEAD_BYTES = 16 * 1024;

/** Sends the copy, unless too many are under way already. Never rejects. */
export async function mirrorRequest(
  { cluster, version, headers, body, self, forwarded }: MirroredRequest,
  deps: MirrorDeps,
): Promise<void> {
  const { policy } = cluster;
  if (deps.http.waiting(policy) >= MAX_WAITING_MIRRORS) return;
  const heldBytes = MIRROR_OVERHEAD_BYTES + body.length;
  if (!deps.replayBudget.take(heldBytes)) return;
  const permit = cluster.admitRequest();
  const picked = permit && cluster.pick(self, { hashKey: undefined, avoid: new Set() });
  if (permit === undefined || picked === undefined) {
    deps.replayBudget.give(heldBytes);
    return permit?.release();
  }
  const end = new RequestEnd();
  const timer = deps.clock.after(MIRROR_TIMEOUT_MS, () => end.abort());
  const done = () => {
    timer.cancel();
    picked.done(undefined);
    permit.release();
    deps.replayBudget.give(heldBytes);
  };
  const upstream = await deps.http.acquire(picked.endpoint, version, self, forwarded, policy, end);
  if (!upstream.ok) return done();
  const opened = upstream.value.request(headers, dropAnswer(done), body.length === 0);
  if (!opened.ok) {
    upstream.value.release();
    return done();
  }
  const stream = opened.value;
  if (body.length > 0) stream.end(body);
  if (stream.state !== 'closed') end.onAbort(() => stream.reset(Http2Code.CANCEL));
}

function dropAnswer(done: () => void): HttpStreamHandler {
  return {
    onHeaders: () => undefined,
    onData: (stream, chunk) => stream.consume(chunk.length),
    onEnd: () => undefined,
    onWritable: () => undefined,
    onClosed: (stream) => {
      stream.releaseCredit();
      done();
    },
  };
}
