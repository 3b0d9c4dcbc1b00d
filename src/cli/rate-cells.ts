/** Cells of tables of traffic. */
import type { EdgePeer, EdgeService } from '../traffic/edges.ts';

/** `workload.namespace`. */
export function peerName({ workload, namespace }: EdgePeer): string {
  return workload === '' ? 'unknown' : `${workload}.${namespace}`;
}

/** `name.namespace`; a minus for none. */
export function serviceName({ name, namespace }: EdgeService): string {
  return name === '' ? '-' : `${name}.${namespace}`;
}

/** A share from 0 to 1. */
export function percent(share: number | undefined): string {
  return share === undefined ? '-' : `${(share * 100).toFixed(2)}%`;
}

/** A minus for none. */
export function perSecond(value: number): string {
  return value === 0 ? '-' : value.toFixed(1);
}

export function milliseconds(value: number | undefined): string {
  return value === undefined ? '-' : `${value < 10 ? value.toFixed(1) : Math.round(value)}ms`;
}
