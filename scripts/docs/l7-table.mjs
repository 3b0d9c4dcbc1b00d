// Waypoints in docs/benchmarks.md: the engine alone, the whole path, both of bench/results/l7.json.
import { measured, readResults } from './bench-results.mjs';
import { latencyTable } from './latency-table.mjs';
import { table } from './markdown.mjs';
import { ratioOf, ratioText, spreadOf, spreadText } from './samples.mjs';

/** As bench/README.md says it. */
const UNEQUAL = [
  'The sidecars of "through the mesh" and of the pace are called on a port of their own: no redirection, no policy, no access log.',
  'ambit captures, tunnels twice, asks policy, and writes its access log.',
].join('\n');

function introduction(l7) {
  return [
    measured(l7),
    `Medians of ${l7.rounds} rounds of ${l7.seconds} s, with the least and the most of them. All proxies of a contestant share one core,`,
    'contestants take turns. Ratios are medians of those in each round.',
  ].join('\n');
}

function speedTable({ lines }) {
  const rows = lines.flatMap(({ title, connections, results }) =>
    results.map((result) => [
      `${title}, ${connections} connections`,
      result.name,
      spreadText(spreadOf(result, 'perSecond')),
      `${spreadText(spreadOf(result, 'cpuUsPerRequest'))} µs`,
      result.name === 'ambit' ? '' : ratioText(ratioOf(results, 'ambit', result.name, 'cpuUsPerRequest')),
    ]),
  );
  return table(['', 'contestant', 'requests/s', 'CPU per request', 'CPU, ambit / this one'], rows);
}

function paceTable({ pace }) {
  const fields = ['p50Us', 'p99Us'];
  const title = ({ perSecond }) => `${perSecond.toLocaleString('en')} requests a second through the mesh`;
  const group = { results: pace, title, fields, peer: 'envoy sidecars' };
  return latencyTable([group], { fields, nameOf: (name) => name });
}

function routesText({ memory: { services, addedBytes, beforeBytes } }) {
  const mb = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`;
  return `${services.toLocaleString('en')} services with a route each: ${mb(addedBytes)} on top of ${mb(beforeBytes)} of a waypoint.`;
}

/** The waypoint's engine, and the whole path. */
export function l7Table() {
  const l7 = readResults('l7');
  return [introduction(l7), speedTable(l7), UNEQUAL, paceTable(l7), routesText(l7)].join('\n\n');
}
