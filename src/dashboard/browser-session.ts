/**
 * Who may look at the dashboard of one machine: whoever has the address with its one-time token, which the command prints.
 *
 * Invariants:
 * - The token opens one session and is worthless afterwards; neither is ever written to a log.
 * - A page of another site cannot ask: the session's cookie stays on this site, and the Host has to be a loopback name, so
 *   that no other name leads here (DNS rebinding).
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const COOKIE = 'ambit-session';
const LOOPBACK = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/;

export class BrowserSession {
  #token: string | undefined = secret();
  readonly #session = secret();

  /** Of the address that opens the dashboard; undefined once it was used. */
  get token(): string | undefined {
    return this.#token;
  }

  /** Takes the token. @returns the `Set-Cookie` value; undefined when it is not, or no longer, the one */
  open(token: string): string | undefined {
    if (this.#token === undefined || !same(token, this.#token)) return undefined;
    this.#token = undefined;
    return `${COOKIE}=${this.#session}; HttpOnly; SameSite=Strict; Path=/`;
  }

  /** Whether a request belongs to the session. */
  admits(cookies: string | undefined): boolean {
    const own = (cookies ?? '').split('; ').find((cookie) => cookie.startsWith(`${COOKIE}=`));
    return own !== undefined && same(own.slice(COOKIE.length + 1), this.#session);
  }

  static isLoopback(host: string | undefined): boolean {
    return LOOPBACK.test(host ?? '');
  }
}

function secret(): string {
  return randomBytes(24).toString('base64url');
}

function same(a: string, b: string): boolean {
  const [one, other] = [a, b].map((text) => createHash('sha256').update(text).digest());
  return one !== undefined && other !== undefined && timingSafeEqual(one, other);
}
