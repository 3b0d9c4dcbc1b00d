// What bench/results/l4.json holds beside speed: requests against sidecars, latencies at a fixed pace, two cores, memory with
// many tunnels and after a burst; for docs/benchmarks.md.
import { readResults } from './bench-results.mjs';
import { CONTESTANTS, cell, ratioCell } from './bench-table.mjs';
import { latencyTable } from './latency-table.mjs';
import { table } from './markdown.mjs';
import { named, ratioOf, ratioText, spreadOf, spreadText } from './samples.mjs';

const mib = (bytes) => `${(bytes / 1024 ** 2).toFixed(0)} MiB`;

/** Requests through ambit and through sidecars that know HTTP. */
function sidecarTable({ sidecars }) {
  const rows = sidecars.map((line) => [
    line.name,
    cell(line, named(line.results, 'ambit')),
    cell(line, named(line.results, 'envoy')),
    ratioCell(line, 'envoy'),
  ]);
  const titles = ['against sidecars', CONTESTANTS.ambit, CONTESTANTS.envoy, 'ambit / sidecars'];
  return `${table(titles, rows)}\n\n${UNEQUAL}`;
}

/** As bench/README.md says it. */
const UNEQUAL = [
  'These sidecars are behind the same redirection as ambit, with an HTTP filter chain on both sides and mutual TLS between them;',
  'nobody writes an access log. ambit asks policy for every connection and counts its telemetry. Of sidecars as Istio configures',
  'them, telemetry, policies and the rest of the mesh are left out, in their favour; they read HTTP, which a tunnel does not.',
].join('\n');

const FIELDS = ['p50Us', 'p99Us', 'p999Us'];

/** Beside bulk there are some hundred requests only, of which no thousandth can be told. */
function latencies({ pace, paceByFortio, underBulk }) {
  const title = ({ perSecond, connections }) =>
    `${perSecond.toLocaleString('en')} requests a second, ${connections} connections`;
  const beside = (result) => `, beside bulk of ${spreadText(spreadOf(result, 'gigabitsPerSecond'))} Gbit/s`;
  const peer = 'haproxy';
  return latencyTable(
    [
      { results: pace, title, fields: FIELDS, peer },
      { results: paceByFortio, title: (one) => `${title(one)}, by fortio`, fields: FIELDS, peer },
      { results: underBulk, title: (one) => title(one) + beside(one), fields: ['p50Us', 'p99Us'], peer },
    ],
    { fields: FIELDS, nameOf: (name) => CONTESTANTS[name] },
  );
}

/** How much faster a pair with two threads on two cores is than with one on one. */
function coreTable({ twoCores }) {
  const text = ({ results, unit }, name) => {
    const [one, two] = [name, `${name}-2`].map((of) => spreadText(spreadOf(named(results, of), 'rate')));
    return `${one} → ${two} ${unit}<br>${ratioText(ratioOf(results, `${name}-2`, name, 'rate'))} times`;
  };
  const rows = twoCores.map((line) => [line.name, text(line, 'ambit'), text(line, 'haproxy')]);
  return table(['one thread and core → two of both', CONTESTANTS.ambit, CONTESTANTS.haproxy], rows);
}

function burstTable({ burst }) {
  const sides = (bytes) => bytes.map(mib).join(' / ');
  const rows = burst.map((one) => [
    CONTESTANTS[one.name],
    sides(one.beforeBytes),
    sides(one.burstBytes),
    sides(one.afterBytes),
  ]);
  const seconds = burst[0].waitMs / 1000;
  return table(['anonymous memory, client / server', 'before a burst', 'at its end', `${seconds} s later`], rows);
}

function manyTunnelsText({ memory }) {
  const { tunnels, addedBytes, anonymousBytes } = named(memory, 'ambit').manyTunnels;
  const [client, server] = addedBytes.map(mib);
  const count = tunnels.toLocaleString('en');
  return `With ${count} idle tunnels ambit's proxies have ${client} and ${server} more, ${anonymousBytes.map(mib).join(' and ')} in all.`;
}

/** All tables. */
export function l4Details() {
  const l4 = readResults('l4');
  return [sidecarTable(l4), latencies(l4), coreTable(l4), burstTable(l4), manyTunnelsText(l4)].join('\n\n');
}
