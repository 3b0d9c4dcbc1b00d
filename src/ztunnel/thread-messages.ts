/**
 * What the control thread and the data threads say to each other: plain data, copied on the way. Every request carries
 * a number that its answer repeats. Descriptors are numbers of the process and valid in every thread; the control thread
 * owns them and closes them only after all data threads let go of the pod.
 */

import type { ProxyErrorCode } from '../hbone/proxy-error.ts';
import type { StateChange } from '../mesh/mesh-state.ts';
import type { SpiffeId } from '../model/spiffe.ts';
import type { WorkloadCertificate } from '../pki/workload-certificate.ts';
import type { MetricFamily } from '../telemetry/exposition.ts';
import type { StackSample } from '../telemetry/pprof.ts';
import type { TapFilter, TapRecord } from '../telemetry/tap.ts';
import type { RevocationKey } from '../tls/revocation-list.ts';
import type { ConnectionSummary } from './data/connection-tracker.ts';
import type { PodInfo } from './data/local-workload.ts';
import type { PodPorts } from './data/pod-proxy.ts';

/** A pod as the agent handed it over. */
export interface PodAssignment {
  readonly uid: string;
  readonly info: PodInfo;
  /** Undefined: the process's own namespace. */
  readonly netnsFd: number | undefined;
  /** Set for this process's own endpoints: only tunnels to these ports are served, nothing is captured. */
  readonly servedPorts?: readonly number[];
}

/** A certificate, or the reason why there is none. */
export type CertificateAnswer =
  | { readonly kind: 'certificate'; readonly certificate: WorkloadCertificate }
  | { readonly kind: 'error'; readonly code: ProxyErrorCode; readonly message: string };

export type ControlMessage =
  | { readonly type: 'state'; readonly changes: readonly StateChange[] }
  | { readonly type: 'certificate'; readonly identity: SpiffeId; readonly answer: CertificateAnswer }
  | { readonly type: 'forget-certificate'; readonly identity: SpiffeId }
  | { readonly type: 'addresses-answered'; readonly keys: readonly string[] }
  | { readonly type: 'addresses-overdue'; readonly keys: readonly string[] }
  | { readonly type: 'addresses-forgotten'; readonly keys: readonly string[] }
  | { readonly type: 'revocations'; readonly keys: readonly RevocationKey[] }
  | { readonly type: 'start-pod'; readonly request: number; readonly pod: PodAssignment }
  | { readonly type: 'stop-pod'; readonly request: number; readonly uid: string }
  | { readonly type: 'drain'; readonly request: number; readonly deadlineMs: number }
  | { readonly type: 'connections'; readonly request: number }
  | { readonly type: 'metrics'; readonly request: number }
  | {
      readonly type: 'profile-cpu';
      readonly request: number;
      readonly durationMs: number;
      readonly frequencyHz: number;
    }
  | { readonly type: 'sample-heap'; readonly request: number; readonly active: boolean }
  | { readonly type: 'profile-heap'; readonly request: number }
  | { readonly type: 'log-filter'; readonly directives: string }
  /** Who looks at connections, and at which; none any more. */
  | { readonly type: 'tap'; readonly filters: readonly TapFilter[] }
  | { readonly type: 'compact-heap'; readonly request: number }
  | { readonly type: 'ping'; readonly request: number };

/** The answers by the type of their request. */
export interface DataAnswers {
  'start-pod': { readonly ports: PodPorts } | { readonly error: string };
  'stop-pod': undefined;
  drain: undefined;
  connections: readonly (readonly [podUid: string, connections: readonly ConnectionSummary[]])[];
  metrics: readonly MetricFamily[];
  'profile-cpu': readonly StackSample[] | undefined;
  'sample-heap': undefined;
  'profile-heap': readonly StackSample[] | undefined;
  'compact-heap': undefined;
  ping: undefined;
}

export type DataMessage =
  | { readonly type: 'answer'; readonly request: number; readonly body: DataAnswers[keyof DataAnswers] }
  /** A connection that somebody looks for ended; so many were left out before it. */
  | { readonly type: 'tapped'; readonly record: TapRecord; readonly skipped: number }
  | { readonly type: 'certificate-wanted'; readonly identity: SpiffeId }
  | { readonly type: 'address-wanted'; readonly key: string };

/** Either end of a thread's line. */
export interface MessageLine<Out, In> {
  post(message: Out): void;
  onMessage(receive: (message: In) => void): void;
}
