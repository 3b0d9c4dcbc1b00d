/** A node agent, as its keeper knows it: kubelet on a cluster, the engine of `ambit up`. */

export interface MeshAgent {
  readonly namespace: string;
  /** Of its pod. */
  readonly name: string;
  readonly node: string;
  readonly ready: boolean;
  /** How often it was started again. */
  readonly restarts: number;
  /** How it ended last, as `status 1` or a signal; empty while it never did. */
  readonly lastExit: string;
  /** When, by wall clock; undefined while it never did. */
  readonly lastExitMs?: number | undefined;
}
