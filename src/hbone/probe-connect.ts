/** Asks a new tunnel for a connection that carries nothing, and closes the tunnel. */
import type { Clock } from '../base/clock.ts';
import { ok, type Result } from '../base/result.ts';
import type { Http2Connection } from '../http2/connection.ts';
import { Http2Code } from '../http2/http2-error.ts';
import type { StreamHandler } from '../http2/stream.ts';
import { type ConnectRequest, requestConnect } from './connect-request.ts';
import type { ProxyError } from './proxy-error.ts';

/** The other end's own connect timeout is 10 s. */
const ANSWER_MS = 12_000;

/** For a program to leave, too. */
const GOODBYE_MS = 1000;

/** Whether CONNECT is answered with 200. The tunnel is closed then, or will be in a second when a program has to leave. */
export async function probeConnect(
  connection: Http2Connection,
  request: ConnectRequest,
  clock: Clock,
): Promise<Result<undefined, ProxyError>> {
  const answer = await ask(connection, request, clock);
  if (answer.ok) connection.drain();
  else connection.destroy();
  return answer;
}

function ask(
  connection: Http2Connection,
  request: ConnectRequest,
  clock: Clock,
): Promise<Result<undefined, ProxyError>> {
  return new Promise((resolve) => {
    requestConnect(connection, request, { clock, timeoutMs: ANSWER_MS }, (answer) => {
      if (!answer.ok) return resolve(answer);
      const accepted = answer.value.stream;
      accepted.setHandler(goodbye(() => linger.cancel()));
      const linger = clock.after(GOODBYE_MS, () => accepted.reset(Http2Code.CANCEL));
      accepted.end();
      resolve(ok(undefined));
    });
  });
}

/** The program sees a client that says nothing and leaves, as of a health check: a reset ends some programs. */
function goodbye(onClosed: () => void): StreamHandler {
  return {
    onHeaders: () => undefined,
    onData: (stream, chunk) => stream.consume(chunk.length),
    onEnd: () => undefined,
    onWritable: () => undefined,
    onClosed,
  };
}
