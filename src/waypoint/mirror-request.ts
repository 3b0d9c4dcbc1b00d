/** A copy of a request for a service that only watches: nobody waits for it, its answer is dropped. */
import type { Clock, Timer } from '../base/clock.ts';
import type { HttpHeader, HttpStreamHandler } from '../http/http-stream.ts';
import { Http2Code } from '../http2/http2-error.ts';
import type { Workload } from '../model/workload.ts';
import type { Cluster } from './clusters.ts';
import type { HttpUpstreams, UpstreamVersion } from './http-upstreams.ts';

export interface MirroredRequest {
  readonly cluster: Cluster;
  readonly version: UpstreamVersion;
  readonly headers: readonly HttpHeader[];
  readonly body: Buffer;
  readonly self: Workload;
  readonly forwarded: string;
}

/** A watcher that does not answer is not waited for longer. */
const MIRROR_TIMEOUT_MS = 15_000;

/** Sends the copy. Never rejects. */
export async function mirrorRequest(
  { cluster, version, headers, body, self, forwarded }: MirroredRequest,
  deps: { readonly http: HttpUpstreams; readonly clock: Clock },
): Promise<void> {
  const permit = cluster.admitRequest();
  const picked = permit && cluster.pick(self, { hashKey: undefined, avoid: new Set() });
  if (permit === undefined || picked === undefined) return permit?.release();
  let timer: Timer | undefined;
  const done = () => {
    timer?.cancel();
    picked.done(undefined);
    permit.release();
  };
  const upstream = await deps.http.acquire(picked.endpoint, version, self, forwarded, cluster.policy);
  if (!upstream.ok) return done();
  const opened = upstream.value.request(headers, dropAnswer(done), body.length === 0);
  if (!opened.ok) {
    upstream.value.release();
    return done();
  }
  const stream = opened.value;
  if (body.length > 0) stream.end(body);
  timer = deps.clock.after(MIRROR_TIMEOUT_MS, () => stream.reset(Http2Code.CANCEL));
  if (stream.state === 'closed') timer.cancel();
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
