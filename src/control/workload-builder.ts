/** Pods, WorkloadEntries, inline endpoints and EndpointSlices to the workloads of the feed (facts ztunnel-wire 5.4, 5.8). */
import { type IpAddress, parseIpAddress } from '../model/address.ts';
import { hostnameKey } from '../model/gateway-address.ts';
import { REDIRECTION_ANNOTATION } from '../model/installed-names.ts';
import { serviceAccountOf } from '../model/manifest/core-objects.ts';
import type { EndpointSliceObject, SliceEndpoint } from '../model/manifest/kubernetes-service.ts';
import type { Labels, ObjectMeta } from '../model/manifest/object-meta.ts';
import { isReady, isTerminal, type PodObject } from '../model/manifest/pod.ts';
import type { ServiceEntryObject } from '../model/manifest/service-entry.ts';
import type { EndpointSpec, WorkloadEntryObject } from '../model/manifest/workload-entry.ts';
import { createWorkload, type Locality, NO_LOCALITY, type PortMap, type Workload } from '../model/workload.ts';
import type { BuildContext } from './build-context.ts';
import { serviceHostname } from './mesh-options.ts';
import { policiesOfWorkload } from './policy-binding.ts';
import { entryPorts, podPorts, portsOfEntry, portsOfService, servicesOf } from './service-membership.ts';
import { applicationTunnelOf, bindWaypoint } from './waypoint-binding.ts';

export interface BuiltWorkload {
  readonly workload: Workload;
  /** Something the author should know; undefined when all is well. */
  readonly note: string | undefined;
}

const TUNNEL_LABEL = 'networking.istio.io/tunnel';
const NETWORK_LABEL = 'topology.istio.io/network';
const JOB_OF_CRONJOB = /-\d{8,11}$/;

/** A pod; undefined while it has no address, and once it has ended. */
export function buildPodWorkload(context: BuildContext, pod: PodObject): BuiltWorkload | undefined {
  if (pod.status.addresses.length === 0 || isTerminal(pod)) return undefined;
  const { store, mesh } = context;
  const { meta, spec } = pod;
  const nativeTunnel = meta.labels.get(TUNNEL_LABEL) === 'http';
  const workloadName = workloadNameOf(meta);
  const { waypoint, reason } = bindWaypoint(store, mesh, meta, meta.labels, 'workload');
  const workload = createWorkload({
    ...commonFields(context, meta, meta.labels, workloadName),
    uid: `${mesh.clusterId}//Pod/${meta.namespace}/${meta.name}`,
    addresses: pod.status.addresses,
    network: meta.labels.get(NETWORK_LABEL) ?? mesh.network,
    protocol: nativeTunnel || meta.annotations.get(REDIRECTION_ANNOTATION) === 'enabled' ? 'HBONE' : 'TCP',
    nativeTunnel,
    serviceAccount: serviceAccountOf(spec),
    waypoint,
    node: spec.nodeName,
    applicationTunnel: applicationTunnelOf(store, meta),
    status: isReady(pod) ? 'Healthy' : 'Unhealthy',
    locality: localityOfNode(context, spec.nodeName),
    services: servicesOf(context, meta.namespace, meta.labels, podPorts(pod)),
    networkMode: spec.hostNetwork ? 'HostNetwork' : 'Standard',
  });
  return { workload, note: reason };
}

/** A WorkloadEntry. */
export function buildWorkloadEntry(context: BuildContext, object: WorkloadEntryObject): BuiltWorkload {
  const { store, mesh } = context;
  const { meta, endpoint } = object;
  const labels: Labels = new Map([...meta.labels, ...endpoint.labels]);
  const { waypoint, reason } = bindWaypoint(store, mesh, meta, labels, 'workload');
  const workload = createWorkload({
    ...commonFields(context, meta, labels, meta.name),
    ...endpointFields(context, endpoint, labels),
    uid: `${mesh.clusterId}/networking.istio.io/WorkloadEntry/${meta.namespace}/${meta.name}`,
    waypoint,
    services: servicesOf(context, meta.namespace, labels, entryPorts(endpoint.ports)),
    status: meta.deleting ? 'Unhealthy' : 'Healthy',
  });
  return { workload, note: reason };
}

/** The endpoints of a ServiceEntry: inline ones, its addresses, or its hosts by DNS. */
export function buildServiceEntryWorkloads(context: BuildContext, entry: ServiceEntryObject): Workload[] {
  if (entry.workloadSelector !== undefined || entry.resolution === 'NONE') return [];
  if (entry.endpoints.length > 0) {
    return entry.endpoints.map((endpoint) => inlineEndpoint(context, entry, endpoint, entry.hosts));
  }
  if (entry.resolution === 'STATIC') {
    return entry.addresses.map((address) =>
      inlineEndpoint(context, entry, plainEndpoint(address, address), entry.hosts),
    );
  }
  return entry.hosts
    .filter((host) => !host.startsWith('*'))
    .map((host) => inlineEndpoint(context, entry, plainEndpoint(host, undefined), [host]));
}

/** The addresses of an EndpointSlice that somebody other than Kubernetes wrote for a service without selector. */
export function buildSliceWorkloads(context: BuildContext, slice: EndpointSliceObject): Workload[] {
  const { store } = context;
  const service = store.get('Service', slice.meta.namespace, slice.service);
  if (slice.derived || slice.addressType === 'FQDN' || service === undefined || service.selector !== undefined)
    return [];
  const ports = portsOfService(service.ports, {
    forService: (port) => slice.ports.find((own) => own.name === port.name && own.protocol === port.protocol)?.port,
    forServiceEntry: (port) => port.number,
  });
  const key = hostnameKey(slice.meta.namespace, serviceHostname(context.mesh, slice.meta.namespace, slice.service));
  return slice.endpoints.flatMap((endpoint) =>
    endpoint.addresses.flatMap((text) => sliceWorkload(context, slice, endpoint, text, new Map([[key, ports]]))),
  );
}

function sliceWorkload(
  context: BuildContext,
  slice: EndpointSliceObject,
  endpoint: SliceEndpoint,
  text: string,
  services: ReadonlyMap<string, PortMap>,
): Workload[] {
  const address = parseIpAddress(text);
  if (address === undefined) return [];
  const { clusterId, network, trustDomain } = context.mesh;
  const { namespace, name } = slice.meta;
  const nodeLocality = localityOfNode(context, endpoint.nodeName);
  return [
    createWorkload({
      uid: `${clusterId}/discovery.k8s.io/EndpointSlice/${namespace}/${name}/${text}`,
      name,
      namespace,
      addresses: [address],
      network,
      trustDomain,
      clusterId,
      node: endpoint.nodeName,
      canonicalName: slice.service,
      canonicalRevision: 'latest',
      workloadName: name,
      status: endpoint.ready ? 'Healthy' : 'Unhealthy',
      locality: endpoint.zone === '' ? nodeLocality : { ...nodeLocality, zone: endpoint.zone },
      services,
      networkMode: 'HostNetwork',
    }),
  ];
}

function inlineEndpoint(
  context: BuildContext,
  entry: ServiceEntryObject,
  endpoint: EndpointSpec,
  hosts: readonly string[],
): Workload {
  const { meta } = entry;
  const ports = portsOfEntry(entry.ports, entryPorts(endpoint.ports));
  return createWorkload({
    ...commonFields(context, meta, endpoint.labels, meta.name),
    ...endpointFields(context, endpoint, endpoint.labels),
    uid: `${context.mesh.clusterId}/networking.istio.io/ServiceEntry/${meta.namespace}/${meta.name}/${endpoint.text}`,
    services: new Map([...hosts].sort().map((host) => [hostnameKey(meta.namespace, host), ports])),
  });
}

function commonFields(
  context: BuildContext,
  meta: ObjectMeta,
  labels: Labels,
  workloadName: string,
): Pick<
  Workload,
  | 'name'
  | 'namespace'
  | 'trustDomain'
  | 'clusterId'
  | 'canonicalName'
  | 'canonicalRevision'
  | 'workloadName'
  | 'authorizationPolicies'
> {
  const { store, mesh } = context;
  return {
    name: meta.name,
    namespace: meta.namespace,
    trustDomain: mesh.trustDomain,
    clusterId: mesh.clusterId,
    canonicalName:
      labels.get('service.istio.io/canonical-name') ??
      labels.get('app.kubernetes.io/name') ??
      labels.get('app') ??
      workloadName,
    canonicalRevision:
      labels.get('service.istio.io/canonical-revision') ??
      labels.get('app.kubernetes.io/version') ??
      labels.get('version') ??
      'latest',
    workloadName,
    authorizationPolicies: policiesOfWorkload(store, mesh, meta.namespace, labels),
  };
}

function endpointFields(
  context: BuildContext,
  endpoint: EndpointSpec,
  labels: Labels,
): Pick<
  Workload,
  'addresses' | 'hostname' | 'network' | 'protocol' | 'nativeTunnel' | 'serviceAccount' | 'locality' | 'capacity'
> {
  const nativeTunnel = labels.get(TUNNEL_LABEL) === 'http';
  return {
    addresses: endpoint.address === undefined ? [] : [endpoint.address],
    hostname: endpoint.hostname,
    network: endpoint.network === '' ? context.mesh.network : endpoint.network,
    protocol: nativeTunnel ? 'HBONE' : 'TCP',
    nativeTunnel,
    serviceAccount: endpoint.serviceAccount === '' ? 'default' : endpoint.serviceAccount,
    locality: parseLocality(endpoint.locality),
    capacity: endpoint.weight,
  };
}

function plainEndpoint(text: string, address: IpAddress | undefined): EndpointSpec {
  return {
    text,
    address,
    hostname: address === undefined ? text : '',
    ports: new Map(),
    labels: new Map(),
    network: '',
    locality: '',
    weight: 1,
    serviceAccount: '',
  };
}

/** The name of what owns the pod, with the hash of a Deployment or the time of a CronJob cut off. */
function workloadNameOf(meta: ObjectMeta): string {
  const owner = meta.owners.find((candidate) => candidate.controller) ?? meta.owners[0];
  if (owner === undefined) return meta.name;
  const hash = meta.labels.get('pod-template-hash');
  if (owner.kind === 'ReplicaSet' && hash !== undefined && owner.name.endsWith(`-${hash}`)) {
    return owner.name.slice(0, -hash.length - 1);
  }
  return owner.kind === 'Job' ? owner.name.replace(JOB_OF_CRONJOB, '') : owner.name;
}

function localityOfNode(context: BuildContext, node: string): Locality {
  const labels = node === '' ? undefined : context.store.get('Node', '', node)?.meta.labels;
  if (labels === undefined) return NO_LOCALITY;
  return {
    region: labels.get('topology.kubernetes.io/region') ?? '',
    zone: labels.get('topology.kubernetes.io/zone') ?? '',
    subzone: labels.get('topology.istio.io/subzone') ?? '',
  };
}

function parseLocality(text: string): Locality {
  const [region = '', zone = '', subzone = ''] = text.split('/');
  return { region, zone, subzone };
}
