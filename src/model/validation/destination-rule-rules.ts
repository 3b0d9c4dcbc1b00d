/** The semantic rules of DestinationRule (facts l7-and-control 2.6). */
import type { FieldReader, ReportProblem } from '../manifest/field-reader.ts';
import { isNamespaceName } from '../manifest/object-meta.ts';
import { hostProblem } from './host-rules.ts';
import { checkTrafficPolicy } from './traffic-policy-rules.ts';
import { checkLabels, quoted } from './value-rules.ts';
import { checkExportTo } from './visibility-rules.ts';

export function checkDestinationRule(spec: FieldReader, warn: ReportProblem): void {
  const problem = hostProblem(spec.string('host') ?? '');
  if (problem !== undefined) spec.report('host', problem);
  checkExportTo(spec, 'somebody');
  checkTrafficPolicy(spec.child('trafficPolicy'), warn);
  checkSubsets(spec.children('subsets'), warn);
  const selector = spec.child('workloadSelector');
  checkLabels(selector.child('matchLabels'));
  if (selector.isPresent && spec.strings('exportTo').some((name) => name !== '.')) {
    spec.report('exportTo', 'must be "." with a workloadSelector, which selects in its own namespace only');
  }
}

function checkSubsets(subsets: readonly FieldReader[], warn: ReportProblem): void {
  const names = new Set<string>();
  for (const subset of subsets) {
    const name = subset.string('name');
    if (name !== undefined) {
      if (!isNamespaceName(name)) subset.report('name', `${quoted(name)} is not a DNS label`);
      else if (names.has(name)) subset.report('name', `the name ${quoted(name)} is used twice`);
      names.add(name);
    }
    checkLabels(subset.child('labels'));
    checkTrafficPolicy(subset.child('trafficPolicy'), warn);
  }
}
