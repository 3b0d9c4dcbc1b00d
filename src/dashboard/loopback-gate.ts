/** The gate of a dashboard on one machine: one browser, which brought the token of the address that the command prints. */
import type { IncomingMessage } from 'node:http';
import { BrowserSession } from './browser-session.ts';
import type { Answer, Viewer, ViewerGate } from './viewer.ts';

/** Whoever started the command sees what the command sees. */
const OWNER: Viewer = { mayRead: () => true };
const USED = 'the address of this dashboard works once: start ambit dashboard again for another one\n';

export class LoopbackGate implements ViewerGate {
  readonly #session = new BrowserSession();

  /** Of the address that opens the dashboard; undefined once it was used. */
  get token(): string | undefined {
    return this.#session.token;
  }

  async admit({ headers }: IncomingMessage, url: URL): Promise<Viewer | Answer> {
    if (!BrowserSession.isLoopback(headers.host)) {
      return { status: 403, body: 'call it by 127.0.0.1 or localhost\n' };
    }
    if (this.#session.admits(headers.cookie)) return OWNER;
    const token = url.pathname === '/' ? url.searchParams.get('token') : null;
    const cookie = token === null ? undefined : this.#session.open(token);
    if (cookie === undefined) return { status: 403, body: USED };
    return { status: 303, headers: { location: '/', 'set-cookie': cookie }, body: '' };
  }
}
