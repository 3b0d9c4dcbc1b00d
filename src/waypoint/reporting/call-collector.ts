/**
 * One message to a collector: a service of the mesh, reached as requests of clients reach theirs, in tunnels where it has
 * them.
 */
import type { Clock } from '../../base/clock.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import type { HttpHeader } from '../../http/http-stream.ts';
import type { Workload } from '../../model/workload.ts';
import type { Collector } from '../../proto/gen/ambit.ts';
import { formatForwarded } from '../../telemetry/forwarded.ts';
import { callProvider } from '../external-authorization/provider-call.ts';
import { providerTarget } from '../external-authorization/provider-target.ts';
import type { ProviderAnswer } from '../external-authorization/verdict.ts';
import type { HttpUpstreams } from '../http-upstreams.ts';
import type { RouteTargetDeps } from '../route-target.ts';
import type { SendOutcome } from './batch-exporter.ts';

export interface CallCollectorDeps extends RouteTargetDeps {
  readonly clock: Clock;
  readonly http: HttpUpstreams;
  readonly self: () => Workload | undefined;
}

/** What is sent, and how. */
export interface CollectorMessage {
  readonly protocol: 'http' | 'grpc';
  readonly path: string;
  readonly contentType: string;
  readonly body: Uint8Array;
}

const FRAME_HEADER_BYTES = 5;
/** Of gRPC: what may pass by itself (cancelled, deadline, exhausted, aborted, out of range, unavailable, data loss). */
const PASSING_GRPC: ReadonlySet<string> = new Set(['1', '4', '8', '10', '11', '14', '15']);
const PASSING_HTTP: ReadonlySet<number> = new Set([408, 429, 502, 503, 504]);

/** Never rejects. */
export function callCollector(
  collector: Collector,
  message: CollectorMessage,
  deps: CallCollectorDeps,
): Promise<SendOutcome> {
  const self = deps.self();
  const isGrpc = message.protocol === 'grpc';
  const target = providerTarget({ ...collector, isGrpc }, deps);
  if (self === undefined) return Promise.resolve(retry('this waypoint does not know itself yet'));
  if (!target.ok) return Promise.resolve(retry(target.error));
  const [ownIp = ''] = self.addresses;
  const question = { headers: headersOf(collector, message), body: isGrpc ? framed(message.body) : bufferOf(message) };
  const forwarded = formatForwarded(ownIp, 0, undefined);
  return new Promise((resolve) => {
    const call = { target: target.value, question, timeoutMs: collector.timeoutMs, self, forwarded };
    callProvider(call, deps, (answer) =>
      resolve(outcomeOf(answer.ok ? status(answer.value, isGrpc) : fail(answer.error))),
    );
  });
}

function headersOf({ hostname, port, headers }: Collector, message: CollectorMessage): HttpHeader[] {
  const own: HttpHeader[] = headers.map(({ name, value }) => [name, value]);
  const given = new Set(own.map(([name]) => name));
  const standard: HttpHeader[] = [
    ['content-type', message.contentType],
    message.protocol === 'grpc' ? ['te', 'trailers'] : ['content-length', String(message.body.length)],
  ];
  return [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':authority', `${hostname}:${port}`],
    [':path', message.path],
    ...standard.filter(([name]) => !given.has(name)),
    ...own,
  ];
}

function bufferOf({ body }: CollectorMessage): Buffer {
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
}

function framed(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, FRAME_HEADER_BYTES);
  return frame;
}

interface Status {
  readonly isGood: boolean;
  readonly mayPass: boolean;
  readonly text: string;
}

function status({ status: code, headers, trailers }: ProviderAnswer, isGrpc: boolean): Result<Status, string> {
  if (!isGrpc || code !== 200) {
    return ok({ isGood: code >= 200 && code < 300, mayPass: PASSING_HTTP.has(code), text: `it answers with ${code}` });
  }
  const grpcStatus = [...headers, ...trailers].findLast(([name]) => name === 'grpc-status')?.[1] ?? 'missing';
  const text = `its gRPC status is ${grpcStatus}`;
  return ok({ isGood: grpcStatus === '0', mayPass: PASSING_GRPC.has(grpcStatus), text });
}

function outcomeOf(answer: Result<Status, string>): SendOutcome {
  if (!answer.ok) return retry(answer.error);
  const { isGood, mayPass, text } = answer.value;
  if (isGood) return { kind: 'sent' };
  return mayPass ? retry(text) : { kind: 'rejected', reason: text };
}

function retry(reason: string): SendOutcome {
  return { kind: 'retry', reason };
}
