/** The way between two ends of a mesh: what the proxies on it find when they try it, and what policies say. */
import { AmbitError } from '../../base/errors.ts';
import type { CheckFinding } from '../../install/pre-check.ts';
import type { MeshState } from '../../mesh/mesh-state.ts';
import { parseIpAddress } from '../../model/address.ts';
import { type MeshProxy, proxyName } from '../../model/mesh-proxy.ts';
import type { ProbeReport } from '../../model/probe-step.ts';
import { serviceKey } from '../../model/service.ts';
import type { Workload } from '../../model/workload.ts';
import { explainCall, type Hop } from '../explain/explain-call.ts';
import { type CallDestination, findDestination, findSource, nameOf } from '../explain/find-ends.ts';
import type { MeshModel } from '../explain/mesh-model.ts';
import type { MeshAccess } from '../mesh/mesh-access.ts';
import { askProbe } from './ask-probe.ts';

export interface PathEnds {
  readonly from: string;
  readonly to: string;
  readonly namespace: string | undefined;
  readonly port: number | undefined;
  /** Of the request that policies and routes are asked about. */
  readonly method: string;
  readonly path: string;
}

/** All endpoints of a service are alike; of many these are tried. */
const SHOWN_ENDPOINTS = 3;

/** @throws AmbitError END_UNKNOWN for a source that is not there or not in the mesh */
export async function checkPath(
  access: MeshAccess,
  model: MeshModel,
  ends: PathEnds,
): Promise<readonly CheckFinding[]> {
  const source = sourceOf(model.state, ends);
  const proxies = await access.proxies();
  const ztunnel = proxies.find(({ role, node }) => role === 'ztunnel' && node === source.node);
  if (ztunnel === undefined) {
    const hint = 'ambit status shows the ztunnels: connections of pods of a node without one are refused';
    return [
      {
        group: 'Client',
        level: 'error',
        text: `there is no ztunnel on node ${source.node} of ${nameOf(source)}`,
        hint,
      },
    ];
  }
  const destination = destinationOf(model.state, ends, source);
  const report = await askProbe(access, ztunnel, {
    pod: `${source.namespace}/${source.name}`,
    name: dnsName(ends.to, destination),
    destination,
  });
  const group = `${nameOf(source)} at ${proxyName(ztunnel)}`;
  if (destination === undefined) return findingsOf(group, report);
  const call = { source, destination, method: ends.method, path: ends.path, headers: [] };
  const [way, ...decisions] = explainCall(model, call, Math.random);
  return [
    ...findingsOf(group, report, way?.change),
    ...(await waypointFindings(access, model.state, destination, proxies, report)),
    ...decisions.map((hop) => findingOf(hop, ends)),
  ];
}

function sourceOf(state: MeshState, { from, namespace }: PathEnds): Workload {
  const source = findSource(state, from, namespace);
  if (source?.protocol === 'HBONE') return source;
  const who = source === undefined ? 'a client outside the mesh' : nameOf(source);
  throw new AmbitError(
    'END_UNKNOWN',
    `${who} is not in the mesh, no proxy can try its way: ambit explain ${from} ... says what becomes of it`,
  );
}

/** Undefined for a name that the mesh does not know: its proxy is asked for the name all the same. */
function destinationOf(
  state: MeshState,
  { to, namespace, port }: PathEnds,
  source: Workload,
): CallDestination | undefined {
  try {
    return findDestination(state, to, namespace ?? source.namespace, port);
  } catch (error) {
    if (error instanceof AmbitError && error.message.startsWith('there is no service')) return undefined;
    throw error;
  }
}

/** What a program would ask for; undefined for addresses and pods, which have no name in DNS. */
function dnsName(to: string, destination: CallDestination | undefined): string | undefined {
  const host = to.replace(/:\d+$/, '');
  if (parseIpAddress(host.replace(/^\[|\]$/g, '')) !== undefined) return undefined;
  const { workload, name, port } = destination ?? {};
  if (workload !== undefined && name === `${nameOf(workload)}:${port}`) return undefined;
  const [first = '', second] = host.split('/');
  return second === undefined ? first : `${second}.${first}`;
}

/** @param noWay what to do where there is no way; empty for nothing better than what the proxy says */
function findingsOf(group: string, { steps }: ProbeReport, noWay = ''): CheckFinding[] {
  return steps.map(({ step, level, text, hint }) => {
    const better = step === 'route' && level === 'error' ? noWay : '';
    return { group, level, text, hint: better || hint };
  });
}

/** The second half of the way, when the first ends at a waypoint. */
async function waypointFindings(
  access: MeshAccess,
  state: MeshState,
  destination: CallDestination,
  proxies: readonly MeshProxy[],
  { next }: ProbeReport,
): Promise<readonly CheckFinding[]> {
  const waypoint = proxies.find((proxy) => proxy.role === 'waypoint' && proxyName(proxy) === next);
  if (waypoint === undefined) return [];
  const all = endpointsOf(state, destination);
  const endpoints = all.slice(0, SHOWN_ENDPOINTS);
  const reports = await Promise.all(
    endpoints.map(async ({ workload, port }) => {
      const [ip] = workload.addresses;
      const group = `waypoint ${next} to ${nameOf(workload)}`;
      return ip === undefined ? [] : findingsOf(group, await askProbe(access, waypoint, { destination: { ip, port } }));
    }),
  );
  const left = all.length - endpoints.length;
  const more = {
    group: `waypoint ${next}`,
    level: 'ok',
    text: `${left} more endpoints were not tried`,
    hint: '',
  } as const;
  return left > 0 ? [...reports.flat(), more] : reports.flat();
}

function endpointsOf(state: MeshState, { service, workload, port }: CallDestination) {
  if (service === undefined) return workload === undefined ? [] : [{ workload, port }];
  return [...state.endpoints(serviceKey(service)).values()].map((endpoint) => ({
    workload: endpoint.workload,
    port: endpoint.ports.get(port) ?? service.ports.get(port) ?? port,
  }));
}

/** What policies and routes say of the request. */
function findingOf({ where, verdict, reason, remarks, change }: Hop, { method, path }: PathEnds): CheckFinding {
  return {
    group: `Policies and routes, for ${method} ${path}`,
    level: verdict === 'passes' ? 'ok' : 'error',
    text: [`${where}: ${reason}`, ...remarks].join('; '),
    hint: change,
  };
}
