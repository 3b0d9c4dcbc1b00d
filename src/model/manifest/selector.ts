/** The `selector.matchLabels` of Istio's security resources. */
import type { FieldReader } from './field-reader.ts';
import type { Labels } from './object-meta.ts';

/** The labels that select workloads; undefined when nothing is selected and the object is namespace-wide. */
export function readMatchLabels(spec: FieldReader): Labels | undefined {
  const selector = spec.child('selector');
  selector.onlyKnown(['matchLabels']);
  const labels = selector.stringMap('matchLabels');
  for (const [key, value] of labels) {
    if (key === '' || key.includes('*') || value.includes('*')) {
      selector.report('matchLabels', `"${key}: ${value}": wildcards and empty keys are not supported in a selector`);
    }
  }
  return labels.size === 0 ? undefined : labels;
}
