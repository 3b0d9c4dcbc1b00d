/** Labels of endpoints, as far as subsets and failover priorities of DestinationRules ask for them. */
import type { Labels } from '../../model/manifest/object-meta.ts';
import { GATEWAY_NAME_LABEL } from '../../model/waypoint-objects.ts';
import type { Workload } from '../../model/workload.ts';
import type { WorkloadLabels } from '../../proto/gen/ambit.ts';
import type { BuildContext } from '../build-context.ts';
import { labelsAskedFor } from './rule-labels.ts';

/** Undefined where nobody asks, or the workload has nothing of what is asked for. */
export function buildWorkloadLabels(
  { destinationRules }: BuildContext,
  workload: Workload,
  labels: Labels,
): WorkloadLabels | undefined {
  const wanted = new Set<string>();
  for (const key of workload.services.keys()) {
    const hostname = key.slice(key.indexOf('/') + 1);
    for (const rule of destinationRules.of(hostname)) for (const name of labelsAskedFor(rule)) wanted.add(name);
  }
  // A waypoint's own labels are what those of endpoints are compared with.
  if (labels.has(GATEWAY_NAME_LABEL)) for (const name of destinationRules.priorityLabels()) wanted.add(name);
  const found = [...labels].filter(([name]) => wanted.has(name));
  return found.length === 0 ? undefined : { uid: workload.uid, labels: new Map(found) };
}
