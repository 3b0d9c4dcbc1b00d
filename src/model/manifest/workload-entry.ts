/** WorkloadEntry, and the endpoints of a ServiceEntry, which have the same shape (facts l7-and-control 6.2, 6.3). */
import { type IpAddress, parseIpAddress } from '../address.ts';
import type { FieldReader } from './field-reader.ts';
import { isHostname } from './hostname.ts';
import type { Labels, ObjectMeta } from './object-meta.ts';

export interface EndpointSpec {
  /** The address as written. */
  readonly text: string;
  /** Undefined when the endpoint is named by DNS. */
  readonly address: IpAddress | undefined;
  readonly hostname: string;
  /** Port number by service port name. */
  readonly ports: ReadonlyMap<string, number>;
  readonly labels: Labels;
  readonly network: string;
  /** `region/zone/subzone`. */
  readonly locality: string;
  readonly weight: number;
  readonly serviceAccount: string;
}

export interface WorkloadEntryObject {
  readonly kind: 'WorkloadEntry';
  readonly meta: ObjectMeta;
  readonly endpoint: EndpointSpec;
}

const MAX_WEIGHT = 0xffff_ffff;
const KNOWN = ['address', 'ports', 'labels', 'network', 'locality', 'weight', 'serviceAccount'];

export function readWorkloadEntry(meta: ObjectMeta, root: FieldReader): WorkloadEntryObject {
  return { kind: 'WorkloadEntry', meta, endpoint: readEndpoint(root.child('spec')) };
}

/** Reads one endpoint; labels of the object itself are added by the caller. */
export function readEndpoint(spec: FieldReader): EndpointSpec {
  spec.onlyKnown(KNOWN);
  const text = spec.required('address');
  const address = parseIpAddress(text);
  if (text !== '' && address === undefined && !isHostname(text, false)) {
    spec.report('address', `"${text}" is neither an IP address nor a host name`);
  }
  return {
    text,
    address,
    hostname: address === undefined ? text.toLowerCase() : '',
    ports: readPorts(spec.child('ports')),
    labels: spec.stringMap('labels'),
    network: spec.string('network') ?? '',
    locality: spec.string('locality') ?? '',
    weight: spec.integer('weight', 0, MAX_WEIGHT) ?? 1,
    serviceAccount: spec.string('serviceAccount') ?? '',
  };
}

function readPorts(reader: FieldReader): Map<string, number> {
  const ports = new Map<string, number>();
  for (const name of reader.names()) {
    const port = reader.integer(name, 1, 65535);
    if (port !== undefined) ports.set(name, port);
  }
  return ports;
}
