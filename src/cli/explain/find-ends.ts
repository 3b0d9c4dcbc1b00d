/** The client and the destination that a person means. */
import { AmbitError } from '../../base/errors.ts';
import type { MeshState } from '../../mesh/mesh-state.ts';
import { type IpAddress, parseIpAddress } from '../../model/address.ts';
import { parsePort } from '../../model/port.ts';
import type { Service } from '../../model/service.ts';
import type { Workload } from '../../model/workload.ts';

/** Undefined for a client that is none of the mesh. */
export type CallSource = Workload | undefined;

export interface CallDestination {
  readonly ip: IpAddress;
  readonly port: number;
  /** What was called, as people name it. */
  readonly name: string;
  readonly service: Service | undefined;
  readonly workload: Workload | undefined;
}

/** The word for a client that is none of the mesh. */
export const OUTSIDE = 'outside';

/** By `NAME`, `NAME.NAMESPACE` or `NAMESPACE/NAME` of a pod or of what its pods belong to. @throws AmbitError END_UNKNOWN */
export function findSource(state: MeshState, text: string, namespace: string | undefined): CallSource {
  if (text === OUTSIDE) return undefined;
  const found = workloadsNamed(state, text, namespace);
  const [first] = found;
  if (first !== undefined) return only(found, text) ?? first;
  const hint = `name a pod or its Deployment as NAME.NAMESPACE, or say ${OUTSIDE} for a client that is not in the mesh`;
  throw new AmbitError('END_UNKNOWN', `there is no workload "${text}": ${hint}`);
}

/** A service, a pod or an address, with `:PORT` where it has several. @throws AmbitError END_UNKNOWN */
export function findDestination(
  state: MeshState,
  text: string,
  namespace: string | undefined,
  wantedPort: number | undefined,
): CallDestination {
  const [, host = text, written] = /^(\[[^\]]*\]|[^:]*):([^:]*)$/.exec(text) ?? [];
  const port = written === undefined ? wantedPort : portOf(written);
  const ip = parseIpAddress(host.replace(/^\[|\]$/g, ''));
  if (ip !== undefined) {
    if (port === undefined) throw new AmbitError('END_UNKNOWN', `an address needs a port: ${host}:80, or --port`);
    return { ip, port, name: text, ...ownerOf(state, ip) };
  }
  const service = serviceNamed(state, host, namespace);
  if (service !== undefined) return ofService(state, service, port);
  const [workload] = workloadsNamed(state, host, namespace);
  const [address] = workload?.addresses ?? [];
  if (workload === undefined || address === undefined) {
    throw new AmbitError('END_UNKNOWN', `there is no service and no pod "${host}": name it as NAME.NAMESPACE`);
  }
  if (port === undefined) throw new AmbitError('END_UNKNOWN', `a pod needs a port: ${host}:8080, or --port`);
  return { ip: address, port, name: `${nameOf(workload)}:${port}`, service: undefined, workload };
}

/** @throws AmbitError END_UNKNOWN */
function portOf(text: string): number {
  const port = parsePort(text);
  if (port === undefined) throw new AmbitError('END_UNKNOWN', `"${text}" is no port: they are from 1 to 65535`);
  return port;
}

/** `name.namespace`. */
export function nameOf({ name, namespace }: Pick<Workload, 'name' | 'namespace'>): string {
  return `${name}.${namespace}`;
}

function ofService(state: MeshState, service: Service, wantedPort: number | undefined): CallDestination {
  const ports = [...service.ports.keys()];
  const port = wantedPort ?? (ports.length === 1 ? ports[0] : undefined);
  if (port === undefined) {
    throw new AmbitError('END_UNKNOWN', `${nameOf(service)} has ports ${ports.join(', ')}: say which, with --port`);
  }
  const name = `${nameOf(service)}:${port}`;
  const [vip] = service.vips;
  if (vip !== undefined) return { ip: vip.address, port, name, service, workload: undefined };
  // Of a headless service clients get the addresses of the pods.
  const endpoints = [...state.endpoints(`${service.namespace}/${service.hostname}`).values()];
  const ip = endpoints.map(({ workload }) => workload.addresses[0]).find((address) => address !== undefined);
  if (ip === undefined) throw new AmbitError('END_UNKNOWN', `${nameOf(service)} has neither an address nor endpoints`);
  return { ip, port, name, ...ownerOf(state, ip) };
}

function ownerOf(state: MeshState, ip: IpAddress): Pick<CallDestination, 'service' | 'workload'> {
  const service = [...state.services()].find(({ vips }) => vips.some(({ address }) => address === ip));
  const workload = [...state.workloads()].find(({ addresses }) => addresses.includes(ip));
  return service === undefined ? { service, workload } : { service, workload: undefined };
}

function serviceNamed(state: MeshState, host: string, namespace: string | undefined): Service | undefined {
  const [byHostname] = state.servicesByHostname(host);
  if (byHostname !== undefined) return byHostname;
  const named = parseName(host);
  const found = [...state.services()].filter(
    (service) => service.name === named.name && isIn(service.namespace, named.namespace ?? namespace),
  );
  return only(found, host);
}

function workloadsNamed(state: MeshState, text: string, namespace: string | undefined): Workload[] {
  const named = parseName(text);
  return [...state.workloads()].filter(
    (workload) =>
      (workload.name === named.name || workload.workloadName === named.name || workload.name === text) &&
      isIn(workload.namespace, named.namespace ?? namespace),
  );
}

/** `NAME`, `NAME.NAMESPACE[.svc…]` or `NAMESPACE/NAME`. */
function parseName(text: string): { readonly name: string; readonly namespace: string | undefined } {
  const slash = text.indexOf('/');
  if (slash > 0) return { name: text.slice(slash + 1), namespace: text.slice(0, slash) };
  const [name = text, namespace] = text.split('.');
  return { name, namespace };
}

function isIn(namespace: string, wanted: string | undefined): boolean {
  return wanted === undefined || namespace === wanted;
}

/** @throws AmbitError END_UNKNOWN when they are in several namespaces */
function only<T extends { readonly name: string; readonly namespace: string }>(
  found: readonly T[],
  text: string,
): T | undefined {
  const namespaces = [...new Set(found.map(({ namespace }) => namespace))];
  if (namespaces.length <= 1) return found[0];
  throw new AmbitError('END_UNKNOWN', `"${text}" is in several namespaces: ${namespaces.join(', ')}; say which`);
}
