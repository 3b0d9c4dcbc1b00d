/** A program of the mesh that can be asked about itself: its admin endpoint, its metrics. */

export type ProxyRole = 'control' | 'ztunnel' | 'waypoint';

export interface MeshProxy {
  readonly role: ProxyRole;
  readonly namespace: string;
  /** Of its pod. */
  readonly name: string;
  /** Empty where it is on none. */
  readonly node: string;
  /** Empty while it has none. */
  readonly ip: string;
  readonly ready: boolean;
}

/** `namespace/name`, by which people and interfaces name it. */
export function proxyName({ namespace, name }: Pick<MeshProxy, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`;
}
