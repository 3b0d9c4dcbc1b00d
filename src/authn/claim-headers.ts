/** What a rule writes of a verified token into the request (facts l7-and-control 3.3). */
import type { HttpHeader } from '../http/http-stream.ts';
import type { JwtRule } from './jwt-rule.ts';
import type { Claims } from './read-token.ts';
import type { VerifiedToken } from './verify-token.ts';

/** Header fields with the payload and with claims; a claim that is absent, or cannot be in a header, has none. */
export function claimHeaders(rule: JwtRule, { written, payload }: VerifiedToken): HttpHeader[] {
  const headers: HttpHeader[] = rule.payloadHeader === '' ? [] : [[rule.payloadHeader, payload]];
  for (const { header, claim } of rule.claimHeaders) {
    const value = fieldValue(claimOf(written, claim));
    if (value !== undefined) headers.push([header, value]);
  }
  return headers;
}

function claimOf(claims: Claims, path: string): unknown {
  let value: unknown = claims;
  for (const name of path.split('.')) {
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    value = isObject && Object.hasOwn(value as object, name) ? (value as Claims)[name] : undefined;
  }
  return value;
}

/** As bytes of UTF-8; objects and lists as JSON. */
function fieldValue(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return hasControls(text) ? undefined : Buffer.from(text, 'utf8').toString('latin1').trim();
}

/** A line end in a claim would begin another header. */
function hasControls(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || code === 0x7f) return true;
  }
  return false;
}
