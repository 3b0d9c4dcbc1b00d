/** `/api/policies?namespace=…`: the policies of a namespace, who may call whom by them, and who did. */
import type { MeshFeed } from '../mesh-feed.ts';
import type { ObjectInForce } from '../mesh-reader.ts';
import type { Permissions } from '../permissions.ts';
import { isVisible } from '../visible-edges.ts';
import { isHop, waypointNames } from '../waypoint-names.ts';
import { type ApiHandler, type ApiSources, NotShown } from './api-handler.ts';

/** Who called whom during the last hour. */
export interface ObservedCall {
  /** `namespace/workload`; empty where the client is not known. */
  readonly client: string;
  /** `namespace/service`, or the workload that was called by its address. */
  readonly destination: string;
  readonly perSec: number;
  /** Refused by a policy, now. */
  readonly refusedPerSec: number;
}

export interface PolicyPage {
  readonly namespaces: readonly string[];
  readonly policies: readonly (ObjectInForce & { readonly atProxies: boolean })[];
  readonly permissions: Permissions;
  readonly observed: readonly ObservedCall[];
}

const KINDS: ReadonlySet<string> = new Set(['AuthorizationPolicy', 'PeerAuthentication', 'RequestAuthentication']);

export function policiesApi({ reader, collector, judge }: ApiSources): ApiHandler {
  return async (viewer, query): Promise<PolicyPage> => {
    const [feed, objects] = await Promise.all([reader(viewer).feed(), reader(viewer).objects()]);
    const all = [...new Set([...feed.state.workloads()].map(({ namespace }) => namespace))];
    const namespaces = all.filter((namespace) => viewer.mayRead(namespace)).sort();
    const wanted = query.get('namespace') ?? '';
    if (wanted !== '' && !viewer.mayRead(wanted)) throw new NotShown(`namespace ${wanted}`);
    const chosen = new Set(wanted === '' ? namespaces : [wanted]);
    const waypoints = waypointNames(collector.proxies);
    const calls = collector.history
      .now()
      .filter(({ edge }) => isVisible(viewer, edge) && !isHop(edge, waypoints))
      .filter(({ edge }) => chosen.has(edge.service.namespace || edge.destination.namespace));
    const held = heldBy(feed);
    return {
      namespaces,
      policies: objects
        .filter(({ kind, namespace }) => KINDS.has(kind) && viewer.mayRead(namespace))
        .filter(({ namespace }) => wanted === '' || namespace === wanted)
        .map((policy) => ({ ...policy, atProxies: held.has(`${policy.namespace}/${policy.name}`) })),
      permissions: await judge(feed, chosen),
      observed: together(calls.map(observedCall)),
    };
  };
}

/** Names of the policies that proxies are given. */
function heldBy(feed: MeshFeed): ReadonlySet<string> {
  const ztunnel = [...feed.state.policies()].map(({ namespace, name }) => `${namespace}/${name}`);
  const converted = ztunnel.map((id) => id.replace(/\/(?:istio_)?converted_peer_authentication_/, '/'));
  return new Set([...ztunnel, ...converted, ...feed.policies.map(({ namespace, name }) => `${namespace}/${name}`)]);
}

type Rated = ReturnType<ApiSources['collector']['history']['now']>[number];

function observedCall({ edge, requestsPerSec, openedPerSec, failedPerSec, codesPerSec }: Rated): ObservedCall {
  const { source, destination, service } = edge;
  const isHttp = edge.protocol !== 'tcp';
  return {
    client: source.workload === '' ? '' : `${source.namespace}/${source.workload}`,
    destination:
      service.name === '' ? `${destination.namespace}/${destination.workload}` : `${service.namespace}/${service.name}`,
    perSec: isHttp ? requestsPerSec : openedPerSec,
    refusedPerSec: isHttp ? (codesPerSec['403'] ?? 0) : failedPerSec,
  };
}

function together(calls: readonly ObservedCall[]): ObservedCall[] {
  return [...Map.groupBy(calls, ({ client, destination }) => `${client}|${destination}`).values()].map((all) => {
    const [{ client, destination }] = all as [ObservedCall];
    const sum = (of: (call: ObservedCall) => number) => all.reduce((total, call) => total + of(call), 0);
    return { client, destination, perSec: sum(({ perSec }) => perSec), refusedPerSec: sum((one) => one.refusedPerSec) };
  });
}
