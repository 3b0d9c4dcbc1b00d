// Memory of a node in docs/benchmarks.md: sidecars against the node's own programs, in namespaces and on a cluster.
import { measured, readResults } from './bench-results.mjs';
import { table } from './markdown.mjs';

const TITLES = [
  'MB',
  'sidecars, PSS',
  'RSS',
  'anonymous',
  'ztunnel and agent, PSS',
  'RSS',
  'anonymous',
  'alone',
  'ratio: alone, PSS, RSS',
  'waypoint, anonymous',
  'CPU, sidecars / ambit, ms/s',
];
const mb = (bytes) => (bytes / 1e6).toFixed(0);
const memory = ({ pssBytes, rssBytes, anonymousBytes }) => [pssBytes, rssBytes, anonymousBytes].map(mb);
/** A single pod has no CPU: its calls stay inside it. */
const known = (value) => (Number.isFinite(value) ? value.toFixed(0) : '–');
const NO_CPU = '– / –';
const count = (number, what) => `${number} ${what}${number === 1 ? '' : 's'}`;

/** What both sides hold and spend. The memory of a waypoint is in no ratio: a namespace has one, not a node. */
function row({ pods, services }, { sidecars, node, waypoint, cpu, answers }) {
  const ratio = (field) => `1/${(sidecars[field] / node[field]).toFixed(1)}`;
  return [
    `${count(pods, 'pod')}, ${count(services, 'service')}`,
    ...memory(sidecars),
    ...memory(node),
    mb(node.aloneBytes),
    ['aloneBytes', 'pssBytes', 'rssBytes'].map(ratio).join(', '),
    mb(waypoint.anonymousBytes),
    cpu.map(known).join(' / '),
    ...(answers === undefined ? [] : [answers.map(known).join(' / ')]),
  ];
}

/** Under the calls. */
function inNamespaces(results) {
  const rows = results.lines.map((line) => {
    const { sidecars, node, waypoint } = line;
    const cpu = [sidecars.cpuMsPerSec, node.cpuMsPerSec];
    const answers = [sidecars.answersPerSec, node.answersPerSec];
    return row(line, { sidecars: sidecars.busy, node: node.busy, waypoint, cpu, answers });
  });
  const introduction = [
    `Pods in network namespaces. ${measured(results)}`,
    'Calls go from pod to pod, past the waypoint: its memory is in a column of its own and in no ratio, and CPU is that of ztunnel',
    `and agent. Each pod was to make ${results.callsPerSecond} calls a second; on a busy machine there are fewer, so CPU is for that many answers.`,
    ...(rows.some((cells) => cells.at(-2) === NO_CPU)
      ? ['A single pod calls itself, past the proxies of ambit: its CPU says nothing.']
      : []),
  ].join('\n');
  return `${introduction}\n\n${table([...TITLES, 'answers/s, sidecars / ambit'], rows)}`;
}

/** Calls go through the waypoint there, so its CPU is part of the sum. */
function onCluster(results) {
  const rows = results.lines.map((line) => {
    const { sidecars, node, waypoint } = line;
    return row(line, { ...line, cpu: [sidecars.cpuMsPerSec, node.cpuMsPerSec + waypoint.cpuMsPerSec] });
  });
  const introduction = [
    `On a node of a cluster. ${measured(results)}`,
    'Calls go to services and so through the waypoint, whose CPU is in the sum; its memory is in no ratio here either.',
  ].join('\n');
  return `${introduction}\n\n${table(TITLES, rows)}`;
}

/** Two tables: each file has a time and a machine of its own. */
export function nodeMemoryTable() {
  return [inNamespaces(readResults('memory-sidecars')), onCluster(readResults('memory-cluster'))].join('\n\n');
}
