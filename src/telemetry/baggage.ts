/** The `baggage` header of tunnels: who the workload at this end is, for telemetry only (facts ztunnel-wire 7.2). */
import type { Workload } from '../model/workload.ts';
import type { PeerLabels } from './traffic-labels.ts';

const WORKLOAD_KEYS = ['deployment', 'cronjob', 'pod', 'job'].map((type) => `k8s.${type}.name`);
/** More members than any proxy writes; what follows is ignored. */
const MAX_MEMBERS = 32;
const MAX_VALUE_LENGTH = 256;

/** The header of a workload; empty values are left out. */
export function formatBaggage(workload: Workload): string {
  const members: [string, string][] = [
    ['k8s.cluster.name', workload.clusterId],
    ['k8s.namespace.name', workload.namespace],
    [`k8s.${workload.workloadType}.name`, workload.workloadName],
    ['service.name', workload.canonicalName],
    ['service.version', workload.canonicalRevision],
    ['cloud.region', workload.locality.region],
    ['cloud.availability_zone', workload.locality.zone],
  ];
  return members
    .filter(([, value]) => value !== '')
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}

/** The header of a workload that is asked for again and again: the one behind a proxy. */
export class OwnBaggage {
  #workload: Workload | undefined;
  #text = '';

  of(workload: Workload): string {
    if (workload !== this.#workload) {
      this.#workload = workload;
      this.#text = formatBaggage(workload);
    }
    return this.#text;
  }
}

/** What a peer says of itself. Members that are not understood are ignored; values are cut to a bounded length. */
export function parseBaggage(header: string): PeerLabels {
  const members = new Map<string, string>();
  for (const member of header.split(',', MAX_MEMBERS)) {
    const equals = member.indexOf('=');
    if (equals <= 0) continue;
    // Properties after a semicolon belong to the member and are not part of its value (W3C Baggage 3.2.1).
    const [value = ''] = member.slice(equals + 1).split(';', 1);
    members.set(member.slice(0, equals).trim(), value.trim().slice(0, MAX_VALUE_LENGTH));
  }
  const text = (key: string) => members.get(key) ?? '';
  const workloadKey = WORKLOAD_KEYS.find((key) => members.has(key)) ?? '';
  return {
    workload: text(workloadKey),
    namespace: text('k8s.namespace.name'),
    canonicalService: text('service.name'),
    canonicalRevision: text('service.version'),
    cluster: text('k8s.cluster.name'),
    region: text('cloud.region'),
    zone: text('cloud.availability_zone'),
  };
}
