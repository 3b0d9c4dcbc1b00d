/** What of a request decides where it belongs, for consistent hashing (facts l7-and-control 2.2). */
import { cookieValue, setCookieText } from '../http/cookies.ts';
import type { HashCookie, HashPolicy } from '../proto/gen/ambit.ts';

export interface HashedRequest {
  /** The value of a header, name in lower case; all values joined where there are several. */
  header(name: string): string | undefined;
  /** With its query. */
  readonly path: string;
  readonly sourceIp: string;
}

export interface HashKey {
  /** Undefined where the request does not have what is hashed. */
  readonly key: string | undefined;
  /** The value of a `set-cookie` header for the response; undefined where the client needs none. */
  readonly setCookie: string | undefined;
}

const NO_KEY: HashKey = { key: undefined, setCookie: undefined };

/** @param newValue makes the value of a cookie for a client that has none: hexadecimal digits */
export function hashKeyOf(policy: HashPolicy | undefined, request: HashedRequest, newValue: () => string): HashKey {
  const key = policy?.key;
  switch (key?.$case) {
    case 'header':
      return plain(request.header(key.header.toLowerCase()));
    case 'sourceIp':
      return key.sourceIp ? plain(request.sourceIp) : NO_KEY;
    case 'queryParameter':
      return plain(queryParameter(request.path, key.queryParameter));
    case 'cookie':
      return ofCookie(key.cookie, request, newValue);
    case undefined:
      return NO_KEY;
  }
}

function plain(key: string | undefined): HashKey {
  return { key, setCookie: undefined };
}

function queryParameter(path: string, name: string): string | undefined {
  const question = path.indexOf('?');
  if (question < 0) return undefined;
  return new URLSearchParams(path.slice(question + 1)).get(name) ?? undefined;
}

function ofCookie(cookie: HashCookie, request: HashedRequest, newValue: () => string): HashKey {
  const sent = cookieValue(request.header('cookie') ?? '', cookie.name);
  if (sent !== undefined && sent !== '') return plain(sent);
  if (!cookie.generate) return NO_KEY;
  const key = newValue();
  return { key, setCookie: cookieText(cookie, key) };
}

function cookieText({ name, path, ttlSec, attributes }: HashCookie, value: string): string {
  const more = attributes.map((attribute) =>
    attribute.value === '' ? attribute.name : `${attribute.name}=${attribute.value}`,
  );
  return setCookieText({ name, value, path, maxAgeSec: ttlSec, attributes: more });
}
