/** Where the tokens of a rule are looked for (facts l7-and-control 3.3), and a request without them. */
import type { HttpHeader } from '../http/http-stream.ts';
import type { JwtRuleObject, TokenHeader } from '../model/manifest/request-authentication.ts';
import { paramValues, withoutParams } from './query-params.ts';

export interface TokenPlaces {
  readonly headers: readonly TokenHeader[];
  readonly params: readonly string[];
  readonly cookies: readonly string[];
}

/** What is looked at of a request. */
export interface TokenRequest {
  readonly headers: readonly HttpHeader[];
  /** With the query. */
  readonly target: string;
}

export interface FoundToken {
  readonly text: string;
  /** The header that holds it; a cookie's is not named, it stays. */
  readonly header: string | undefined;
  readonly param: string | undefined;
}

const DEFAULT_PLACES: TokenPlaces = {
  headers: [{ name: 'authorization', prefix: 'Bearer ' }],
  params: ['access_token'],
  cookies: [],
};

export function placesOf({ fromHeaders, fromParams, fromCookies }: JwtRuleObject): TokenPlaces {
  if (fromHeaders.length + fromParams.length + fromCookies.length === 0) return DEFAULT_PLACES;
  return { headers: fromHeaders, params: fromParams, cookies: fromCookies };
}

/** Everything that stands where a token may be, be it one or not. */
export function findTokens({ headers, params, cookies }: TokenPlaces, request: TokenRequest): FoundToken[] {
  const found: FoundToken[] = [];
  for (const { name, prefix } of headers) {
    for (const [own, value] of request.headers) {
      if (own !== name || !value.startsWith(prefix)) continue;
      found.push({ text: value.slice(prefix.length).trim(), header: name, param: undefined });
    }
  }
  for (const name of params) {
    for (const text of paramValues(request.target, name)) found.push({ text, header: undefined, param: name });
  }
  for (const name of cookies) {
    for (const text of cookieValues(request.headers, name)) found.push({ text, header: undefined, param: undefined });
  }
  return found;
}

/** The request as it goes on when nobody behind shall see the tokens. */
export function withoutTokens({ headers, target }: TokenRequest, tokens: readonly FoundToken[]): TokenRequest {
  const names = new Set(tokens.map(({ header }) => header));
  const params = tokens.map(({ param }) => param).filter((param) => param !== undefined);
  return { headers: headers.filter(([name]) => !names.has(name)), target: withoutParams(target, params) };
}

function cookieValues(headers: readonly HttpHeader[], name: string): string[] {
  return headers
    .filter(([own]) => own === 'cookie')
    .flatMap(([, value]) => value.split(';'))
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1).replace(/^"(.*)"$/, '$1'));
}
