/** Writes heads: pseudo-headers become the start line and Host, framing and Connection are added (RFC 9112 3, 4, 6). */
import type { HttpHeader } from '../http/http-stream.ts';
import { HeadParts } from './head-parts.ts';
import type { BodyKind, RequestContext } from './message-head.ts';

/** A head as it goes out, and how its body has to be written. */
export interface WrittenHead {
  readonly text: string;
  readonly body: BodyKind;
  /** Of a body with `length`. */
  readonly contentBytes: number;
  /** 0 for requests. */
  readonly status: number;
  readonly method: string;
  readonly upgrade: boolean;
}

const REASONS: Readonly<Record<string, string>> = {
  100: 'Continue',
  101: 'Switching Protocols',
  103: 'Early Hints',
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  204: 'No Content',
  206: 'Partial Content',
  301: 'Moved Permanently',
  302: 'Found',
  303: 'See Other',
  304: 'Not Modified',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  413: 'Content Too Large',
  414: 'URI Too Long',
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  426: 'Upgrade Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
};
/** Methods whose requests have a body as a rule: without one they say so (RFC 9110 8.6). */
const BODY_METHODS = new Set(['POST', 'PUT', 'PATCH']);

function requestFraming(body: BodyKind, contentBytes: number, method: string): string {
  if (body === 'chunked') return 'transfer-encoding: chunked\r\n';
  if (method === 'CONNECT') return '';
  return contentBytes >= 0 || BODY_METHODS.has(method) ? `content-length: ${Math.max(0, contentBytes)}\r\n` : '';
}

function isPath(path: string, method: string): boolean {
  return path.startsWith('/') || (path === '*' && method === 'OPTIONS');
}

/** Writes the head of a request. Returns a diagnosis when the headers make none. */
export function writeRequestHead(headers: readonly HttpHeader[], endStream: boolean): WrittenHead | string {
  const parts = new HeadParts(headers);
  const { problem, method, authority, path } = parts;
  if (problem !== undefined) return problem;
  const connect = method === 'CONNECT';
  const target = connect ? authority : path;
  if (method === '' || target === undefined || target === '') return 'a request lacks its method or target';
  if (authority === undefined) return 'a request lacks its authority';
  if (!connect && !isPath(path, method)) return 'the path is no path';
  const upgrade = parts.upgrade !== undefined && endStream ? parts.upgrade : undefined;
  const contentBytes = connect ? 0 : Math.max(0, parts.contentBytes);
  if (endStream && contentBytes > 0) return 'content-length of a request without a body';
  const body = connect || endStream ? 'none' : parts.contentBytes >= 0 ? 'length' : 'chunked';
  let text = `${method} ${target} HTTP/1.1\r\nhost: ${authority}\r\n${parts.fields}`;
  text += requestFraming(body, parts.contentBytes, method);
  text += upgrade === undefined ? '\r\n' : `connection: upgrade\r\nupgrade: ${upgrade}\r\n\r\n`;
  return { text, body, contentBytes, status: 0, method, upgrade: upgrade !== undefined };
}

/** What a response answers, and on which connection. */
export interface ResponseContext extends RequestContext {
  readonly minorVersion: 0 | 1;
  readonly close: boolean;
}

/** Writes the head of a response. Returns a diagnosis when the headers make none. */
export function writeResponseHead(
  headers: readonly HttpHeader[],
  endStream: boolean,
  context: ResponseContext,
): WrittenHead | string {
  const parts = new HeadParts(headers);
  const { problem, status } = parts;
  if (problem !== undefined) return problem;
  if (status === '') return 'a response lacks its status';
  const code = Number(status);
  const line = `HTTP/1.1 ${status} ${REASONS[status] ?? ''}\r\n${parts.fields}`;
  const known = { status: code, method: context.method };
  if (code === 101) {
    if (!context.upgrade || parts.upgrade === undefined || endStream) return 'a 101 response without an upgrade';
    const text = `${line}connection: upgrade\r\nupgrade: ${parts.upgrade}\r\n\r\n`;
    return { ...known, text, body: 'tunnel', contentBytes: 0, upgrade: true };
  }
  if (code < 200) {
    return endStream
      ? 'an interim response ends the stream'
      : { ...known, text: `${line}\r\n`, body: 'none', contentBytes: 0, upgrade: false };
  }
  if (context.method === 'CONNECT' && code < 300) {
    return { ...known, text: `${line}\r\n`, body: 'tunnel', contentBytes: 0, upgrade: false };
  }
  const body = responseBody(code, parts.contentBytes, endStream, context);
  if (endStream && body === 'length' && parts.contentBytes > 0) return 'content-length of a response without a body';
  let text = line;
  if (parts.upgrade !== undefined && code === 426) text += `upgrade: ${parts.upgrade}\r\n`;
  text += framing(code, parts.contentBytes, body, endStream, context.method);
  text += connection(context, body, code === 426 && parts.upgrade !== undefined);
  return { ...known, text, body, contentBytes: Math.max(0, parts.contentBytes), upgrade: false };
}

/** RFC 9112 6.3 from the sender's side. */
function responseBody(code: number, contentBytes: number, endStream: boolean, context: ResponseContext): BodyKind {
  if (context.method === 'HEAD' || code === 204 || code === 304) return 'none';
  if (contentBytes >= 0) return 'length';
  if (endStream) return 'none';
  return context.minorVersion === 1 ? 'chunked' : 'close';
}

function framing(code: number, contentBytes: number, body: BodyKind, endStream: boolean, method: string): string {
  if (code === 204) return '';
  if (contentBytes >= 0) return `content-length: ${contentBytes}\r\n`;
  if (body === 'chunked') return 'transfer-encoding: chunked\r\n';
  return endStream && method !== 'HEAD' && code !== 304 ? 'content-length: 0\r\n' : '';
}

function connection({ close, minorVersion }: ResponseContext, body: BodyKind, upgrade: boolean): string {
  if (close || body === 'close') return 'connection: close\r\n\r\n';
  if (upgrade) return 'connection: upgrade\r\n\r\n';
  return minorVersion === 0 ? 'connection: keep-alive\r\n\r\n' : '\r\n';
}
