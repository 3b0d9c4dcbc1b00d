/** Labels of endpoints, as far as subsets and failover priorities of DestinationRules ask for them. */
import type { Labels } from '../../model/manifest/object-meta.ts';
import type { Workload } from '../../model/workload.ts';
import type { WorkloadLabels } from '../../proto/gen/ambit.ts';
import type { BuildContext } from '../build-context.ts';

/** Undefined where nobody asks. */
export function buildWorkloadLabels(
  _context: BuildContext,
  _workload: Workload,
  _labels: Labels,
): WorkloadLabels | undefined {
  return undefined;
}
