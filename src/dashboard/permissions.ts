/** Who may call whom, as policies have it. */

/** `some`: it depends on what is asked for. */
export type Permission = 'all' | 'some' | 'none';

export interface Client {
  /** `namespace/workload`; `outside` for who is not in the mesh. */
  readonly id: string;
  /** Empty where it has none. */
  readonly identity: string;
}

export interface Destination {
  /** `namespace/service`. */
  readonly id: string;
  readonly port: number;
  /** By id of the client. */
  readonly callers: Readonly<Record<string, Permission>>;
}

export interface Permissions {
  readonly clients: readonly Client[];
  readonly destinations: readonly Destination[];
  /** How many of them are left out, because there are too many to be judged at once. */
  readonly leftOut: number;
}

/** The client that is not in the mesh. */
export const OUTSIDE = 'outside';
