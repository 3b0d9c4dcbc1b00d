/** The session of one request: the endpoint that its client had before, and what the answer says of the one it gets. */
import type { HttpHeader } from '../http/http-stream.ts';
import type { SessionPersistence } from '../proto/gen/ambit.ts';
import type { ForwardPlan, RouteBackend } from '../routing/compile-routes.ts';
import { readSession, type Session, sessionHeader } from './session.ts';
import type { Endpoint } from './upstreams.ts';

export class ExchangeSession {
  readonly #policy: SessionPersistence;
  readonly #before: Session | undefined;
  readonly #nowSec: number;

  /** @param header of the request @param nowSec wall clock */
  constructor(policy: SessionPersistence, header: (name: string) => string | undefined, nowSec: number) {
    this.#policy = policy;
    this.#before = readSession(policy, header, nowSec);
    this.#nowSec = nowSec;
  }

  /** Of the endpoint that the client had before. */
  get endpointId(): string | undefined {
    return this.#before?.endpointId;
  }

  /** The backend that has that endpoint, as long as it gets requests at all. */
  backendOf(plan: ForwardPlan, holds: (backend: RouteBackend, id: string) => boolean): RouteBackend | undefined {
    const id = this.endpointId;
    if (id === undefined || plan.backends.length < 2) return undefined;
    return plan.backends.find((backend) => backend.weight > 0 && holds(backend, id));
  }

  /** Tells the client which endpoint it got. */
  mark(headers: readonly HttpHeader[], endpoint: Endpoint | undefined): readonly HttpHeader[] {
    const header = endpoint && sessionHeader(this.#policy, this.#before, endpoint, this.#nowSec);
    if (header === undefined) return headers;
    return [...headers.filter(([name]) => name !== header[0] || name === 'set-cookie'), header];
  }
}
