/** A contestant, as the bench sees it: proxies between a client pod and a server pod. */
import type { LabPod } from '../../test/helpers/netns.ts';
import type { Cores } from './process-cost.ts';

/** The applications in the server's pod, by the ports of the names. */
export const APPLICATIONS = { echo: 9001, bulk: 9002, http: 9003 } as const;
export type Application = keyof typeof APPLICATIONS;

export interface ProxyPair {
  /** Where the client connects to reach the server's applications. */
  readonly host: string;
  readonly ports: Readonly<Record<Application, number>>;
  readonly clientPid: number;
  readonly serverPid: number;
  stop(): Promise<void>;
}

export interface Contestant {
  readonly name: string;
  readonly pair: ProxyPair;
  readonly client: LabPod;
  readonly cores: Cores;
  /** Ends proxies and applications. */
  stop(): Promise<void>;
}

export interface PairOptions {
  /** The pair's own. */
  readonly folder: string;
  readonly client: LabPod;
  readonly server: LabPod;
  /** Data threads of each proxy. */
  readonly threads: number;
  /** Where all of them run, as `taskset` takes it. */
  readonly cores: string;
}
