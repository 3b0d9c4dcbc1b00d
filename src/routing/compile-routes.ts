/**
 * The routes of a service, ready to be asked for every request.
 *
 * Invariant: the first route that matches decides, in the order of the feed.
 */
import { errorText } from '../base/errors.ts';
import type {
  Backend,
  Fault,
  HttpForward,
  HttpMatch,
  HttpRoute,
  Mirror,
  PortRoutes,
  ServiceRoutes,
  SessionPersistence,
  WeightedBackend,
} from '../proto/gen/ambit.ts';
import { compileMatch, normalizedPath, type RequestTest } from './compile-match.ts';
import { type CorsCheck, compileCors } from './cors.ts';
import { compileHeaderChanges, type HeaderChange } from './header-changes.ts';
import { compileRedirect, type Location } from './redirect.ts';
import { RegexPool } from './regex-pool.ts';
import { type CompiledRetry, compileRetry, DEFAULT_RETRY } from './retry-policy.ts';
import { compilePathRewrite, type PathChange } from './rewrite-path.ts';
import { type PathKey, RouteIndex } from './route-index.ts';
import type { RoutedRequest } from './routed-request.ts';
import { unusableRoute } from './unusable-route.ts';

/** One of the places that requests of a route go to. */
export interface RouteBackend {
  readonly weight: number;
  /** Undefined where the configuration names none that there is. */
  readonly backend: Backend | undefined;
  readonly requestHeaders: HeaderChange | undefined;
  readonly responseHeaders: HeaderChange | undefined;
  readonly path: PathChange | undefined;
  /** Empty for the client's own. */
  readonly authority: string;
}

export interface ForwardPlan {
  readonly backends: readonly RouteBackend[];
  readonly totalWeight: number;
  /** 0 for none. */
  readonly timeoutMs: number;
  readonly retry: CompiledRetry;
  readonly mirrors: readonly Mirror[];
  readonly missingStatus: number;
  /** Undefined for that of the service. */
  readonly session: SessionPersistence | undefined;
}

export type RouteAction =
  | { readonly kind: 'forward'; readonly plan: ForwardPlan }
  | { readonly kind: 'redirect'; readonly status: number; readonly location: Location }
  | { readonly kind: 'respond'; readonly status: number; readonly body: Uint8Array };

export interface CompiledRoute {
  readonly name: string;
  /** Whether it is what a namespace has for its own clients: others than who owns the service. */
  readonly ofClients: boolean;
  /** The paths that it is for, for people: `/exact`, `/prefix*`, the text of a regular expression. */
  readonly pathPattern: string;
  readonly action: RouteAction;
  readonly requestHeaders: HeaderChange | undefined;
  readonly responseHeaders: HeaderChange | undefined;
  readonly fault: Fault | undefined;
  readonly cors: CorsCheck | undefined;
}

export interface CompiledPort {
  /** Undefined where no HTTP route is configured: requests go to the service itself. */
  readonly http: HttpRoutes | undefined;
  /** As `http`, for connections that are not HTTP. */
  readonly tcp: ForwardPlan | undefined;
  /** For routes without one of their own, and where there is no route. */
  readonly session: SessionPersistence | undefined;
  /** Whether requests of gRPC-Web become gRPC. */
  readonly grpcWeb: boolean;
}

interface Candidate {
  readonly test: RequestTest;
  readonly route: CompiledRoute;
}

export class HttpRoutes {
  readonly #candidates: readonly Candidate[];
  readonly #index: RouteIndex;

  /** @throws Error for a regular expression that RE2 or the pool does not take */
  constructor(routes: readonly HttpRoute[], pool = new RegexPool(), ofClients = false) {
    this.#candidates = routes.map((route) => ({
      test: compileMatch(route.match, pool),
      route: compileRoute(route, pool, ofClients),
    }));
    this.#index = new RouteIndex(routes.map(({ match }) => pathKey(match)));
  }

  /** The route of a request; undefined when none matches, and where its budget of regular expressions is exceeded. */
  find(request: RoutedRequest): CompiledRoute | undefined {
    const number = this.#index.find(request.path, request, this.#endsAt);
    if (number === undefined || request.regexBudget.exceededBy !== undefined) return undefined;
    return this.#candidates[number]?.route;
  }

  /** Whether the search ends at a candidate: it matches, or the request may cost no more. */
  readonly #endsAt = (number: number, request: RoutedRequest): boolean =>
    this.#candidates[number]?.test(request) === true || request.regexBudget.exceededBy !== undefined;
}

/** The routes of a service for its ports and clients. */
export class CompiledRoutes {
  /** By client namespace, empty for all; then by port, 0 for all that are not named. */
  readonly #byClients: ReadonlyMap<string, ReadonlyMap<number, CompiledPort>>;
  readonly #forAll: ReadonlyMap<number, CompiledPort> | undefined;

  /** @throws Error for a regular expression that RE2 does not take, and for too many, in what is for all */
  constructor({ ports, session }: Pick<ServiceRoutes, 'ports' | 'session'>) {
    const pools = new Map<string, RegexPool>();
    const byClients = new Map<string, Map<number, CompiledPort>>();
    if (session !== undefined) byClients.set('', new Map([[0, { ...NOTHING_CONFIGURED, session }]]));
    for (const port of ports) {
      const pool = pools.get(port.clientNamespace) ?? new RegexPool();
      pools.set(port.clientNamespace, pool);
      const ofClients = byClients.get(port.clientNamespace) ?? new Map<number, CompiledPort>();
      byClients.set(port.clientNamespace, ofClients.set(port.port, compileForClients(port, session, pool)));
    }
    completeFromAll(byClients);
    this.#byClients = byClients;
    this.#forAll = byClients.get('');
  }

  /**
   * What is configured for a port; undefined for nothing.
   * @param clientNamespace of the identity of whoever calls; undefined for nobody's
   */
  of(port: number, clientNamespace: string | undefined): CompiledPort | undefined {
    if (clientNamespace !== undefined && this.#byClients.size > (this.#forAll === undefined ? 0 : 1)) {
      const own = this.#byClients.get(clientNamespace);
      const found = own?.get(port) ?? own?.get(0);
      if (found !== undefined) return found;
    }
    return this.#forAll?.get(port) ?? this.#forAll?.get(0);
  }
}

/** Who has routes of one kind only, for HTTP or for connections, keeps what there is for all of the other. */
function completeFromAll(byClients: ReadonlyMap<string, Map<number, CompiledPort>>): void {
  const forAll = byClients.get('');
  for (const ofClients of byClients.values()) {
    for (const [port, own] of ofClients) {
      const all = forAll?.get(port) ?? forAll?.get(0);
      if (ofClients !== forAll) ofClients.set(port, { ...own, http: own.http ?? all?.http, tcp: own.tcp ?? all?.tcp });
    }
  }
}

const NOTHING_CONFIGURED: CompiledPort = { http: undefined, tcp: undefined, session: undefined, grpcWeb: false };

/** What a namespace has for its own clients breaks for these alone. */
function compileForClients(port: PortRoutes, session: SessionPersistence | undefined, pool: RegexPool): CompiledPort {
  try {
    return compilePort(port, session, pool);
  } catch (error) {
    if (port.clientNamespace === '') throw error;
    const unusable = { http: [unusableRoute(errorText(error))], tcp: [], hasHttp: true, hasTcp: true };
    return compilePort({ ...port, ...unusable }, session, pool);
  }
}

function compilePort(
  { http, tcp, hasHttp, hasTcp, grpcWeb, clientNamespace }: PortRoutes,
  session: SessionPersistence | undefined,
  pool: RegexPool,
): CompiledPort {
  return {
    http: hasHttp ? new HttpRoutes(http, pool, clientNamespace !== '') : undefined,
    tcp: hasTcp ? planOf({ ...NO_FORWARD, backends: tcp }, undefined, pool) : undefined,
    session,
    grpcWeb,
  };
}

/** What decides by the path alone, in the spelling that the paths of requests have. */
function pathKey(match: HttpMatch | undefined): PathKey {
  const path = normalizedPath(match?.path);
  if (path?.kind === undefined || path.ignoreCase) return { kind: 'any' };
  switch (path.kind.$case) {
    case 'exact':
      return { kind: 'exact', path: path.kind.exact };
    case 'prefix':
      return { kind: 'prefix', prefix: path.kind.prefix };
    case 'pathPrefix':
      return { kind: 'prefix', prefix: path.kind.pathPrefix.replace(/\/$/, '') };
    default:
      return { kind: 'any' };
  }
}

function compileRoute(route: HttpRoute, pool: RegexPool, ofClients: boolean): CompiledRoute {
  const { name, fault, cors } = route;
  return {
    name,
    ofClients,
    pathPattern: pathPattern(route.match),
    action: compileAction(route, pool),
    requestHeaders: compileHeaderChanges(route.requestHeaders),
    responseHeaders: compileHeaderChanges(route.responseHeaders),
    fault,
    cors: cors && compileCors(cors, pool),
  };
}

function pathPattern(match: HttpMatch | undefined): string {
  const kind = match?.path?.kind;
  switch (kind?.$case) {
    case 'exact':
      return kind.exact;
    case 'prefix':
      return `${kind.prefix}*`;
    case 'pathPrefix':
      return `${kind.pathPrefix}*`;
    case 'regex':
      return kind.regex;
    default:
      return '/*';
  }
}

function compileAction({ action, match }: HttpRoute, pool: RegexPool): RouteAction {
  switch (action?.$case) {
    case 'redirect':
      return {
        kind: 'redirect',
        status: action.redirect.status || 301,
        location: compileRedirect(action.redirect, match, pool),
      };
    case 'directResponse':
      return { kind: 'respond', status: action.directResponse.status, body: action.directResponse.body };
    default:
      return { kind: 'forward', plan: planOf(action?.forward ?? NO_FORWARD, match, pool) };
  }
}

const NO_FORWARD: HttpForward = {
  backends: [],
  path: undefined,
  authority: '',
  timeoutMs: 0,
  retry: undefined,
  mirrors: [],
  missingStatus: 503,
  session: undefined,
};

function planOf(forward: HttpForward, match: HttpMatch | undefined, pool: RegexPool): ForwardPlan {
  const path = compilePathRewrite(forward.path, match, pool);
  const backends = forward.backends.map((backend) => compileBackend(backend, forward, match, path, pool));
  return {
    backends,
    totalWeight: backends.reduce((sum, { weight }) => sum + weight, 0),
    timeoutMs: forward.timeoutMs,
    retry: forward.retry === undefined ? DEFAULT_RETRY : compileRetry(forward.retry),
    mirrors: forward.mirrors,
    missingStatus: forward.missingStatus || 503,
    session: forward.session,
  };
}

function compileBackend(
  { weight, backend, requestHeaders, responseHeaders, path, authority }: WeightedBackend,
  forward: HttpForward,
  match: HttpMatch | undefined,
  rulePath: PathChange | undefined,
  pool: RegexPool,
): RouteBackend {
  return {
    weight,
    backend,
    requestHeaders: compileHeaderChanges(requestHeaders),
    responseHeaders: compileHeaderChanges(responseHeaders),
    path: compilePathRewrite(path, match, pool) ?? rulePath,
    authority: authority || forward.authority,
  };
}

/** One of the backends by weight; undefined when none has any. @param random from 0 to 1 */
export function chooseBackend({ backends, totalWeight }: ForwardPlan, random: number): RouteBackend | undefined {
  if (totalWeight <= 0) return undefined;
  let rest = random * totalWeight;
  for (const backend of backends) {
    rest -= backend.weight;
    if (rest < 0) return backend;
  }
  return backends.findLast(({ weight }) => weight > 0);
}
