/** The conditions of `when` (facts l7-and-control 3.1): an attribute of the subject against values. */
import { type Cidr, cidrContains, type IpAddress, ipToBytes, parseCidrs } from '../model/address.ts';
import type { ConditionObject } from '../model/manifest/authorization-policy.ts';
import { parseServiceAccountMatch, parseStringMatch } from '../model/policy.ts';
import { principalOf, spiffeId } from '../model/spiffe.ts';
import type { RequestSubject, TokenClaims } from './request-subject.ts';
import { globMatches, textMatches } from './string-match.ts';

/** One thing that has to hold. */
export interface Predicate {
  /** Whether it asks for something that only HTTP has. */
  readonly httpOnly: boolean;
  holds(subject: RequestSubject): boolean;
}

/** The values of an attribute; empty when the subject does not have it. */
type Attribute = (subject: RequestSubject) => readonly string[];

/**
 * A restriction by values: some value has to hit, and no negative one may. Without the attribute the positive side is
 * false and the negative side true.
 */
export function restriction<T>(
  values: readonly T[],
  notValues: readonly T[],
  httpOnly: boolean,
  hits: (value: T) => (subject: RequestSubject) => boolean,
): Predicate[] {
  const positive = values.map(hits);
  const negative = notValues.map(hits);
  const predicates: Predicate[] = [];
  if (positive.length > 0) predicates.push({ httpOnly, holds: (subject) => positive.some((hit) => hit(subject)) });
  if (negative.length > 0) predicates.push({ httpOnly, holds: (subject) => !negative.some((hit) => hit(subject)) });
  return predicates;
}

/** Hits when some value of the attribute is as the pattern says. */
export function textHit(attribute: Attribute): (pattern: string) => (subject: RequestSubject) => boolean {
  return (pattern) => {
    const match = parseStringMatch(pattern);
    return (subject) => attribute(subject).some((text) => textMatches(match, text));
  };
}

/** Hits when the address is in the block. */
export function addressHit(
  address: (subject: RequestSubject) => IpAddress | undefined,
): (cidr: Cidr) => (subject: RequestSubject) => boolean {
  return (cidr) => (subject) => {
    const ip = address(subject);
    return ip !== undefined && cidrContains(cidr, ipToBytes(ip));
  };
}

/** Hits by the caller's namespace, in which `*` may stand anywhere. */
export function namespaceHit(pattern: string): (subject: RequestSubject) => boolean {
  return ({ identity }) => identity !== undefined && globMatches(pattern, identity.namespace);
}

export const principal: Attribute = ({ identity }) => (identity === undefined ? [] : [principalOf(spiffeId(identity))]);
export const trustDomain: Attribute = ({ identity }) => (identity === undefined ? [] : [identity.trustDomain]);

/** `<issuer>/<subject>` of a verified token: `*` and a `*` on one side of the last slash stand for any that is not empty. */
export function requestPrincipalHit(pattern: string): (subject: RequestSubject) => boolean {
  const slash = pattern.lastIndexOf('/');
  const [issuerPattern, subjectPattern] = [pattern.slice(0, slash), pattern.slice(slash + 1)];
  return ({ http }) => {
    const issuer = textClaim(http?.token, 'iss');
    const subject = textClaim(http?.token, 'sub');
    if (issuer === '' || subject === '') return false;
    if (pattern === '*') return true;
    if (slash >= 0 && subjectPattern === '*') return issuer === issuerPattern || issuerPattern === '*';
    if (slash >= 0 && issuerPattern === '*') return subject === subjectPattern;
    return textMatches(parseStringMatch(pattern), `${issuer}/${subject}`);
  };
}

function textClaim(token: TokenClaims | undefined, name: string): string {
  const value = token?.[name];
  return typeof value === 'string' ? value : '';
}

const HEADER = /^request\.headers\[(.+)\]$/;
const CLAIM = /^request\.auth\.claims((?:\[[^[\]]+\])+)$/;

/** The predicates of a condition. A key that this proxy cannot check holds for nobody: `undefined`. */
export function conditionPredicates(condition: ConditionObject, policyNamespace: string): Predicate[] | undefined {
  const { key, values, notValues } = condition;
  const texts = (attribute: Attribute, httpOnly: boolean) =>
    restriction(values, notValues, httpOnly, textHit(attribute));
  const addresses = (address: (subject: RequestSubject) => IpAddress | undefined, httpOnly: boolean) =>
    restriction(parseCidrs(values), parseCidrs(notValues), httpOnly, addressHit(address));
  switch (key) {
    case 'source.ip':
      return addresses(({ sourceIp }) => sourceIp, false);
    case 'remote.ip':
      return addresses(({ remoteIp }) => remoteIp, true);
    case 'destination.ip':
      return addresses(({ destinationIp }) => destinationIp, false);
    case 'destination.port':
      return restriction(values, notValues, false, (value) => (subject) => String(subject.destinationPort) === value);
    case 'source.principal':
      return texts(principal, false);
    case 'source.namespace':
      return restriction(values, notValues, false, namespaceHit);
    case 'source.serviceAccount':
      return restriction(values, notValues, false, serviceAccountHit(policyNamespace));
    case 'source.trustDomain':
      return texts(trustDomain, false);
    case 'connection.sni':
      return texts(({ sni }) => (sni === undefined ? [] : [sni]), false);
    case 'request.auth.principal':
      return restriction(values, notValues, true, requestPrincipalHit);
    case 'request.auth.audiences':
      return texts(claim(['aud']), true);
    case 'request.auth.presenter':
      return texts(claim(['azp']), true);
  }
  return headerOrClaim(key, texts);
}

function headerOrClaim(
  key: string,
  texts: (attribute: Attribute, httpOnly: boolean) => Predicate[],
): Predicate[] | undefined {
  const header = HEADER.exec(key)?.[1]?.toLowerCase();
  if (header !== undefined) {
    return texts(({ http }) => (http === undefined ? [] : readings(http.headerValues(header), header)), true);
  }
  const path = CLAIM.exec(key)?.[1];
  return path === undefined ? undefined : texts(claim(path.slice(1, -1).split('][')), true);
}

/**
 * The texts that endpoints may read of a header: each field's own, as some look at one of several only, and all of them
 * combined (RFC 9110 5.3). Cookies that HTTP/2 sends apart are one field (RFC 9113 8.2.3).
 */
function readings(values: readonly string[], name: string): readonly string[] {
  if (values.length < 2) return values;
  return name === 'cookie' ? [values.join('; ')] : [...values, values.join(',')];
}

/** A claim by its path: a text, or the texts of a list. */
function claim(path: readonly string[]): Attribute {
  return ({ http }) => {
    let value: unknown = http?.token;
    for (const name of path) {
      const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
      value = isObject && Object.hasOwn(value as object, name) ? (value as TokenClaims)[name] : undefined;
    }
    const list: readonly unknown[] = Array.isArray(value) ? value : [value];
    return list.filter((entry) => typeof entry === 'string');
  };
}

/** `namespace/name`, or a name in the policy's own namespace. */
export function serviceAccountHit(policyNamespace: string): (account: string) => (subject: RequestSubject) => boolean {
  return (account) => {
    const wanted = parseServiceAccountMatch(account, policyNamespace);
    return ({ identity }) =>
      identity?.namespace === wanted.namespace && identity.serviceAccount === wanted.serviceAccount;
  };
}
