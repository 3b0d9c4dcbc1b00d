/** Where a client says which endpoint it had: of rules of routes, and in labels of services (facts l7-and-control 4.4, 10.5). */
import { isConnectionHeader } from '../connection-headers.ts';
import { headerNameProblem, isHeaderName } from '../validation/value-rules.ts';
import type { FieldReader } from './field-reader.ts';
import { readGatewayDuration } from './gateway-duration.ts';
import type { Labels } from './object-meta.ts';

export interface SessionPersistenceSpec {
  readonly type: 'Cookie' | 'Header';
  /** Of the cookie or header; empty for one that is made up. */
  readonly name: string;
  /** Of the cookie. */
  readonly path: string;
  /** 0 for none. */
  readonly absoluteTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** Whether the cookie outlives the client's own session. */
  readonly isPermanent: boolean;
}

export const COOKIE_LABEL = 'istio.io/persistent-session';
export const HEADER_LABEL = 'istio.io/persistent-session-header';

const FIELDS = ['sessionName', 'absoluteTimeout', 'idleTimeout', 'type', 'cookieConfig'];
const MAX_NAME_CHARACTERS = 128;
const COOKIE_PATH = /^\/[\x21-\x3a\x3c-\x7e]*$/;

/** Of a rule of a route; undefined when it has none. */
export function readSessionPersistence(rule: FieldReader): SessionPersistenceSpec | undefined {
  const session = rule.child('sessionPersistence');
  if (!session.isPresent) return undefined;
  session.onlyKnown(FIELDS);
  const cookie = session.child('cookieConfig');
  cookie.onlyKnown(['lifetimeType']);
  const isPermanent = cookie.oneOf('lifetimeType', ['Permanent', 'Session']) === 'Permanent';
  if (isPermanent && !session.has('absoluteTimeout')) {
    session.report('absoluteTimeout', 'is required for a cookie with the lifetime Permanent');
  }
  const type = session.oneOf('type', ['Cookie', 'Header']) ?? 'Cookie';
  const name = session.string('sessionName') ?? '';
  const problem = nameProblem(type, name);
  if (problem !== undefined) session.report('sessionName', problem);
  return {
    type,
    name,
    path: '/',
    absoluteTimeoutMs: readGatewayDuration(session, 'absoluteTimeout') ?? 0,
    idleTimeoutMs: readGatewayDuration(session, 'idleTimeout') ?? 0,
    isPermanent,
  };
}

function nameProblem(type: SessionPersistenceSpec['type'], name: string): string | undefined {
  if (name === '') return undefined;
  if (name.length > MAX_NAME_CHARACTERS) return `must not be longer than ${MAX_NAME_CHARACTERS} characters`;
  if (type === 'Header' && isConnectionHeader(name.toLowerCase())) return 'is a header of the connection itself';
  // What a cookie may be called a header may, too (RFC 6265 4.1.1).
  return headerNameProblem(name);
}

/** Of the labels of a service, `<cookie>[:<path>]` or the name of a header; a problem where they cannot be read. */
export function sessionOfLabels(labels: Labels): {
  readonly session?: SessionPersistenceSpec;
  readonly problem?: string;
} {
  const cookie = labels.get(COOKIE_LABEL) ?? '';
  const header = labels.get(HEADER_LABEL) ?? '';
  const common = { absoluteTimeoutMs: 0, idleTimeoutMs: 0, isPermanent: false };
  if (cookie !== '') {
    const colon = cookie.indexOf(':');
    const name = colon < 0 ? cookie : cookie.slice(0, colon);
    const path = colon < 0 ? '/' : cookie.slice(colon + 1);
    if (isHeaderName(name) && COOKIE_PATH.test(path)) return { session: { ...common, type: 'Cookie', name, path } };
    return { problem: `label ${COOKIE_LABEL} has no effect: it is not the name of a cookie, with or without a path` };
  }
  if (header === '') return {};
  if (nameProblem('Header', header) === undefined) {
    return { session: { ...common, type: 'Header', name: header, path: '' } };
  }
  return { problem: `label ${HEADER_LABEL} has no effect: it is not the name of a header that may carry a session` };
}
