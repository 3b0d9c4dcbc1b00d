/**
 * The gate of a dashboard in a cluster: viewers bring a token of the cluster, and see what they may read by their own
 * rights there.
 *
 * Invariants:
 * - Every request is held against the API server's word on its token, which counts for a few seconds.
 * - Tokens are in headers and in the memory of this process: in no page, cookie, address, log or error.
 * - A page of another site cannot ask: its name does not lead here, the cookie stays on this site, and it cannot log in.
 */
import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../base/clock.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { cookieValue } from '../http/cookies.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { ReviewCache } from '../kube/review-cache.ts';
import { type ReviewedUser, reviewToken } from '../kube/token-review.ts';
import { hostName, isAllowedHost } from './allowed-hosts.ts';
import { AskedNamespaces } from './asked-namespaces.ts';
import { loginPage } from './login-page.ts';
import { LoginSessions, SESSION_LIFE_MS } from './login-sessions.ts';
import { readForm } from './read-form.ts';
import type { Answer, Viewer, ViewerGate } from './viewer.ts';
import { type ProgramsOf, ViewerPrograms } from './viewer-programs.ts';
import { ViewerRights } from './viewer-rights.ts';

export interface KubernetesGateOptions {
  /** By which the dashboard is called, besides addresses and `localhost`. */
  readonly hosts: readonly string[];
}

export interface KubernetesGateDeps {
  /** With the rights of the dashboard: to review tokens and access. */
  readonly client: KubeClient;
  readonly clock: Clock;
  /** Those that something is known of just now. */
  readonly namespaces: () => Iterable<string>;
  /** The programs of the mesh, asked with a viewer's token. */
  readonly programsOf: ProgramsOf;
}

type Refusal = { readonly status: 401 | 503; readonly problem: string };
type Verdict = Result<ReviewedUser, Refusal>;

const COOKIE = 'ambit-login';
const MAX_TOKEN_CHARS = 16 * 1024;
const MAX_TOKENS = 2000;
const MAX_REVIEWS = 64;
const ACCEPTED_MS = 10_000;
/** While too many tokens are being looked at. */
const ACCEPTED_LONGER_MS = 30_000;
/** A flood of one bad token costs one review. */
const REFUSED_MS = 5000;

export class KubernetesGate implements ViewerGate {
  readonly #deps: KubernetesGateDeps;
  readonly #hosts: ReadonlySet<string>;
  readonly #sessions: LoginSessions;
  readonly #rights: ViewerRights;
  readonly #programs: ViewerPrograms;
  readonly #users: ReviewCache<Verdict>;
  readonly #asked = new AskedNamespaces();

  constructor(options: KubernetesGateOptions, deps: KubernetesGateDeps) {
    this.#deps = deps;
    this.#hosts = new Set(options.hosts.map((host) => host.toLowerCase()));
    this.#sessions = new LoginSessions(deps.clock);
    this.#rights = new ViewerRights(deps.client, deps.clock);
    this.#programs = new ViewerPrograms(deps.programsOf, deps.clock);
    this.#users = new ReviewCache({ maxAnswers: MAX_TOKENS, maxRunning: MAX_REVIEWS, keepMs, graceMs }, deps.clock);
  }

  async admit(request: IncomingMessage, { pathname }: URL): Promise<Viewer | Answer> {
    const { method, headers } = request;
    if (!isAllowedHost(headers.host, this.#hosts)) return { status: 421, body: FOREIGN_HOST };
    if (pathname === '/healthz') return this.#beHealthy();
    if (method === 'POST') {
      if (!isOwnPage(request)) return { status: 403, body: 'only the pages of this dashboard may ask for that\n' };
      if (pathname === '/login') return this.#logIn(request);
      if (pathname === '/logout') return this.#logOut(request);
    }
    if (pathname === '/login') return loginPage(200, '');
    return this.#letIn(request);
  }

  async #letIn(request: IncomingMessage): Promise<Viewer | Answer> {
    const { headers } = request;
    const session = cookieValue(headers.cookie ?? '', COOKIE) ?? '';
    const token = bearerToken(headers.authorization) ?? this.#sessions.tokenOf(session, hostName(headers.host));
    if (token === undefined) return refusal(request, { status: 401, problem: '' });
    const user = await this.#userOf(token);
    if (user.ok) return this.#viewer(user.value, token, () => this.#letIn(request));
    if (user.error.status === 401) this.#sessions.end(session);
    return refusal(request, user.error);
  }

  /** Probes keep coming when nobody looks: what is over is forgotten then. */
  #beHealthy(): Answer {
    this.#programs.forgetOld();
    this.#sessions.forgetOld();
    return { status: 200, body: 'ok\n' };
  }

  async #viewer(user: ReviewedUser, token: string, again: () => Promise<Viewer | Answer>): Promise<Viewer | Answer> {
    const known = new Set([...this.#deps.namespaces(), ...this.#asked.of(user.name)]);
    const readable = await this.#rights.readable(user, known);
    if (!readable.ok) return { status: 503, body: `your rights cannot be asked for: ${readable.error}\n` };
    const mayRead = (namespace: string) => {
      if (!known.has(namespace)) this.#asked.add(user.name, namespace);
      return readable.value(namespace);
    };
    return { mayRead, name: user.name, programs: this.#programs.of(token, mayRead), again };
  }

  async #logIn(request: IncomingMessage): Promise<Answer> {
    const token = (await readForm(request, this.#deps.clock))?.get('token')?.trim() ?? '';
    if (token === '') return loginPage(400, 'there was no token in that');
    const user = await this.#userOf(token);
    if (!user.ok) return loginPage(user.error.status, user.error.problem);
    const host = hostName(request.headers.host);
    const id = this.#sessions.open({ token, user: user.value.name, host });
    return seeOther('/', cookieText(request, id, SESSION_LIFE_MS / 1000));
  }

  #logOut(request: IncomingMessage): Answer {
    this.#sessions.end(cookieValue(request.headers.cookie ?? '', COOKIE) ?? '');
    return seeOther('/login', cookieText(request, '', 0));
  }

  async #userOf(token: string): Promise<Verdict> {
    if (token.length > MAX_TOKEN_CHARS) return fail({ status: 401, problem: 'that is too long for a token' });
    const verdict = await this.#users.answer(hash('sha256', token, 'base64'), () => this.#review(token));
    return verdict ?? fail({ status: 503, problem: 'too many tokens are being looked at, try again' });
  }

  async #review(token: string): Promise<Verdict> {
    const answer = await reviewToken(this.#deps.client, token);
    if (!answer.ok) return fail({ status: 503, problem: `the token cannot be looked at: ${answer.error.message}` });
    const review = answer.value;
    // What the API server found is about the token, and maybe quotes it.
    if (!review.isAuthenticated) return fail({ status: 401, problem: 'this cluster does not take that token' });
    return ok(review.user);
  }
}

const FOREIGN_HOST =
  'this dashboard is not called by that name: add it to dashboard.hosts (--host), or call it by its address\n';

function keepMs(verdict: Verdict): number {
  if (verdict.ok) return ACCEPTED_MS;
  return verdict.error.status === 401 ? REFUSED_MS : 0;
}

function graceMs({ ok: isAccepted }: Verdict): number {
  return isAccepted ? ACCEPTED_LONGER_MS : 0;
}

function bearerToken(authorization: string | undefined): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
}

/** A page to people, a line to programs. */
function refusal({ headers, url }: IncomingMessage, { status, problem }: Refusal): Answer {
  const isPage = (headers.accept ?? '').includes('text/html') && url?.startsWith('/api/') !== true;
  if (isPage) return loginPage(status, problem);
  const body = `${problem || 'a token of this cluster is needed: Authorization: Bearer TOKEN, or log in at /login'}\n`;
  return { status, headers: status === 401 ? { 'www-authenticate': 'Bearer realm="ambit"' } : {}, body };
}

/** Whether a form was sent by a page of this site, as far as the browser says (Fetch Metadata, RFC 6454 7). */
function isOwnPage({ headers }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin' || site === 'none';
  const { origin } = headers;
  return origin === undefined || URL.parse(origin)?.host === headers.host;
}

function seeOther(location: string, cookie: string): Answer {
  return { status: 303, headers: { location, 'set-cookie': cookie }, body: '' };
}

function cookieText({ headers }: IncomingMessage, value: string, maxAgeSec: number): string {
  // A proxy before it that took TLS says so.
  const isSecure = headers['x-forwarded-proto'] === 'https';
  const attributes = `HttpOnly; SameSite=Strict; Path=/; Max-Age=${maxAgeSec}`;
  return `${COOKIE}=${value}; ${attributes}${isSecure ? '; Secure' : ''}`;
}
