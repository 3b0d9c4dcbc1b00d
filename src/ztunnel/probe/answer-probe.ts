/**
 * Whether a probe is allowed, and the pod that it starts from.
 *
 * Invariant: a probe has a descriptor of its own of the pod's namespace. That of the pod is closed when the pod goes, and its
 * number may be another's while the probe goes on.
 */
import { closeSync, openSync } from 'node:fs';
import { findAddress } from '../../mesh/find-service.ts';
import type { ProbeReport } from '../../model/probe-step.ts';
import type { ProbeQuestion } from '../../telemetry/probe-routes.ts';
import { LocalWorkload } from '../data/local-workload.ts';
import type { PodManager } from '../pod-manager.ts';
import type { PathProbeDeps } from './path-probe-deps.ts';
import { type ProbedPod, probePath } from './probe-path.ts';

export interface AnswerProbeDeps extends PathProbeDeps {
  readonly pods: Pick<PodManager, 'served'>;
}

export async function answerProbe(
  { pod, name, destination }: ProbeQuestion,
  deps: AnswerProbeDeps,
): Promise<ProbeReport | { readonly refused: string }> {
  const from = podNamed(pod, deps);
  if (typeof from === 'string') return { refused: from };
  const { network, namespace } = from.workload;
  if (destination !== undefined && findAddress(deps.state, network, destination.ip, namespace) === undefined) {
    return { refused: `${destination.ip} is nobody of the mesh: only addresses that the feed knows are tried` };
  }
  const netnsFd = from.netnsFd === undefined ? undefined : openSync(`/proc/self/fd/${from.netnsFd}`, 'r');
  try {
    return await probePath({ ...from, netnsFd }, { name, destination }, deps);
  } finally {
    if (netnsFd !== undefined) closeSync(netnsFd);
  }
}

/** The reason where there is none. */
function podNamed(pod: string | undefined, { config, state, clock, pods }: AnswerProbeDeps): ProbedPod | string {
  const [namespace = '', name = ''] = pod?.split('/') ?? [];
  const assignment = pods.served(namespace, name);
  const info = assignment?.info ?? (pod === undefined ? config.dedicatedWorkload : undefined);
  if (info === undefined) return `pod ${pod ?? ''} is not served here: it is on another node, or not in the mesh`;
  const workload = new LocalWorkload(info, state, clock).current();
  if (workload === undefined) return `the feed does not know ${info.namespace}/${info.name} yet`;
  return { workload, netnsFd: assignment?.netnsFd };
}
