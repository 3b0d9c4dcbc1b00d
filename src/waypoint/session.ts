/**
 * Sessions of clients that keep to one endpoint (facts l7-and-control 4.4, 10.5): the response names the endpoint in a
 * cookie or header, the client sends that back.
 *
 * A value is a digest of the endpoint's identity, and with timeouts also when the session began and was last used, in
 * seconds to the base 36. It tells a client no address. It is not secret and not signed: whoever makes one up gets an
 * endpoint of the cluster that the request is for, or is told another one.
 */
import { createHash } from 'node:crypto';
import { cookieValue, setCookieText } from '../http/cookies.ts';
import type { HttpHeader } from '../http/http-stream.ts';
import { serviceKey } from '../model/service.ts';
import type { SessionPersistence } from '../proto/gen/ambit.ts';
import type { Endpoint } from './upstreams.ts';

/** What a client said, and that still holds. */
export interface Session {
  readonly endpointId: string;
  /** Wall clock; undefined where the session may last for ever. */
  readonly startSec: number | undefined;
  readonly lastSec: number | undefined;
}

const DIGEST_BYTES = 16;
const BASE = 36;
const VALUE = /^([\w-]{22})(?:\.([0-9a-z]{1,8})\.([0-9a-z]{1,8}))?$/;

/** Names an endpoint of a service to clients. */
export function endpointId({ workload, service }: Pick<Endpoint, 'workload' | 'service'>): string {
  const of = service === undefined ? '' : serviceKey(service);
  const digest = createHash('sha256').update(`${of}\0${workload.uid}`).digest();
  return digest.subarray(0, DIGEST_BYTES).toString('base64url');
}

/** The session of a request; undefined for a new one, and for one that is over. */
export function readSession(
  policy: SessionPersistence,
  header: (name: string) => string | undefined,
  nowSec: number,
): Session | undefined {
  const value = policy.isHeader ? header(policy.name) : cookieValue(header('cookie') ?? '', policy.name);
  const [, id, start, last] = VALUE.exec(value ?? '') ?? [];
  if (id === undefined) return undefined;
  if (!hasTimes(policy)) return { endpointId: id, startSec: undefined, lastSec: undefined };
  if (start === undefined || last === undefined) return undefined;
  const startSec = Number.parseInt(start, BASE);
  const lastSec = Number.parseInt(last, BASE);
  const { absoluteTimeoutSec, idleTimeoutSec } = policy;
  const isTooOld = absoluteTimeoutSec > 0 && nowSec - startSec >= absoluteTimeoutSec;
  const isTooIdle = idleTimeoutSec > 0 && nowSec - lastSec >= idleTimeoutSec;
  return isTooOld || isTooIdle ? undefined : { endpointId: id, startSec, lastSec };
}

/** What the client is told with a response of the endpoint; undefined when it knows that already. */
export function sessionHeader(
  policy: SessionPersistence,
  before: Session | undefined,
  endpoint: Pick<Endpoint, 'workload' | 'service'>,
  nowSec: number,
): HttpHeader | undefined {
  const id = endpointId(endpoint);
  const isSame = before?.endpointId === id;
  const isUsedAnew = policy.idleTimeoutSec > 0 && before?.lastSec !== nowSec;
  if (isSame && !isUsedAnew) return undefined;
  const startSec = (isSame ? before.startSec : undefined) ?? nowSec;
  const times = hasTimes(policy) ? `.${startSec.toString(BASE)}.${nowSec.toString(BASE)}` : '';
  const value = `${id}${times}`;
  if (policy.isHeader) return [policy.name, value];
  const leftSec = Math.max(1, startSec + policy.absoluteTimeoutSec - nowSec);
  const { name, path, isPermanent } = policy;
  return ['set-cookie', setCookieText({ name, value, path, maxAgeSec: isPermanent ? leftSec : 0, attributes: [] })];
}

function hasTimes({ absoluteTimeoutSec, idleTimeoutSec }: SessionPersistence): boolean {
  return absoluteTimeoutSec > 0 || idleTimeoutSec > 0;
}
