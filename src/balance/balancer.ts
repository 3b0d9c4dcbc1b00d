/** What all ways of choosing one host out of a list have in common (facts l7-and-control 10.5). */

/** A host as balancers see it; whoever owns the host counts its requests. */
export interface BalancedHost {
  /** Where it is on a hash ring: its address. */
  readonly hashKey: string;
  /** Requests that are under way. */
  readonly active: number;
  /** When it came. */
  readonly addedMs: number;
}

/** A host and its share in relation to the others of its list; always more than 0. */
export interface WeightedHost<H extends BalancedHost> {
  readonly host: H;
  readonly weight: number;
}

/** The circumstances of one pick. */
export interface PickContext {
  /** Of the request's key; undefined: any point will do. */
  readonly hash: bigint | undefined;
  readonly nowMs: number;
  readonly random: () => number;
}

/** Made for a list that does not change. */
export interface Balancer<H extends BalancedHost> {
  /** Undefined when the list is empty. */
  pick(context: PickContext): H | undefined;
}
