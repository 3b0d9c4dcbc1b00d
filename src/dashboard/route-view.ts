/** The routes of a service, in words, with the weights of their backends and the workloads behind these. */
import type { Service } from '../model/service.ts';
import type { Backend, HttpMatch, HttpRoute, PortRoutes, StringMatch, WeightedBackend } from '../proto/gen/ambit.ts';
import { type MeshFeed, workloadId } from './mesh-feed.ts';

export interface BackendView {
  /** `service.namespace`, with the subset. */
  readonly name: string;
  readonly weight: number;
  /** Of all weights of the route, 0 to 1. */
  readonly share: number;
  /** Ids of the workloads that it leads to. */
  readonly workloads: readonly string[];
  /** Of their pods. */
  readonly revisions: readonly string[];
}

export interface RouteView {
  readonly name: string;
  /** Empty: all ports. */
  readonly port: string;
  readonly protocol: 'http' | 'tcp';
  /** What it is for, in words. */
  readonly match: string;
  /** What is done besides: a redirect, a timeout, tries, faults, copies. */
  readonly remarks: readonly string[];
  readonly backends: readonly BackendView[];
}

export function routesOf(feed: MeshFeed, service: Service): RouteView[] {
  return (feed.routesOf(service)?.ports ?? []).flatMap((port) => routesOfPort(feed, port));
}

function routesOfPort(feed: MeshFeed, { port, http, tcp, clientNamespace }: PortRoutes): RouteView[] {
  const text = port === 0 ? '' : String(port);
  const clients = clientNamespace === '' ? '' : `, of clients in ${clientNamespace}`;
  const ofHttp = http.map((route): RouteView => {
    const backends = route.action?.$case === 'forward' ? route.action.forward.backends : [];
    return {
      name: route.name,
      port: text,
      protocol: 'http',
      match: `${matchText(route.match)}${clients}`,
      remarks: remarksOf(route),
      backends: backendViews(feed, backends),
    };
  });
  if (tcp.length === 0) return ofHttp;
  const ofTcp: RouteView = {
    name: '',
    port: text,
    protocol: 'tcp',
    match: `connections that are not HTTP${clients}`,
    remarks: [],
    backends: backendViews(feed, tcp),
  };
  return [...ofHttp, ofTcp];
}

function backendViews(feed: MeshFeed, backends: readonly WeightedBackend[]): BackendView[] {
  const total = backends.reduce((sum, { weight }) => sum + weight, 0);
  return backends.map(({ weight, backend }) => {
    const pods = backend === undefined ? [] : feed.backendPods(backend);
    return {
      name: backend === undefined ? 'a backend that is not there' : backendName(backend),
      weight,
      share: total === 0 ? 0 : weight / total,
      workloads: [...new Set(pods.map(workloadId))].sort(),
      revisions: [...new Set(pods.map(({ canonicalRevision }) => canonicalRevision))].sort(),
    };
  });
}

function backendName({ hostname, namespace, subset }: Backend): string {
  const short = hostname.replace(`.${namespace}.svc.cluster.local`, `.${namespace}`);
  return subset === '' ? short : `${short} ${subset}`;
}

function matchText(match: HttpMatch | undefined): string {
  if (match === undefined) return 'everything';
  const named = (what: string, all: HttpMatch['headers']) =>
    all.map(({ name, value, invert }) => `${what} ${name} ${invert ? 'not ' : ''}${stringText(value)}`);
  const parts = [
    ...(match.method === undefined ? [] : [`method ${stringText(match.method)}`]),
    ...(match.path === undefined ? [] : [`path ${stringText(match.path)}`]),
    ...(match.authority === undefined ? [] : [`host ${stringText(match.authority)}`]),
    ...(match.scheme === undefined ? [] : [`scheme ${stringText(match.scheme)}`]),
    ...named('header', match.headers),
    ...named('query', match.query),
    ...match.claims.map(({ path, value }) => `claim ${path.join('.')} ${stringText(value)}`),
  ];
  return parts.join(' and ') || 'everything';
}

function stringText(match: StringMatch | undefined): string {
  const kind = match?.kind;
  switch (kind?.$case) {
    case 'exact':
      return kind.exact;
    case 'prefix':
      return `${kind.prefix}…`;
    case 'pathPrefix':
      return kind.pathPrefix === '/' ? 'anything' : `${kind.pathPrefix}/…`.replace('//', '/');
    case 'regex':
      return `~ ${kind.regex}`;
    default:
      return 'anything';
  }
}

function remarksOf({ action, fault }: HttpRoute): string[] {
  const remarks: string[] = [];
  if (action?.$case === 'redirect') remarks.push(`redirects with ${action.redirect.status || 301}`);
  if (action?.$case === 'directResponse') remarks.push(`answers ${action.directResponse.status} itself`);
  if (action?.$case === 'forward') {
    const { timeoutMs, retry, mirrors } = action.forward;
    if (timeoutMs > 0) remarks.push(`ends after ${timeoutMs} ms`);
    if (retry !== undefined && retry.attempts > 0) remarks.push(`is tried again ${retry.attempts} times`);
    if (mirrors.length > 0) remarks.push(`is copied to ${mirrors.length} more`);
  }
  if (fault !== undefined && fault.abortSharePpm > 0) remarks.push(`${fault.abortSharePpm / 10_000} % are aborted`);
  if (fault !== undefined && fault.delaySharePpm > 0)
    remarks.push(`${fault.delaySharePpm / 10_000} % wait ${fault.delayMs} ms`);
  return remarks;
}
