/** Answers to browsers that ask across origins (facts l7-and-control 1.2 corsPolicy, 4.4 CORS). */
import type { HttpHeader } from '../http/http-stream.ts';
import type { Cors } from '../proto/gen/ambit.ts';
import { compileStringMatch } from './compile-match.ts';
import { RegexPool } from './regex-pool.ts';
import type { RoutedRequest } from './routed-request.ts';

export type CorsDecision =
  /** No request across origins, or none that is allowed: it goes on as it is. */
  | { readonly kind: 'none' }
  /** A preflight: answered with 200 and these headers. */
  | { readonly kind: 'answer'; readonly headers: readonly HttpHeader[] }
  /** Goes on; the response gets these headers in place of its own of the same names. */
  | { readonly kind: 'mark'; readonly headers: readonly HttpHeader[] };

export type CorsCheck = (request: RoutedRequest) => CorsDecision;

const NONE: CorsDecision = { kind: 'none' };

/** @throws Error for a regular expression that RE2 or the pool does not take */
export function compileCors(cors: Cors, pool = new RegexPool()): CorsCheck {
  const tests = cors.allowOrigins.map((origin) => {
    const isAny = origin.kind?.$case === 'exact' && origin.kind.exact === '*';
    return isAny ? () => true : compileStringMatch(origin, pool);
  });
  return (request) => {
    const origin = request.header('origin');
    if (origin === undefined) return NONE;
    const isPreflight = request.method === 'OPTIONS' && request.header('access-control-request-method') !== undefined;
    if (!tests.some((test) => test(origin, request.regexBudget))) {
      return isPreflight && cors.answerUnmatchedPreflights ? { kind: 'answer', headers: [] } : NONE;
    }
    const allowed: HttpHeader[] = [['access-control-allow-origin', origin]];
    if (cors.allowCredentials) allowed.push(['access-control-allow-credentials', 'true']);
    if (isPreflight) return { kind: 'answer', headers: [...allowed, ...preflightHeaders(cors)] };
    return { kind: 'mark', headers: [...allowed, ...listed('access-control-expose-headers', cors.exposeHeaders)] };
  };
}

function preflightHeaders(cors: Cors): HttpHeader[] {
  const maxAge: HttpHeader[] = cors.maxAgeSec > 0 ? [['access-control-max-age', String(cors.maxAgeSec)]] : [];
  return [
    ...listed('access-control-allow-methods', cors.allowMethods),
    ...listed('access-control-allow-headers', cors.allowHeaders),
    ...maxAge,
  ];
}

function listed(name: string, values: readonly string[]): HttpHeader[] {
  return values.length === 0 ? [] : [[name, values.join(',')]];
}
