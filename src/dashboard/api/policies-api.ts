/** `/api/policies?namespace=…`: the policies of a namespace, who may call whom by them, and who did. */
import type { Edge } from '../../traffic/edges.ts';
import { mergeReporters } from '../../traffic/merge-reporters.ts';
import { type HeldPolicy, heldPolicies } from '../held-policies.ts';
import type { ObjectInForce } from '../mesh-reader.ts';
import { OUTSIDE, type Permissions } from '../permissions.ts';
import type { Viewer } from '../viewer.ts';
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

export type ListedPolicy = ObjectInForce & HeldPolicy;

export interface PolicyPage {
  readonly namespaces: readonly string[];
  readonly policies: readonly ListedPolicy[];
  /** Refused because there are ALLOW policies and none matched, since the proxies started. */
  readonly defaultDenials: number;
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
    const isShown = (edge: Edge) =>
      isVisible(viewer, edge) &&
      !isHop(edge, waypoints) &&
      chosen.has(edge.service.namespace || edge.destination.namespace);
    const calls = mergeReporters(collector.history.now()).filter(({ edge }) => isShown(edge));
    // Who called in the last hour, and is quiet now.
    const before = collector.history
      .points(isShown)
      .map(({ edge }) => ({ ...endsOf(edge), perSec: 0, refusedPerSec: 0 }));
    const observed = together([...calls.map(observedCall), ...before]);
    const heldOf = heldPolicies(feed, collector.policies, viewer);
    return {
      namespaces,
      policies: objects
        .filter(({ kind, namespace }) => KINDS.has(kind) && viewer.mayRead(namespace))
        .filter(({ namespace }) => wanted === '' || namespace === wanted)
        .map((policy) => ({ ...policy, ...heldOf(policy) })),
      // It is of the whole mesh.
      defaultDenials: viewer.mayRead('') ? (collector.policies.get('')?.get('denied') ?? 0) : 0,
      permissions: withKnownClients(viewer, await judge(feed, chosen), observed),
      observed,
    };
  };
}

/** Of clients in other namespaces a viewer hears only if they called. */
function withKnownClients(
  viewer: Viewer,
  { clients, destinations, leftOut }: Permissions,
  observed: readonly ObservedCall[],
): Permissions {
  const callers = new Set(observed.map(({ client }) => client));
  const shown = clients.filter(
    ({ id }) => id === OUTSIDE || callers.has(id) || viewer.mayRead(id.slice(0, id.indexOf('/'))),
  );
  const known = new Set(shown.map(({ id }) => id));
  const cut = destinations.map((destination) => ({
    ...destination,
    callers: Object.fromEntries(Object.entries(destination.callers).filter(([id]) => known.has(id))),
  }));
  return { clients: shown, destinations: cut, leftOut };
}

type Rated = ReturnType<ApiSources['collector']['history']['now']>[number];

function endsOf({ source, destination, service }: Edge): Pick<ObservedCall, 'client' | 'destination'> {
  return {
    client: source.workload === '' ? '' : `${source.namespace}/${source.workload}`,
    destination:
      service.name === '' ? `${destination.namespace}/${destination.workload}` : `${service.namespace}/${service.name}`,
  };
}

function observedCall({ edge, requestsPerSec, openedPerSec, deniedPerSec }: Rated): ObservedCall {
  const isHttp = edge.protocol !== 'tcp';
  return {
    ...endsOf(edge),
    perSec: isHttp ? requestsPerSec : openedPerSec,
    refusedPerSec: deniedPerSec,
  };
}

function together(calls: readonly ObservedCall[]): ObservedCall[] {
  return [...Map.groupBy(calls, ({ client, destination }) => `${client}|${destination}`).values()].map((all) => {
    const [{ client, destination }] = all as [ObservedCall];
    const sum = (of: (call: ObservedCall) => number) => all.reduce((total, call) => total + of(call), 0);
    return { client, destination, perSec: sum(({ perSec }) => perSec), refusedPerSec: sum((one) => one.refusedPerSec) };
  });
}
