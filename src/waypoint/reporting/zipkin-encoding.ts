/** Spans in Zipkin's JSON, version 2 (facts l7-and-control 8.1). */
import { isIPv4 } from 'node:net';
import type { FinishedSpan, SpanSource } from './finished-span.ts';

const US_PER_MS = 1000;

/** A list of spans. */
export function encodeZipkin(spans: readonly FinishedSpan[], source: SpanSource): Buffer {
  const localEndpoint = { serviceName: source.serviceName, ...ipOf(source.ip) };
  return Buffer.from(
    JSON.stringify(
      spans.map((span) => ({
        traceId: span.traceId,
        id: span.spanId,
        ...(span.parentId === undefined ? {} : { parentId: span.parentId }),
        kind: 'SERVER',
        name: span.name,
        timestamp: Math.round(span.startMs * US_PER_MS),
        // Zipkin takes 0 for unknown.
        duration: Math.max(1, Math.round(span.durationMs * US_PER_MS)),
        localEndpoint,
        remoteEndpoint: remote(span.clientAddress),
        tags: Object.fromEntries(span.tags),
      })),
    ),
  );
}

function remote(address: string) {
  const colon = address.lastIndexOf(':');
  return { ...ipOf(address.slice(0, colon).replace(/^\[(.*)\]$/, '$1')), port: Number(address.slice(colon + 1)) };
}

function ipOf(ip: string) {
  return isIPv4(ip) ? { ipv4: ip } : { ipv6: ip };
}
