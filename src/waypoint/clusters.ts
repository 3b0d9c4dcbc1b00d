/** Stand-in. */

import type { Service } from '../model/service.ts';
import type { Workload } from '../model/workload.ts';
import type { TrafficPolicy } from '../proto/gen/ambit.ts';
import type { Endpoint, Upstreams } from './upstreams.ts';

export interface ClusterKey {
  readonly service: Service;
  readonly port: number;
  readonly subset: string;
}
export interface PickRequest {
  readonly hashKey: string | undefined;
  readonly avoid: ReadonlySet<string>;
}
export type Outcome =
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'connect-failure' | 'timeout' | 'reset' };
export interface Permit {
  release(): void;
}
export interface PickedEndpoint {
  readonly endpoint: Endpoint;
  done(outcome: Outcome | undefined): void;
}
export interface Cluster {
  readonly policy: TrafficPolicy | undefined;
  pick(self: Workload, request: PickRequest): PickedEndpoint | undefined;
  admitRequest(): Permit | undefined;
  admitRetry(): Permit | undefined;
}
const FREE: Permit = { release: () => undefined };
export class Clusters {
  readonly #upstreams: Upstreams;
  constructor(upstreams: Upstreams) {
    this.#upstreams = upstreams;
  }
  get(key: ClusterKey): Cluster | undefined {
    if (key.subset !== '') return undefined;
    return {
      policy: undefined,
      pick: (self) => {
        const picked = this.#upstreams.pick({ kind: 'service', service: key.service, port: key.port }, self);
        return picked.ok ? { endpoint: picked.value, done: () => undefined } : undefined;
      },
      admitRequest: () => FREE,
      admitRetry: () => FREE,
    };
  }
}
