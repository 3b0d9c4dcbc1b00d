/** Requests of gRPC-Web, and what they are as gRPC (facts l7-and-control 10.1; gRPC-Web protocol; Envoy's grpc_web filter). */
import type { HttpHeader } from '../../http/http-stream.ts';

export interface GrpcWebRequest {
  /** As gRPC has them. */
  readonly headers: readonly HttpHeader[];
  /** Whether the body is base64. */
  readonly isText: boolean;
  /** Whether the client wants the answer in base64. */
  readonly wantsText: boolean;
}

/** By content type: whether it is base64, and the same as gRPC. */
const TYPES: ReadonlyMap<string, { readonly isText: boolean; readonly grpc: string }> = new Map([
  ['application/grpc-web', { isText: false, grpc: 'application/grpc' }],
  ['application/grpc-web+proto', { isText: false, grpc: 'application/grpc+proto' }],
  ['application/grpc-web-text', { isText: true, grpc: 'application/grpc' }],
  ['application/grpc-web-text+proto', { isText: true, grpc: 'application/grpc+proto' }],
]);
/** Nearly all requests are something else. */
const SOME_TYPE = /^\s*application\/grpc-web/i;
/** What is told anew: the length is another one for base64. */
const REPLACED: ReadonlySet<string> = new Set(['content-type', 'content-length', 'te']);

/** Undefined for every other request. */
export function grpcWebRequest(headers: readonly HttpHeader[]): GrpcWebRequest | undefined {
  const written = headerOf(headers, 'content-type');
  const type = SOME_TYPE.test(written) ? TYPES.get(mediaType(written)) : undefined;
  if (type === undefined) return undefined;
  const kept = headers.filter(([name]) => !REPLACED.has(name));
  return {
    headers: [...kept, ['content-type', type.grpc], ['te', 'trailers']],
    isText: type.isText,
    wantsText: wantsText(headerOf(headers, 'accept'), type.isText),
  };
}

/** Who names neither form gets the one that he sent. */
function wantsText(accept: string, isText: boolean): boolean {
  const named = accept.split(',').map((entry) => TYPES.get(mediaType(entry)));
  return named.find((type) => type !== undefined)?.isText ?? isText;
}

function mediaType(value: string): string {
  return (value.split(';', 1)[0] ?? '').trim().toLowerCase();
}

function headerOf(headers: readonly HttpHeader[], wanted: string): string {
  return headers.find(([name]) => name === wanted)?.[1] ?? '';
}
