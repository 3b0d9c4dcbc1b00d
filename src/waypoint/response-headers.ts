/** What becomes of the headers of a response on its way to the client: what routes, CORS and checks change of them. */
import type { HttpHeader } from '../http/http-stream.ts';
import type { ContextOf, HeaderChange } from '../routing/header-changes.ts';
import { applyEdits, type HeaderEdits } from './external-authorization/header-edits.ts';

/** What the waypoint says of itself, in place of what an endpoint says. */
const SERVER: HttpHeader = ['server', 'istio-envoy'];
const SERVICE_TIME = 'x-envoy-upstream-service-time';

export class ResponseHeaders {
  /** In their order; undefined for none. */
  #changes: HeaderChange[] | undefined;
  /** What an external check adds and removes, behind all else. */
  edits: HeaderEdits | undefined;

  add(change: HeaderChange | undefined): void {
    if (change === undefined) return;
    this.#changes ??= [];
    this.#changes.push(change);
  }

  /** The headers as the client gets them. @param contextOf what values are filled in from */
  change(headers: readonly HttpHeader[], contextOf: ContextOf): readonly HttpHeader[] {
    let changed = headers;
    if (this.#changes !== undefined) for (const change of this.#changes) changed = change(changed, contextOf);
    return this.edits === undefined ? changed : applyEdits(changed, this.edits);
  }
}

/** The headers of an endpoint, with what the waypoint says itself. @param tookMs until they came */
export function endpointAnswer(headers: readonly HttpHeader[], tookMs: number): readonly HttpHeader[] {
  const answer: HttpHeader[] = [];
  for (const header of headers) if (header[0] !== 'server' && header[0] !== SERVICE_TIME) answer.push(header);
  answer.push([SERVICE_TIME, String(Math.round(tookMs))], SERVER);
  return answer;
}

/** These headers in place of those of the same names. */
export function replacing(headers: readonly HttpHeader[]): HeaderChange {
  const names = new Set(headers.map(([name]) => name));
  return (own) => [...own.filter(([name]) => !names.has(name)), ...headers];
}
