/**
 * Who is logged in with a token of the cluster.
 *
 * Invariants:
 * - Only this process has the tokens, in memory; browsers have a random name for one, which is itself kept as a hash.
 * - Sessions are bounded in number, in all and for each person, and in time: however much they are used, and sooner when not.
 * - A session belongs to the host by which it was opened: its cookie is worth nothing elsewhere.
 */
import { hash, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../base/clock.ts';

export interface NewSession {
  readonly token: string;
  /** The person's name at the API server. */
  readonly user: string;
  /** Without a port: cookies do not know ports. */
  readonly host: string;
}

interface Session extends NewSession {
  readonly endMs: number;
  usedMs: number;
}

export const SESSION_LIFE_MS = 8 * 3_600_000;
export const SESSION_IDLE_MS = 3_600_000;
const MAX_SESSIONS = 1000;
const MAX_SESSIONS_OF_USER = 10;

export class LoginSessions {
  readonly #clock: Clock;
  readonly #sessions = new LRUCache<string, Session>({ max: MAX_SESSIONS });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @returns its name, for the cookie */
  open(session: NewSession): string {
    const now = this.#clock.monotonicMs();
    // The least used of the same person makes room.
    const own = [...this.#sessions.entries()].filter(([, { user }]) => user === session.user);
    for (const [key] of own.slice(MAX_SESSIONS_OF_USER - 1)) this.#sessions.delete(key);
    const id = randomBytes(24).toString('base64url');
    this.#sessions.set(keyOf(id), { ...session, endMs: now + SESSION_LIFE_MS, usedMs: now });
    return id;
  }

  /** The token of a session that goes on, at the host where it was opened. */
  tokenOf(id: string, host: string): string | undefined {
    const session = this.#sessions.get(keyOf(id));
    if (session === undefined || session.host !== host) return undefined;
    const now = this.#clock.monotonicMs();
    if (isOver(session, now)) {
      this.end(id);
      return undefined;
    }
    session.usedMs = now;
    return session.token;
  }

  /** Forgets the tokens of sessions that are over. To be called now and then. */
  forgetOld(): void {
    const now = this.#clock.monotonicMs();
    for (const [key, session] of [...this.#sessions.entries()]) if (isOver(session, now)) this.#sessions.delete(key);
  }

  get size(): number {
    return this.#sessions.size;
  }

  end(id: string): void {
    this.#sessions.delete(keyOf(id));
  }
}

function isOver({ endMs, usedMs }: Session, nowMs: number): boolean {
  return nowMs >= endMs || nowMs - usedMs >= SESSION_IDLE_MS;
}

function keyOf(id: string): string {
  return hash('sha256', id, 'base64');
}
