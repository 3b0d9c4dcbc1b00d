/** Services and the EndpointSlices of services without a selector. */
import { type IpAddress, parseIpAddress } from '../address.ts';
import type { FieldReader } from './field-reader.ts';
import type { Labels, ObjectMeta } from './object-meta.ts';
import { type PortProtocol, readPortOrName } from './pod.ts';

export interface ServicePort {
  readonly name: string;
  readonly port: number;
  readonly protocol: PortProtocol;
  /** A number, or the name of a container port. */
  readonly targetPort: number | string;
  readonly appProtocol: string;
}

export interface ServiceObject {
  readonly kind: 'Service';
  readonly meta: ObjectMeta;
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName';
  /** Undefined: endpoints come from EndpointSlices. */
  readonly selector: Labels | undefined;
  readonly ports: readonly ServicePort[];
  readonly headless: boolean;
  /** As in the manifest; empty: to be allocated, unless the service is headless. */
  readonly clusterIps: readonly IpAddress[];
  readonly families: readonly ('IPv4' | 'IPv6')[];
  readonly dualStackWanted: boolean;
  readonly publishNotReadyAddresses: boolean;
  readonly internalTrafficPolicy: 'Cluster' | 'Local';
  readonly trafficDistribution: string;
}

export interface SliceEndpoint {
  readonly addresses: readonly string[];
  readonly ready: boolean;
  readonly nodeName: string;
  readonly zone: string;
}

export interface EndpointSliceObject {
  readonly kind: 'EndpointSlice';
  readonly meta: ObjectMeta;
  /** Name of the service in the same namespace; empty: of none. */
  readonly service: string;
  /** Written by Kubernetes from a selector; the pods themselves say the same. */
  readonly derived: boolean;
  readonly addressType: 'IPv4' | 'IPv6' | 'FQDN';
  readonly endpoints: readonly SliceEndpoint[];
  readonly ports: readonly { readonly name: string; readonly port: number; readonly protocol: PortProtocol }[];
}

const TYPES = ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'] as const;
const PROTOCOLS = ['TCP', 'UDP', 'SCTP'] as const;
const ADDRESS_TYPES = ['IPv4', 'IPv6', 'FQDN'] as const;
const NO_ADDRESS = 'None';
const SLICE_CONTROLLER = 'endpointslice-controller.k8s.io';

export function readService(meta: ObjectMeta, root: FieldReader): ServiceObject {
  const spec = root.child('spec');
  const headless = spec.raw('clusterIP') === NO_ADDRESS || isNoneList(spec.raw('clusterIPs'));
  const type = spec.oneOf('type', TYPES) ?? 'ClusterIP';
  const families = spec.strings('ipFamilies').filter((family) => family === 'IPv4' || family === 'IPv6');
  return {
    kind: 'Service',
    meta,
    type,
    selector: readSelector(spec),
    ports: readPorts(spec, type),
    headless,
    clusterIps: headless ? [] : readClusterIps(spec),
    families,
    dualStackWanted: families.length > 1 || (spec.string('ipFamilyPolicy') ?? '').endsWith('DualStack'),
    publishNotReadyAddresses: spec.boolean('publishNotReadyAddresses') ?? false,
    internalTrafficPolicy: spec.oneOf('internalTrafficPolicy', ['Cluster', 'Local']) ?? 'Cluster',
    trafficDistribution: spec.string('trafficDistribution') ?? '',
  };
}

function readSelector(spec: FieldReader): Labels | undefined {
  const selector = spec.stringMap('selector');
  return selector.size === 0 ? undefined : selector;
}

function readClusterIps(spec: FieldReader): IpAddress[] {
  const listed = spec.addresses('clusterIPs');
  if (listed.length > 0) return listed;
  const single = spec.string('clusterIP') ?? '';
  if (single === '') return [];
  const address = parseIpAddress(single);
  if (address === undefined) spec.report('clusterIP', `"${single}" is not an IP address`);
  return address === undefined ? [] : [address];
}

function readPorts(spec: FieldReader, type: ServiceObject['type']): ServicePort[] {
  const seen = new Set<string>();
  const ports = spec.children('ports').map((entry, _index, all) => {
    const port = entry.integer('port', 1, 65535) ?? 0;
    if (!entry.has('port')) entry.report('port', 'is required');
    const protocol = entry.oneOf('protocol', PROTOCOLS) ?? 'TCP';
    if (seen.has(`${protocol}/${port}`)) entry.report('port', `${protocol} port ${port} is listed twice`);
    seen.add(`${protocol}/${port}`);
    const name = entry.string('name') ?? '';
    if (all.length > 1 && name === '') entry.report('name', 'is required when a service has several ports');
    const targetPort = entry.has('targetPort') ? readPortOrName(entry, 'targetPort') : port;
    return { name, port, protocol, targetPort, appProtocol: entry.string('appProtocol') ?? '' };
  });
  return type === 'ExternalName' ? [] : ports;
}

export function readEndpointSlice(meta: ObjectMeta, root: FieldReader): EndpointSliceObject {
  return {
    kind: 'EndpointSlice',
    meta,
    service: meta.labels.get('kubernetes.io/service-name') ?? '',
    derived: meta.labels.get('endpointslice.kubernetes.io/managed-by') === SLICE_CONTROLLER,
    addressType: root.oneOf('addressType', ADDRESS_TYPES) ?? 'IPv4',
    endpoints: root.children('endpoints').map((endpoint) => ({
      addresses:
        root.string('addressType') === 'FQDN' ? endpoint.strings('addresses') : endpoint.addresses('addresses'),
      ready: endpoint.child('conditions').boolean('ready') ?? true,
      nodeName: endpoint.string('nodeName') ?? '',
      zone: endpoint.string('zone') ?? '',
    })),
    ports: root.children('ports').map((port) => ({
      name: port.string('name') ?? '',
      port: port.integer('port', 1, 65535) ?? 0,
      protocol: port.oneOf('protocol', PROTOCOLS) ?? 'TCP',
    })),
  };
}

function isNoneList(value: unknown): boolean {
  return Array.isArray(value) && value[0] === NO_ADDRESS;
}
