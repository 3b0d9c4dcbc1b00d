/**
 * Changes of headers for the feed (facts l7-and-control 1.2). Values without operators go as plain text; what waypoints
 * cannot fill in is left out, as its text would be wrong; where it was to be set, the client's own goes too.
 */
import { compileFormat } from '../../../format/compile-format.ts';
import { isConnectionHeader } from '../../../model/connection-headers.ts';
import type { HeaderChangesSpec, HeadersSpec } from '../../../model/manifest/virtual-service-spec.ts';
import type { HeaderChanges, HeaderValue } from '../../../proto/gen/ambit.ts';

export interface RuleHeaders {
  readonly request: HeaderChanges | undefined;
  readonly response: HeaderChanges | undefined;
  /** What the host is rewritten to; '' for nothing. */
  readonly authority: string;
}

/** A header that is left out, and why. */
export interface UnsupportedHeader {
  readonly name: string;
  readonly reason: string;
}

export function buildHeaders({ request, response }: HeadersSpec = {}): RuleHeaders {
  return {
    request: request && headerChanges(request),
    response: response && headerChanges(response),
    authority: authorityIn(request?.set) || authorityIn(request?.add),
  };
}

/** Headers that are left out because of their value, or because nobody but the two ends of a connection changes them. */
export function unsupportedHeaders({ request, response }: HeadersSpec = {}): UnsupportedHeader[] {
  const maps = [request?.set, request?.add, response?.set, response?.add];
  const removed = [...(request?.remove ?? []), ...(response?.remove ?? [])];
  const untouched = [...maps.flatMap((values = {}) => Object.keys(values)), ...removed].filter(isUntouchable);
  const ownByConnection = untouched.map((name) => ({ name, reason: 'it belongs to the connection' }));
  const unfilled = maps.flatMap((values = {}) =>
    Object.entries(values).flatMap(([name, value]) => {
      const format = compileFormat(value);
      if (!format.ok) return [{ name, reason: `its value ${format.error.reason}` }];
      const isFilledHost = isAuthority(name) && format.value.literal === undefined;
      return isFilledHost
        ? [{ name, reason: 'its value has an operator, which the host of a request cannot have' }]
        : [];
    }),
  );
  return [...ownByConnection, ...unfilled];
}

function headerChanges({ set, add, remove = [] }: HeaderChangesSpec): HeaderChanges {
  const unfilled = Object.entries(set ?? {}).flatMap(([name, value]) => (compileFormat(value).ok ? [] : [name]));
  const removed = [...remove, ...unfilled].map((name) => name.toLowerCase());
  return { set: headerValues(set), add: headerValues(add), remove: removed };
}

function headerValues(values: Readonly<Record<string, string>> = {}): HeaderValue[] {
  return Object.entries(values).flatMap(([written, value]) => {
    const format = compileFormat(value);
    if (!format.ok || isAuthority(written)) return [];
    const name = written.toLowerCase();
    const { literal } = format.value;
    return [literal === undefined ? { name, value, isFormat: true } : { name, value: literal }];
  });
}

function authorityIn(values: Readonly<Record<string, string>> = {}): string {
  const found = Object.entries(values).find(([name]) => isAuthority(name));
  const format = found && compileFormat(found[1]);
  return format?.ok === true ? (format.value.literal ?? '') : '';
}

function isUntouchable(name: string): boolean {
  return !isAuthority(name) && isConnectionHeader(name.toLowerCase());
}

function isAuthority(name: string): boolean {
  const lower = name.toLowerCase();
  return lower === 'host' || lower === ':authority';
}
