/**
 * Who may call whom, by the policies that a control plane feeds to proxies, decided by the very code of the proxies.
 *
 * A policy of a waypoint may ask for more than who calls: a method, a path, a token. So each pair is judged twice: once as
 * if the client always asked for what is allowed and never for what is denied, and once the other way round.
 */
import type { Clock } from '../../base/clock.ts';
import {
  type Client,
  type Destination,
  OUTSIDE,
  type Permission,
  type Permissions,
} from '../../dashboard/permissions.ts';
import type { Service } from '../../model/service.ts';
import { SERVICE_ROUTES_TYPE, WAYPOINT_POLICY_TYPE } from '../../model/waypoint-feed.ts';
import type { Workload } from '../../model/workload.ts';
import { workloadIdentity } from '../../model/workload.ts';
import { WaypointPolicy } from '../../proto/gen/ambit.ts';
import type { ReceivedResource } from '../../xds/client/delta-client.ts';
import { explainCall } from './explain-call.ts';
import type { FeedResources } from './feed-resources.ts';
import type { CallDestination, CallSource } from './find-ends.ts';
import { type MeshModel, meshModel } from './mesh-model.ts';

/** As many pairs are judged within a second or so. */
const MAX_PAIRS = 10_000;

export interface WhoMayCallDeps {
  readonly clock: Clock;
  readonly random: () => number;
}

/** Lets others work between two destinations. @param namespaces of the destinations */
export async function whoMayCall(
  resources: FeedResources,
  namespaces: ReadonlySet<string>,
  { clock, random }: WhoMayCallDeps,
): Promise<Permissions> {
  const lenient = meshModel(withPolicies(resources, lenientSpec), clock, random);
  const strict = meshModel(withPolicies(resources, strictSpec), clock, random);
  const clients = clientsOf(lenient);
  const all = destinationsOf(lenient, namespaces);
  const shown = all.slice(0, Math.max(1, Math.floor(MAX_PAIRS / clients.length)));
  const destinations: Destination[] = [];
  for (const destination of shown) {
    const callers: Record<string, Permission> = {};
    for (const { id, source } of clients) {
      const passes = (model: MeshModel) => isLetThrough(model, source, destination, random);
      callers[id] = !passes(lenient) ? 'none' : passes(strict) ? 'all' : 'some';
    }
    destinations.push({ id: idOf(destination.service), port: destination.port, callers });
    await new Promise((resolve) => setImmediate(resolve));
  }
  const named = clients.map(({ id, identity }): Client => ({ id, identity }));
  return { clients: named, destinations, leftOut: all.length - shown.length };
}

/** One pod of each workload: all are alike to policies. Waypoints call for others, never of their own. */
function clientsOf({
  state,
}: MeshModel): { readonly id: string; readonly identity: string; readonly source: CallSource }[] {
  const pods = [...state.workloads()].filter(({ nativeTunnel }) => !nativeTunnel);
  const byWorkload = new Map(pods.map((pod) => [`${pod.namespace}/${pod.workloadName || pod.name}`, pod]));
  const known = [...byWorkload]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([id, pod]) => ({ id, identity: identityText(pod), source: pod }));
  return [...known, { id: OUTSIDE, identity: '', source: undefined }];
}

function identityText(pod: Workload): string {
  return pod.protocol === 'HBONE' ? workloadIdentity(pod) : '';
}

type ServiceCall = CallDestination & { readonly service: Service };

/** The first port of each service that has endpoints, but for those of waypoints. */
function destinationsOf({ state }: MeshModel, namespaces: ReadonlySet<string>): ServiceCall[] {
  return [...state.services()].flatMap((service): ServiceCall[] => {
    const endpoints = [...state.endpoints(`${service.namespace}/${service.hostname}`).values()];
    const [endpoint] = endpoints;
    const [port] = service.ports.keys();
    const ip = service.vips[0]?.address ?? endpoint?.workload.addresses[0];
    if (!namespaces.has(service.namespace) || endpoint === undefined || port === undefined || ip === undefined)
      return [];
    if (endpoints.every(({ workload }) => workload.nativeTunnel)) return [];
    const call = { port, name: service.hostname, service, workload: undefined };
    // The pods of a headless service are called by their own addresses.
    return service.vips.length > 0 ? [{ ...call, ip }] : [{ ...call, ip, port: endpoint.ports.get(port) || port }];
  });
}

function idOf({ namespace, name }: Service): string {
  return `${namespace}/${name}`;
}

function isLetThrough(model: MeshModel, source: CallSource, destination: ServiceCall, random: () => number): boolean {
  const headless = destination.service.vips.length === 0;
  const called = headless ? model.state.workloadByAddress('', destination.ip) : undefined;
  const asked = called === undefined ? destination : { ...destination, service: undefined, workload: called };
  const hops = explainCall(model, { source, destination: asked, method: 'GET', path: '/', headers: [] }, random);
  return hops.every(({ verdict }) => verdict === 'passes');
}

/** Routes are left out: what they do not lead anywhere is no question of who may call. */
function withPolicies(
  resources: FeedResources,
  change: (rule: Rule, denies: boolean) => Rule | undefined,
): FeedResources {
  const policies = (resources.get(WAYPOINT_POLICY_TYPE) ?? []).flatMap((resource) => changed(resource, change));
  return new Map([...resources, [WAYPOINT_POLICY_TYPE, policies], [SERVICE_ROUTES_TYPE, []]]);
}

interface Rule {
  readonly from?: readonly unknown[];
  readonly to?: readonly unknown[];
  readonly when?: readonly unknown[];
}

/** A denial without rules denies nothing, and is none; a permission without rules permits nothing, and counts. */
function changed(
  resource: ReceivedResource,
  change: (rule: Rule, denies: boolean) => Rule | undefined,
): ReceivedResource[] {
  const policy = WaypointPolicy.decode(resource.bytes);
  if (policy.kind !== 'AuthorizationPolicy') return [resource];
  const manifest = JSON.parse(policy.manifest.toString('utf8')) as {
    readonly spec?: { readonly action?: string; readonly rules?: readonly Rule[] };
  };
  const { action = 'ALLOW', rules: written = [] } = manifest.spec ?? {};
  if (action !== 'ALLOW' && action !== 'DENY') return [resource];
  const rules = written.map((rule) => change(rule, action === 'DENY')).filter((rule) => rule !== undefined);
  if (rules.length === 0 && action === 'DENY') return [];
  const spec = { ...manifest.spec, rules: rules.length === 0 ? undefined : rules };
  const bytes = WaypointPolicy.encode({
    ...policy,
    manifest: Buffer.from(JSON.stringify({ ...manifest, spec })),
  }).finish();
  return [{ ...resource, bytes }];
}

function isConditional({ to = [], when = [] }: Rule): boolean {
  return to.length + when.length > 0;
}

function sourceOnly({ from }: Rule): Rule {
  return from === undefined ? {} : { from };
}

/** The request is one that is allowed, and not denied. */
function lenientSpec(rule: Rule, denies: boolean): Rule | undefined {
  if (denies) return isConditional(rule) ? undefined : rule;
  return sourceOnly(rule);
}

/** The request is one that is denied, and not allowed. */
function strictSpec(rule: Rule, denies: boolean): Rule | undefined {
  if (denies) return sourceOnly(rule);
  return isConditional(rule) ? undefined : rule;
}
