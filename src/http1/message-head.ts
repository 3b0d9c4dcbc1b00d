/** Heads of requests and responses: start line, fields, and what they say of the body (RFC 9112 3, 4, 6). */
import type { HttpHeader } from '../http/http-stream.ts';
import { CLASSES, CR, DIGIT, LF, SPACE, TARGET, TOKEN, VALUE } from './chars.ts';
import { readFields } from './field-lines.ts';
import { fault, type Http1Fault, malformed } from './http1-fault.ts';
import { type Http1Limits, MAX_METHOD_BYTES } from './limits.ts';
import { MessageFields } from './message-fields.ts';
import { isHost, parseTarget, type RequestTarget } from './target.ts';

/** How the body of a message is delimited. `tunnel`: it has none, and what follows is no HTTP. */
export type BodyKind = 'none' | 'length' | 'chunked' | 'close' | 'tunnel';

export interface MessageHead {
  /** As `HttpStream` has them: pseudo-headers first. */
  readonly headers: readonly HttpHeader[];
  /** Empty for responses. */
  readonly method: string;
  /** 0 for requests. */
  readonly status: number;
  /** HTTP/1.0 or HTTP/1.1. */
  readonly minorVersion: 0 | 1;
  readonly body: BodyKind;
  /** Of a body with `length`. */
  readonly contentBytes: number;
  /** Whether the connection lasts after this exchange, as far as the peer is concerned. */
  readonly keepAlive: boolean;
  readonly upgrade: boolean;
  readonly expectsContinue: boolean;
}

/** What the request was that a response answers. */
export interface RequestContext {
  readonly method: string;
  readonly upgrade: boolean;
}

const NO_HEADER: HttpHeader = ['', ''];
const VERSION_BYTES = 8;

/** Reads the head of a request in `bytes` from `start` to `end`, where its empty line ends. */
export function parseRequestHead(
  bytes: Buffer,
  start: number,
  end: number,
  scheme: string,
  limits: Http1Limits,
): MessageHead | Http1Fault {
  const text = bytes.toString('latin1', start, end);
  let at = start;
  while (((CLASSES[bytes[at] ?? 0] ?? 0) & TOKEN) !== 0) at += 1;
  if (at === start || bytes[at] !== SPACE) return malformed('the request line does not begin with a method');
  if (at - start > MAX_METHOD_BYTES) return fault(501, 'the method is not known');
  const method = text.slice(0, at - start);
  const targetStart = at + 1;
  at = targetStart;
  while (((CLASSES[bytes[at] ?? 0] ?? 0) & TARGET) !== 0) at += 1;
  if (at === targetStart || bytes[at] !== SPACE) return malformed('the request line has no valid target');
  const minor = minorVersion(bytes, at + 1);
  const lineEnd = at + 1 + VERSION_BYTES;
  if (minor < -1 || bytes[lineEnd] !== CR || bytes[lineEnd + 1] !== LF) {
    return malformed('the request line does not end with a version');
  }
  if (lineEnd - start > limits.startLineBytes) return fault(414, 'the request line is too long');
  if (minor < 0) return fault(505, 'the version is not 1.0 or 1.1');
  const target = parseTarget(method, text.slice(targetStart - start, at - start));
  if (target === undefined) return malformed('the request target has none of the known forms');
  const fields = new MessageFields([[':method', method], NO_HEADER, NO_HEADER, NO_HEADER]);
  const fieldStart = lineEnd + 2;
  const problem = readFields(bytes, fieldStart, end - 2, text.slice(fieldStart - start), limits.fields, fields);
  return problem ?? request(method, target, minor === 0 ? 0 : 1, scheme, fields);
}

function request(
  method: string,
  target: RequestTarget,
  minor: 0 | 1,
  scheme: string,
  fields: MessageFields,
): MessageHead | Http1Fault {
  const { headers, chunked, contentBytes } = fields;
  const problem = requestProblem(method, minor, fields);
  if (problem !== undefined) return problem;
  fields.finish();
  placePseudo(headers, method, target, scheme, fields.host);
  const hasBody = chunked || contentBytes > 0;
  const upgrade = minor === 1 && !hasBody && method !== 'CONNECT' ? fields.upgrade : undefined;
  if (upgrade !== undefined) headers.push(['upgrade', upgrade]);
  return {
    headers,
    method,
    status: 0,
    minorVersion: minor,
    body: chunked ? 'chunked' : contentBytes > 0 ? 'length' : 'none',
    contentBytes: Math.max(0, contentBytes),
    keepAlive: !fields.close && (minor === 1 || fields.keepAlive),
    upgrade: upgrade !== undefined,
    expectsContinue: minor === 1 && hasBody && fields.expectsContinue,
  };
}

/** What is wrong with the fields of a request together (RFC 9112 3.2, 6.1, 6.3). */
function requestProblem(method: string, minor: 0 | 1, fields: MessageFields): Http1Fault | undefined {
  const { host, chunked, contentBytes } = fields;
  if (host === undefined ? minor === 1 : !isHost(host)) return malformed('the request has not exactly one valid Host');
  if (chunked && minor === 0) return malformed('Transfer-Encoding in HTTP/1.0');
  if (chunked && contentBytes >= 0) return malformed('Transfer-Encoding and Content-Length in one request');
  return method === 'CONNECT' && (chunked || contentBytes > 0) ? malformed('CONNECT with a body') : undefined;
}

/** Fills in the four places in front: the authority of the target wins over Host (RFC 9112 3.2.2). */
function placePseudo(
  headers: HttpHeader[],
  method: string,
  target: RequestTarget,
  scheme: string,
  host: string | undefined,
): void {
  const authority = target.authority ?? host;
  if (method === 'CONNECT') {
    headers.splice(1, 3, [':authority', target.authority ?? '']);
    return;
  }
  headers[1] = [':scheme', scheme];
  headers[3] = [':path', target.path];
  if (authority === undefined) headers.splice(2, 1);
  else headers[2] = [':authority', authority];
}

/** Reads the head of a response to `context`. A status line without the space before an empty reason is taken too. */
export function parseResponseHead(
  bytes: Buffer,
  start: number,
  end: number,
  context: RequestContext,
  limits: Http1Limits,
): MessageHead | Http1Fault {
  const text = bytes.toString('latin1', start, end);
  const minor = minorVersion(bytes, start);
  if (minor < 0) return malformed('the status line does not begin with version 1.0 or 1.1');
  const codeStart = start + VERSION_BYTES + 1;
  let at = codeStart;
  while (((CLASSES[bytes[at] ?? 0] ?? 0) & DIGIT) !== 0) at += 1;
  const code = text.slice(codeStart - start, at - start);
  if (bytes[codeStart - 1] !== SPACE || code.length !== 3 || code < '100') {
    return malformed('the status line has no valid status');
  }
  if (bytes[at] === SPACE) while (((CLASSES[bytes[at] ?? 0] ?? 0) & VALUE) !== 0) at += 1;
  if (bytes[at] !== CR || bytes[at + 1] !== LF) return malformed('the status line does not end with a reason');
  if (at - start > limits.startLineBytes) return fault(414, 'the status line is too long');
  const fields = new MessageFields([[':status', code]]);
  const fieldStart = at + 2;
  const problem = readFields(bytes, fieldStart, end - 2, text.slice(fieldStart - start), limits.fields, fields);
  return problem ?? response(Number(code), minor === 0 ? 0 : 1, fields, context);
}

function response(
  status: number,
  minor: 0 | 1,
  fields: MessageFields,
  context: RequestContext,
): MessageHead | Http1Fault {
  const { chunked, contentBytes } = fields;
  if (chunked && minor === 0) return malformed('Transfer-Encoding in HTTP/1.0');
  if (chunked && contentBytes >= 0) return malformed('Transfer-Encoding and Content-Length in one response');
  if (fields.host !== undefined) fields.headers.push(['host', fields.host]);
  fields.finish();
  const { upgrade } = fields;
  if (status === 101 && (!context.upgrade || upgrade === undefined)) return malformed('101 without an upgrade');
  if ((status === 101 || status === 426) && upgrade !== undefined) fields.headers.push(['upgrade', upgrade]);
  const body = responseBody(status, fields, context);
  const bodyless = status < 200 || status === 204 || body === 'tunnel';
  return {
    headers: bodyless ? fields.headers.filter(([name]) => name !== 'content-length') : fields.headers,
    method: '',
    status,
    minorVersion: minor,
    body,
    contentBytes: body === 'length' ? contentBytes : 0,
    keepAlive: body !== 'close' && !fields.close && (minor === 1 || fields.keepAlive),
    upgrade: status === 101,
    expectsContinue: false,
  };
}

/** RFC 9112 6.3. */
function responseBody(status: number, fields: MessageFields, { method }: RequestContext): BodyKind {
  if (status === 101 || (method === 'CONNECT' && status >= 200 && status < 300)) return 'tunnel';
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return 'none';
  if (fields.chunked) return 'chunked';
  if (fields.contentBytes > 0) return 'length';
  return fields.contentBytes === 0 ? 'none' : 'close';
}

/** 0 or 1 for `HTTP/1.0` and `HTTP/1.1` at `at`, -1 for another version, -2 for something else. */
function minorVersion(bytes: Buffer, at: number): number {
  const named =
    bytes[at] === 0x48 &&
    bytes[at + 1] === 0x54 &&
    bytes[at + 2] === 0x54 &&
    bytes[at + 3] === 0x50 &&
    bytes[at + 4] === 0x2f;
  const major = (bytes[at + 5] ?? 0) - 0x30;
  const minor = (bytes[at + 7] ?? 0) - 0x30;
  if (!named || bytes[at + 6] !== 0x2e || major < 0 || major > 9 || minor < 0 || minor > 9) return -2;
  return major === 1 && minor <= 1 ? minor : -1;
}
