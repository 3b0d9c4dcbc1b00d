/** The conditions of `when` (facts l7-and-control 3.1): an attribute of the subject against values. */
import { type Cidr, cidrContains, parseCidrs } from '../model/address.ts';
import type { ConditionObject } from '../model/manifest/authorization-policy.ts';
import { parseServiceAccountMatch, parseStringMatch } from '../model/policy.ts';
import type { AskedSubject } from './asked-subject.ts';
import type { TokenClaims } from './request-subject.ts';
import { globMatcher, textMatches } from './string-match.ts';

/** One thing that has to hold. */
export interface Predicate {
  /** Whether it asks for something that only HTTP has. */
  readonly httpOnly: boolean;
  holds(asked: AskedSubject): boolean;
}

/** Whether a subject is as some value says. */
export type Test = (asked: AskedSubject) => boolean;

/** The values of an attribute; empty when the subject does not have it. */
type Attribute = (asked: AskedSubject) => readonly string[];

/**
 * A restriction by values: some value has to hit, and no negative one may. Without the attribute the positive side is
 * false and the negative side true.
 * @param anyOf makes the test whether one of the values hits
 */
export function restriction<T>(
  values: readonly T[],
  notValues: readonly T[],
  httpOnly: boolean,
  anyOf: (values: readonly T[]) => Test,
): Predicate[] {
  const predicates: Predicate[] = [];
  if (values.length > 0) predicates.push({ httpOnly, holds: anyOf(values) });
  if (notValues.length > 0) {
    const isHit = anyOf(notValues);
    predicates.push({ httpOnly, holds: (asked) => !isHit(asked) });
  }
  return predicates;
}

/** Each value by its own test. */
export function anyHit<T>(hit: (value: T) => Test): (values: readonly T[]) => Test {
  return (values) => {
    const hits = values.map(hit);
    return (asked) => hits.some((isHit) => isHit(asked));
  };
}

/** Hits when some value of the attribute, which is read once, is as some pattern says. */
export function anyText(attribute: Attribute): (patterns: readonly string[]) => Test {
  return (patterns) => {
    const matches = patterns.map(parseStringMatch);
    return (asked) => {
      for (const text of attribute(asked)) for (const match of matches) if (textMatches(match, text)) return true;
      return false;
    };
  };
}

/** Hits when the address is in some block. */
export function anyBlock(address: (asked: AskedSubject) => Uint8Array | undefined): (blocks: readonly Cidr[]) => Test {
  return (blocks) => (asked) => {
    const bytes = address(asked);
    if (bytes !== undefined) for (const block of blocks) if (cidrContains(block, bytes)) return true;
    return false;
  };
}

/** Hits by the caller's namespace, in which `*` may stand anywhere. */
export function namespaceHit(pattern: string): Test {
  const matches = globMatcher(pattern);
  return ({ subject: { identity } }) => identity !== undefined && matches(identity.namespace);
}

export const principal: Attribute = ({ principals }) => principals;
export const trustDomain: Attribute = ({ subject: { identity } }) =>
  identity === undefined ? [] : [identity.trustDomain];

/** `<issuer>/<subject>` of a verified token: `*` and a `*` on one side of the last slash stand for any that is not empty. */
export function requestPrincipalHit(pattern: string): Test {
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
    restriction(values, notValues, httpOnly, anyText(attribute));
  const addresses = (address: (asked: AskedSubject) => Uint8Array | undefined, httpOnly: boolean) =>
    restriction(parseCidrs(values), parseCidrs(notValues), httpOnly, anyBlock(address));
  switch (key) {
    case 'source.ip':
      return addresses(({ sourceIp }) => sourceIp, false);
    case 'remote.ip':
      return addresses(({ remoteIp }) => remoteIp, true);
    case 'destination.ip':
      return addresses(({ destinationIp }) => destinationIp, false);
    case 'destination.port':
      return restriction(
        values,
        notValues,
        false,
        anyHit(
          (value) =>
            ({ subject }) =>
              String(subject.destinationPort) === value,
        ),
      );
    case 'source.principal':
      return texts(principal, false);
    case 'source.namespace':
      return restriction(values, notValues, false, anyHit(namespaceHit));
    case 'source.serviceAccount':
      return restriction(values, notValues, false, anyHit(serviceAccountHit(policyNamespace)));
    case 'source.trustDomain':
      return texts(trustDomain, false);
    case 'connection.sni':
      return texts(({ subject: { sni } }) => (sni === undefined ? [] : [sni]), false);
    case 'request.auth.principal':
      return restriction(values, notValues, true, anyHit(requestPrincipalHit));
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
export function serviceAccountHit(policyNamespace: string): (account: string) => Test {
  return (account) => {
    const wanted = parseServiceAccountMatch(account, policyNamespace);
    return ({ subject: { identity } }) =>
      identity?.namespace === wanted.namespace && identity.serviceAccount === wanted.serviceAccount;
  };
}
