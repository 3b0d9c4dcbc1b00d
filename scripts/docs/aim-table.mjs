// The aims in docs/benchmarks.md, and what was measured.

import { atMost } from './aim.mjs';
import { l4Aims } from './aims-l4.mjs';
import { l7Aims } from './aims-l7.mjs';
import { memoryAims } from './aims-memory.mjs';
import { readResults } from './bench-results.mjs';
import { controlAims } from './control-tables.mjs';
import { table } from './markdown.mjs';
import { policyDecisionUs } from './micro-table.mjs';

/** Each is what, what was measured (a number, or a spread where there are rounds), the aim. */
function aims() {
  return [
    ...memoryAims(readResults('memory-sidecars'), readResults('memory-cluster')),
    ...l4Aims(readResults('l4')),
    ...l7Aims(readResults('l7')),
    ['policy decision with 10,000 policies, median, µs', policyDecisionUs(), atMost(2)],
    ...controlAims(readResults('push'), readResults('memory')),
  ];
}

const MOST_DIGITS = 6;
/** Aims below 1 have three digits. */
const digitsOf = (value) => (value < 1 ? 3 : 2);

/** With more digits where rounding would move it to the other side of its aim. */
function shown(value, aim) {
  let digits = digitsOf(value);
  while (digits < MOST_DIGITS && aim.holds(Number(value.toFixed(digits))) !== aim.holds(value)) digits += 1;
  return value.toFixed(digits);
}

/** Each aim with what was measured. */
export function aimTable() {
  const rows = aims().map(([what, found, aim]) => {
    const value = typeof found === 'number' ? found : found.middle;
    const rounds = typeof found === 'number' ? '–' : `${shown(found.least, aim)} to ${shown(found.most, aim)}`;
    return [what, shown(value, aim), rounds, aim.text, aim.holds(value) ? 'reached' : '**missed**'];
  });
  return table(['', 'measured', 'least to most of the rounds', 'aim', ''], rows);
}
