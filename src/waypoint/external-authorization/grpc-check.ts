/** Asking an external authorizer by gRPC: envoy.service.auth.v3.Authorization/Check (facts l7-and-control 6.6). */
import { errorText } from '../../base/errors.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import type { HttpHeader } from '../../http/http-stream.ts';
import { spiffeId } from '../../model/spiffe.ts';
import { workloadIdentity } from '../../model/workload.ts';
import {
  type AttributeContext,
  CheckRequest,
  CheckResponse,
  type HeaderValueOption,
  type HttpRequest,
  type Peer,
} from '../../proto/gen/ext_authz.ts';
import { type CheckedConnection, type CheckedRequest, PARTIAL_BODY_HEADER } from './checked-request.ts';
import { type HeaderEdit, isEditable, isHeader } from './header-edits.ts';
import type { ProviderAnswer, ProviderQuestion, Verdict } from './verdict.ts';

const PATH = '/envoy.service.auth.v3.Authorization/Check';
const FRAME_HEADER_BYTES = 5;
const DEFAULT_DENIAL = 403;
/** The longest time that the header can say in milliseconds: eight digits. */
const MAX_TIMEOUT_MS = 99_999_999;
const EDITS = ['append', 'add-if-absent', 'set', 'set-if-present'] as const;

export interface GrpcProvider {
  readonly hostname: string;
  readonly timeoutMs: number;
  /** Whether it wants bodies as bytes. */
  readonly bodyAsBytes: boolean;
}

/** @param request undefined for a connection that is not HTTP */
export function grpcQuestion(
  provider: GrpcProvider,
  connection: CheckedConnection,
  request: CheckedRequest | undefined,
  nowMs: number,
): ProviderQuestion {
  const attributes: AttributeContext = {
    source: sourceOf(connection),
    destination: destinationOf(connection),
    request: { time: new Date(nowMs), http: request && httpOf(request, provider.bodyAsBytes) },
  };
  const headers: HttpHeader[] = [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':authority', provider.hostname],
    [':path', PATH],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
    ['grpc-timeout', `${Math.min(provider.timeoutMs, MAX_TIMEOUT_MS)}m`],
  ];
  return { headers, body: framed(CheckRequest.encode({ attributes }).finish()) };
}

function sourceOf({ clientAddress, subject }: CheckedConnection): Peer {
  const port = Number(clientAddress.slice(clientAddress.lastIndexOf(':') + 1));
  const principal = subject.identity === undefined ? '' : spiffeId(subject.identity);
  return { address: { socketAddress: { address: subject.sourceIp, portValue: port } }, service: '', principal };
}

function destinationOf({ self, subject }: CheckedConnection): Peer {
  const socketAddress = { address: subject.destinationIp ?? '', portValue: subject.destinationPort };
  return { address: { socketAddress }, service: '', principal: workloadIdentity(self) };
}

function httpOf(request: CheckedRequest, bodyAsBytes: boolean): HttpRequest {
  const { method, scheme, authority, target, requestId, spoken, body } = request;
  const headers = joined(request.headers.filter(([name]) => name !== PARTIAL_BODY_HEADER));
  if (body !== undefined) headers.set(PARTIAL_BODY_HEADER, String(body.partial));
  return {
    id: requestId,
    method,
    headers,
    path: target,
    host: authority,
    scheme,
    size: sizeOf(headers.get('content-length')),
    protocol: spoken === 'http2' ? 'HTTP/2' : 'HTTP/1.1',
    body: body === undefined || bodyAsBytes ? '' : body.bytes.toString('utf8'),
    rawBody: body !== undefined && bodyAsBytes ? body.bytes : Buffer.alloc(0),
  };
}

function sizeOf(contentLength: string | undefined): number {
  const bytes = Number(contentLength ?? Number.NaN);
  return Number.isSafeInteger(bytes) ? bytes : -1;
}

/** Headers have one character per byte, messages have text in UTF-8. */
function joined(headers: readonly HttpHeader[]): Map<string, string> {
  const values = new Map<string, string>();
  for (const [name, bytes] of headers) {
    const value = Buffer.from(bytes, 'latin1').toString('utf8');
    const before = values.get(name);
    values.set(name, before === undefined ? value : `${before},${value}`);
  }
  return values;
}

function framed(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, FRAME_HEADER_BYTES);
  return frame;
}

export function grpcVerdict({ status, headers, trailers, body }: ProviderAnswer): Verdict {
  if (status !== 200) return { kind: 'error', reason: `it answered with ${status}` };
  const last = [...headers, ...trailers].findLast(([name]) => name === 'grpc-status')?.[1];
  if (last !== '0') return { kind: 'error', reason: `its gRPC status is ${last ?? 'missing'}` };
  const message = unframed(body);
  if (!message.ok) return { kind: 'error', reason: message.error };
  try {
    return readResponse(CheckResponse.decode(message.value));
  } catch (error) {
    return { kind: 'error', reason: `its answer cannot be decoded: ${errorText(error)}` };
  }
}

function unframed(body: Buffer): Result<Buffer, string> {
  if (body.length < FRAME_HEADER_BYTES || body.length !== FRAME_HEADER_BYTES + body.readUInt32BE(1)) {
    return fail('its answer is not one message');
  }
  return body[0] === 0
    ? ok(body.subarray(FRAME_HEADER_BYTES))
    : fail('its answer is compressed, which nobody asked for');
}

function readResponse({ status, httpResponse }: CheckResponse): Verdict {
  if ((status?.code ?? 0) === 0) {
    const allowed = httpResponse?.$case === 'okResponse' ? httpResponse.okResponse : undefined;
    const request = { edits: editsOf(allowed?.headers ?? [], 'set'), remove: removals(allowed?.headersToRemove ?? []) };
    const response = { edits: editsOf(allowed?.responseHeadersToAdd ?? [], 'append'), remove: [] };
    if (![...request.edits, ...response.edits].every(({ name, value }) => isHeader([name, value]))) return BAD_HEADERS;
    return { kind: 'allow', request, response };
  }
  const denied = httpResponse?.$case === 'deniedResponse' ? httpResponse.deniedResponse : undefined;
  const headers = editsOf(denied?.headers ?? [], 'set').map(({ name, value }): HttpHeader => [name, value]);
  if (!headers.every(isHeader)) return BAD_HEADERS;
  const code = denied?.status?.code ?? 0;
  const isFinal = code >= 200 && code <= 599;
  return { kind: 'deny', status: isFinal ? code : DEFAULT_DENIAL, headers, body: denied?.body ?? '' };
}

const BAD_HEADERS: Verdict = { kind: 'error', reason: 'a header of its answer has forbidden characters' };

/** @param unsaid what is meant where neither of the two fields says it */
function editsOf(options: readonly HeaderValueOption[], unsaid: 'set' | 'append'): HeaderEdit[] {
  return options.flatMap(({ header, append, appendAction }) => {
    const name = header?.key.toLowerCase() ?? '';
    if (header === undefined || name === '' || !isEditable(name)) return [];
    const bytes = header.value === '' ? header.rawValue : header.value;
    const value = Buffer.from(bytes).toString('latin1');
    const asked = appendAction === 0 ? unsaid : (EDITS[appendAction] ?? unsaid);
    const how = append === undefined ? asked : append ? 'append' : 'set';
    return [{ name, value, how }];
  });
}

function removals(names: readonly string[]): string[] {
  return names.map((name) => name.toLowerCase()).filter(isEditable);
}
