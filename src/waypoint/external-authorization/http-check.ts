/**
 * Asking an external authorizer by HTTP: the request itself, without what was not listed, under a prefix of its path;
 * 200 allows, what is not 5xx is the client's answer (facts l7-and-control 6.6).
 */
import type { HttpHeader } from '../../http/http-stream.ts';
import type { HttpCheck } from '../../proto/gen/ambit.ts';
import { type CheckedRequest, PARTIAL_BODY_HEADER } from './checked-request.ts';
import { isEditable, replacing } from './header-edits.ts';
import { compileHeaderNames } from './header-names.ts';
import type { ProviderAnswer, ProviderQuestion, Verdict } from './verdict.ts';

/** How one authorizer is asked. */
export interface HttpChecker {
  question(request: CheckedRequest): ProviderQuestion;
  verdict(answer: ProviderAnswer): Verdict;
}

/** Sent whether or not they are listed. */
const ALWAYS_SENT = ['authorization'];
/** Clients get these of a refusal whatever else is listed. */
const ALWAYS_RETURNED = ['location', 'www-authenticate'];
/** These speak of the authorizer, not of its answer. */
const NEVER_RETURNED: ReadonlySet<string> = new Set(['server', 'x-envoy-upstream-service-time']);
const NOT_ASKED_WITH: ReadonlySet<string> = new Set(['expect', PARTIAL_BODY_HEADER]);
const NO_BODY = Buffer.alloc(0);

export function compileHttpCheck(check: HttpCheck): HttpChecker {
  const isSent = compileHeaderNames([...ALWAYS_SENT, ...check.requestHeaders]);
  const additional = check.additionalHeaders.map(({ name, value }): HttpHeader => [name, value]);
  const overridden = new Set(additional.map(([name]) => name));
  const goesUp = compileHeaderNames(check.toUpstreamOnAllow);
  const goesDown = compileHeaderNames(check.toDownstreamOnAllow);
  const isReturned = denialFilter(check.toDownstreamOnDeny);
  return {
    question: (request) => {
      const sent = request.headers.filter(
        ([name]) => isSent(name) && isEditable(name) && !NOT_ASKED_WITH.has(name) && !overridden.has(name),
      );
      return question(request, check.pathPrefix, [...sent, ...additional.filter(([name]) => isEditable(name))]);
    },
    verdict: (answer) => verdict(answer, { goesUp, goesDown, isReturned }),
  };
}

function question(request: CheckedRequest, pathPrefix: string, fields: readonly HttpHeader[]): ProviderQuestion {
  const { method, scheme, authority, target } = request;
  const body = request.body?.bytes ?? NO_BODY;
  const headers: HttpHeader[] = [
    [':method', method],
    [':scheme', scheme],
    [':authority', authority],
    [':path', pathPrefix + target],
    ['content-length', String(body.length)],
    ...fields,
  ];
  if (request.body !== undefined) headers.push([PARTIAL_BODY_HEADER, String(request.body.partial)]);
  return { headers, body };
}

interface AnswerFilters {
  goesUp(name: string): boolean;
  goesDown(name: string): boolean;
  isReturned(name: string): boolean;
}

function verdict({ status, headers, body }: ProviderAnswer, filters: AnswerFilters): Verdict {
  if (status >= 500) return { kind: 'error', reason: `it answered with ${status}` };
  const fields = headers.filter(([name]) => isEditable(name));
  if (status !== 200) {
    return { kind: 'deny', status, headers: fields.filter(([name]) => filters.isReturned(name)), body };
  }
  const chosen = (isChosen: (name: string) => boolean) => ({
    edits: replacing(fields.filter(([name]) => isChosen(name))),
    remove: [],
  });
  return { kind: 'allow', request: chosen(filters.goesUp), response: chosen(filters.goesDown) };
}

function denialFilter(listed: readonly string[]): (name: string) => boolean {
  if (listed.length === 0) return (name) => !NEVER_RETURNED.has(name);
  return compileHeaderNames([...ALWAYS_RETURNED, ...listed]);
}
