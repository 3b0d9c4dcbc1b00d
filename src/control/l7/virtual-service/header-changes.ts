/**
 * Changes of headers for the feed (facts l7-and-control 1.2).
 *
 * Values on the feed are plain text. In a VirtualService they have the format of Envoy, in which `%%` is a percent sign
 * and `%NAME%` is filled in for each request. Of these only the address of the client is passed on, for the waypoint to
 * fill in; a header with any other is left out, as its text would be wrong. (`%%NAME%%` for the literal text of such an
 * operator is therefore not possible.)
 */
import type { HeaderChangesSpec, HeadersSpec } from '../../../model/manifest/virtual-service-spec.ts';
import type { HeaderChanges, HeaderValue } from '../../../proto/gen/ambit.ts';

const OPERATOR = /%%|%([A-Z_0-9]+)(?:\([^()]*\))?(?::\d+)?%/g;
const KNOWN_OPERATORS: ReadonlySet<string> = new Set([
  '%DOWNSTREAM_REMOTE_ADDRESS%',
  '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%',
]);

export interface RuleHeaders {
  readonly request: HeaderChanges | undefined;
  readonly response: HeaderChanges | undefined;
  /** What the host is rewritten to; '' for nothing. */
  readonly authority: string;
}

export function buildHeaders({ request, response }: HeadersSpec = {}): RuleHeaders {
  return {
    request: request && headerChanges(request),
    response: response && headerChanges(response),
    authority: authorityIn(request?.set) || authorityIn(request?.add),
  };
}

/** Names of headers that are left out because of their value. */
export function unsupportedHeaders({ request, response }: HeadersSpec = {}): string[] {
  const maps = [request?.set, request?.add, response?.set, response?.add];
  return maps.flatMap((values = {}) =>
    Object.keys(values).filter((name) => plainText(values[name] ?? '') === undefined),
  );
}

function headerChanges({ set, add, remove = [] }: HeaderChangesSpec): HeaderChanges {
  return { set: headerValues(set), add: headerValues(add), remove: remove.map((name) => name.toLowerCase()) };
}

function headerValues(values: Readonly<Record<string, string>> = {}): HeaderValue[] {
  return Object.entries(values).flatMap(([name, written]) => {
    const value = plainText(written);
    return value === undefined || isAuthority(name) ? [] : [{ name: name.toLowerCase(), value }];
  });
}

function authorityIn(values: Readonly<Record<string, string>> = {}): string {
  const found = Object.entries(values).find(([name]) => isAuthority(name));
  return (found && plainText(found[1])) ?? '';
}

/** Undefined when the value needs something that waypoints cannot fill in. */
function plainText(value: string): string | undefined {
  let isPlain = true;
  const text = value.replace(OPERATOR, (found) => {
    if (found === '%%') return '%';
    isPlain &&= KNOWN_OPERATORS.has(found);
    return found;
  });
  return isPlain ? text : undefined;
}

function isAuthority(name: string): boolean {
  const lower = name.toLowerCase();
  return lower === 'host' || lower === ':authority';
}
