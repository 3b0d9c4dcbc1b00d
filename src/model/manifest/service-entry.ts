/** ServiceEntry (networking.istio.io; facts l7-and-control 6.2). */
import { type Cidr, type IpAddress, parseCidr, parseIpAddress } from '../address.ts';
import type { FieldReader } from './field-reader.ts';
import { isHostname } from './hostname.ts';
import type { Labels, ObjectMeta } from './object-meta.ts';
import { type EndpointSpec, readEndpoint } from './workload-entry.ts';

export type Resolution = 'NONE' | 'STATIC' | 'DNS' | 'DNS_ROUND_ROBIN' | 'DYNAMIC_DNS';

export interface ServiceEntryPort {
  readonly number: number;
  readonly name: string;
  readonly protocol: string;
  /** 0: the same as `number`. */
  readonly targetPort: number;
}

export interface ServiceEntryObject {
  readonly kind: 'ServiceEntry';
  readonly meta: ObjectMeta;
  readonly hosts: readonly string[];
  readonly addresses: readonly IpAddress[];
  readonly cidrs: readonly Cidr[];
  readonly ports: readonly ServiceEntryPort[];
  readonly meshInternal: boolean;
  readonly resolution: Resolution;
  readonly endpoints: readonly EndpointSpec[];
  readonly workloadSelector: Labels | undefined;
  readonly subjectAltNames: readonly string[];
  /** Addresses that a controller allocated, by host. */
  readonly allocated: ReadonlyMap<string, readonly IpAddress[]>;
}

const RESOLUTIONS = ['NONE', 'STATIC', 'DNS', 'DNS_ROUND_ROBIN', 'DYNAMIC_DNS'] as const;
const MAX_HOSTS = 256;
const KNOWN = [
  'hosts',
  'addresses',
  'ports',
  'location',
  'resolution',
  'endpoints',
  'workloadSelector',
  'exportTo',
  'subjectAltNames',
];

export function readServiceEntry(meta: ObjectMeta, root: FieldReader): ServiceEntryObject {
  const spec = root.child('spec');
  spec.onlyKnown(KNOWN);
  const { addresses, cidrs } = readVips(spec);
  const entry: ServiceEntryObject = {
    kind: 'ServiceEntry',
    meta,
    hosts: readHosts(spec),
    addresses,
    cidrs,
    ports: readPorts(spec),
    meshInternal: spec.oneOf('location', ['MESH_EXTERNAL', 'MESH_INTERNAL']) === 'MESH_INTERNAL',
    resolution: spec.oneOf('resolution', RESOLUTIONS) ?? 'NONE',
    endpoints: spec.children('endpoints').map(readEndpoint),
    workloadSelector: readWorkloadSelector(spec),
    subjectAltNames: spec.nonEmptyStrings('subjectAltNames'),
    allocated: readAllocated(root.child('status')),
  };
  checkCombination(spec, entry);
  return entry;
}

function checkCombination(spec: FieldReader, entry: ServiceEntryObject): void {
  const { resolution, endpoints, workloadSelector, hosts } = entry;
  if (endpoints.length > 0 && workloadSelector !== undefined) {
    spec.report('workloadSelector', 'cannot be combined with endpoints');
  }
  if (resolution === 'NONE' && endpoints.length > 0) spec.report('endpoints', 'cannot be used with resolution NONE');
  if (entry.cidrs.length > 0 && resolution !== 'NONE' && resolution !== 'STATIC') {
    spec.report('addresses', `CIDR blocks need resolution NONE or STATIC, not ${resolution}`);
  }
  const isDns = resolution === 'DNS' || resolution === 'DNS_ROUND_ROBIN';
  if (isDns && endpoints.length === 0 && workloadSelector === undefined && hosts.some((host) => host.startsWith('*'))) {
    spec.report('hosts', `a wildcard host needs endpoints with resolution ${resolution}`);
  }
  if (resolution === 'DNS_ROUND_ROBIN' && endpoints.length > 1) {
    spec.report('endpoints', 'DNS_ROUND_ROBIN takes one endpoint at most');
  }
  if (resolution === 'STATIC' && endpoints.some((endpoint) => endpoint.address === undefined)) {
    spec.report('endpoints', 'resolution STATIC needs IP addresses');
  }
}

function readHosts(spec: FieldReader): string[] {
  const hosts = spec.nonEmptyStrings('hosts').map((host) => host.toLowerCase());
  if (hosts.length === 0) spec.report('hosts', 'needs at least one host');
  if (hosts.length > MAX_HOSTS) spec.report('hosts', `has more than ${MAX_HOSTS} entries`);
  for (const host of hosts) {
    if (!isHostname(host, true)) spec.report('hosts', `"${host}" is not a host name`);
  }
  return hosts;
}

function readVips(spec: FieldReader): { addresses: IpAddress[]; cidrs: Cidr[] } {
  const addresses: IpAddress[] = [];
  const cidrs: Cidr[] = [];
  for (const text of spec.strings('addresses')) {
    const address = parseIpAddress(text);
    const cidr = parseCidr(text);
    if (address !== undefined) addresses.push(address);
    else if (cidr !== undefined) cidrs.push(cidr);
    else spec.report('addresses', `"${text}" is not an IP address or CIDR block`);
  }
  return { addresses, cidrs };
}

function readPorts(spec: FieldReader): ServiceEntryPort[] {
  const numbers = new Set<number>();
  const names = new Set<string>();
  return spec.children('ports').map((entry) => {
    entry.onlyKnown(['number', 'name', 'protocol', 'targetPort']);
    const number = entry.integer('number', 1, 65535) ?? 0;
    if (!entry.has('number')) entry.report('number', 'is required');
    const name = entry.string('name') ?? '';
    if (numbers.has(number)) entry.report('number', `port ${number} is listed twice`);
    if (names.has(name)) entry.report('name', `the name "${name}" is used twice`);
    numbers.add(number);
    names.add(name);
    const targetPort = entry.integer('targetPort', 1, 65535) ?? 0;
    return { number, name, protocol: entry.string('protocol') ?? '', targetPort };
  });
}

function readWorkloadSelector(spec: FieldReader): Labels | undefined {
  const selector = spec.child('workloadSelector');
  selector.onlyKnown(['labels']);
  const labels = selector.stringMap('labels');
  return labels.size === 0 ? undefined : labels;
}

function readAllocated(status: FieldReader): Map<string, IpAddress[]> {
  const allocated = new Map<string, IpAddress[]>();
  for (const entry of status.children('addresses')) {
    const address = parseIpAddress(entry.string('value') ?? '');
    const host = entry.string('host') ?? '';
    if (address !== undefined) allocated.set(host, [...(allocated.get(host) ?? []), address]);
  }
  return allocated;
}
