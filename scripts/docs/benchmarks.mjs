// docs/benchmarks.md: what bench/results holds, against what was aimed at; its plots.
import { readFileSync } from 'node:fs';
import { ratioByRound } from '../../bench/quantiles.ts';
import { atLeast, atMost } from './aim.mjs';
import { barPlot } from './bench-plot.mjs';
import { controlAims, pushTable, reconnectTable } from './control-tables.mjs';
import { l4DetailAims, l4Details } from './l4-details.mjs';
import { table } from './markdown.mjs';
import { policyDecisionUs } from './micro-table.mjs';

const read = (name) => JSON.parse(readFileSync(new URL(`../../bench/results/${name}.json`, import.meta.url), 'utf8'));
const results = () => ({
  l4: read('l4'),
  l7: read('l7'),
  memory: read('memory-sidecars'),
  push: read('push'),
  control: read('memory'),
  reconnect: read('reconnect'),
});
const of = (line, name) => line.results.find((one) => one.name === name);
const mb = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`;
const where = ({ date, commit, machine }) => `${date.slice(0, 10)}, ${commit}, ${machine.cpu}, ${machine.cores} cores`;

/** `ambit / peer`, of a field of a line. */
function ratio(line, peer, field) {
  return ratioByRound(of(line, 'ambit').samples, of(line, peer).samples, (round) => round[field]);
}

/** What was aimed at: what, the ratio or number, the aim. */
function aims({ l4, l7, memory, push, control }) {
  const l4Line = (text) => l4.lines.find(({ name }) => name === text);
  const l7Line = (title, connections) =>
    l7.lines.find((line) => line.title === title && line.connections === connections);
  const node = (pods) => memory.lines.find((line) => line.pods === pods && line.services === 100);
  const nodeRatio = (pods, field) => node(pods).node.busy[field] / node(pods).sidecars.busy[field];
  const mesh = 'through the mesh, mutual TLS';
  const [sixteen, sixtyFour, one] = ['16 connections', '64 connections', '1 connection'].map((text) =>
    l4Line(`1 KB requests, ${text}`),
  );
  const idle = l4.memory.find(({ name }) => name === 'ambit').idleTunnel;
  return [
    [
      'a node of 30 pods, 100 services, against sidecars: memory, program files once',
      nodeRatio(30, 'aloneBytes'),
      atMost(0.167),
    ],
    ['the same: PSS, of which other programs on Node take a share', nodeRatio(30, 'pssBytes'), atMost(0.167)],
    ['the same: RSS', nodeRatio(30, 'rssBytes'), atMost(0.083)],
    ['a node of 100 pods: memory, program files once', nodeRatio(100, 'aloneBytes'), atMost(0.067)],
    ['the same: PSS', nodeRatio(100, 'pssBytes'), atMost(0.067)],
    ['the same: RSS', nodeRatio(100, 'rssBytes'), atMost(0.029)],
    ['L4, CPU per request against HAProxy, 16 connections', ratio(sixteen, 'haproxy', 'cpuUsPerUnit'), atMost(0.9)],
    ['L4, CPU per request against HAProxy, 64 connections', ratio(sixtyFour, 'haproxy', 'cpuUsPerUnit'), atMost(0.65)],
    ['L4, requests per second, 16 connections', ratio(sixteen, 'haproxy', 'rate'), atLeast(1.15)],
    ['L4, requests per second, 64 connections', ratio(sixtyFour, 'haproxy', 'rate'), atLeast(1.3)],
    ['L4, median latency, one connection', ratio(one, 'haproxy', 'p50Us'), atMost(1.1)],
    ['new tunnels per second, warm pool', ratio(l4Line('new tunnels, 16 parallel'), 'haproxy', 'rate'), atLeast(4)],
    ['bulk, one stream', ratio(l4Line('bulk, 1 stream'), 'haproxy', 'rate'), atLeast(1.1)],
    ['bulk, one stream, CPU per GB', ratio(l4Line('bulk, 1 stream'), 'haproxy', 'cpuUsPerUnit'), atMost(0.95)],
    ...l4DetailAims(l4),
    ['idle tunnel, the dearer side, KiB', Math.max(idle.clientBytes, idle.serverBytes) / 1024, atMost(5)],
    [
      'waypoint as a plain proxy against Envoy, CPU, 16 connections',
      ratio(l7Line('plain in and out', 16), 'envoy', 'cpuUsPerRequest'),
      atMost(0.7),
    ],
    [
      'waypoint as a plain proxy against Envoy, CPU, 64 connections',
      ratio(l7Line('plain in and out', 64), 'envoy', 'cpuUsPerRequest'),
      atMost(0.7),
    ],
    [
      'waypoint as a plain proxy against Envoy, requests per second, 64 connections',
      ratio(l7Line('plain in and out', 64), 'envoy', 'perSecond'),
      atLeast(1.4),
    ],
    [
      'whole L7 path against a sidecar pair, CPU, 16 connections',
      ratio(l7Line(mesh, 16), 'envoy sidecars', 'cpuUsPerRequest'),
      atMost(0.9),
    ],
    [
      'whole L7 path against a sidecar pair, CPU, 64 connections',
      ratio(l7Line(mesh, 64), 'envoy sidecars', 'cpuUsPerRequest'),
      atMost(0.9),
    ],
    ['the same at 1,000 requests a second: p99', l7.pace[0].p99Us / l7.pace[1].p99Us, atMost(1)],
    ['5,000 routes and backends at a waypoint, MB', l7.memory.addedBytes / 1e6, atMost(60)],
    ['policy decision with 10,000 policies, median, µs', policyDecisionUs(), atMost(2)],
    ...controlAims(push, control),
  ];
}

/** Tunnels: latencies, cores, memory. */
export function l4DetailTables() {
  return l4Details(results().l4);
}

/** The control plane: pushes, and proxies that connect. */
export function controlTables() {
  const { push, reconnect } = results();
  return { push: pushTable(push), reconnect: reconnectTable(reconnect) };
}

/** Each aim with what was measured. */
export function aimTable() {
  const rows = aims(results()).map(([what, value, aim]) => [
    what,
    value.toFixed(value < 0.1 ? 3 : 2),
    aim.text,
    aim.holds(value) ? 'reached' : '**missed**',
  ]);
  return table(['', 'measured', 'aim', ''], rows);
}

/** Sidecars against the node's own programs. */
export function nodeMemoryTable() {
  const { memory } = results();
  const row = (name, sidecars, node, waypoint, cpu) => [
    name,
    `${mb(sidecars.pssBytes)} / ${mb(sidecars.rssBytes)}`,
    `${mb(node.aloneBytes)} / ${mb(node.rssBytes)}`,
    `1/${(sidecars.aloneBytes / node.aloneBytes).toFixed(1)} / 1/${(sidecars.rssBytes / node.rssBytes).toFixed(1)}`,
    mb(waypoint.anonymousBytes),
    `${cpu.map((msPerSec) => msPerSec.toFixed(0)).join(' / ')} ms/s`,
  ];
  const local = memory.lines.map(({ pods, services, sidecars, node, waypoint }) =>
    row(`${pods} pods, ${services} services`, sidecars.busy, node.busy, waypoint, [
      sidecars.cpuMsPerSec,
      node.cpuMsPerSec,
    ]),
  );
  const onCluster = read('memory-cluster').lines.map(({ pods, services, sidecars, node, waypoint }) =>
    row(`${pods} pods, ${services} services, a node of a cluster`, sidecars, node, waypoint, [
      sidecars.cpuMsPerSec,
      node.cpuMsPerSec + waypoint.cpuMsPerSec,
    ]),
  );
  const rows = [...local, ...onCluster];
  const titles = [
    '',
    'sidecars, PSS / RSS',
    'ztunnel and agent, alone / RSS',
    'ratio',
    'waypoint, anonymous',
    'CPU, sidecars / ambit',
  ];
  return `Measured ${where(memory)}.\n\n${table(titles, rows)}`;
}

/** The waypoint's engine, and the whole path. */
export function l7Table() {
  const { l7 } = results();
  const rows = l7.lines.flatMap((line) =>
    line.results.map(({ name, perSecond, cpuUsPerRequest }) => [
      `${line.title}, ${line.connections} connections`,
      name,
      Math.round(perSecond).toLocaleString('en'),
      `${cpuUsPerRequest.toFixed(1)} µs`,
    ]),
  );
  const pace = l7.pace.map(
    ({ name, perSecond, p50Us, p99Us }) =>
      `- ${name}, ${perSecond.toLocaleString('en')} requests a second: p50 ${(p50Us / 1000).toFixed(1)} ms, p99 ${(p99Us / 1000).toFixed(1)} ms`,
  );
  const routes = `- ${l7.memory.services.toLocaleString('en')} services with a route each: ${mb(l7.memory.addedBytes)} on top of ${mb(l7.memory.beforeBytes)} of a waypoint`;
  const titles = ['', 'contestant', 'requests/s', 'CPU per request'];
  return `Measured ${where(l7)}; medians of ${l7.rounds} rounds of ${l7.seconds} s, in turns.\n\n${table(titles, rows)}\n\n${[...pace, routes].join('\n')}`;
}

/** By file name. */
export function benchPlots() {
  const { memory, l7, l4 } = results();
  const memoryGroups = memory.lines
    .filter(({ services }) => services === 100)
    .map(({ pods, sidecars, node }) => ({
      name: `${pods} pods`,
      bars: [
        { name: 'ztunnel and agent', value: node.busy.rssBytes, text: mb(node.busy.rssBytes) },
        { name: 'Envoy sidecars', value: sidecars.busy.rssBytes, text: mb(sidecars.busy.rssBytes) },
      ],
    }));
  const cpu = (lines, nameOf, field) =>
    lines.map((line) => ({
      name: nameOf(line),
      bars: line.results.map((one) => ({ name: one.name, value: one[field], text: `${one[field].toFixed(1)} µs` })),
    }));
  return {
    'bench-memory.svg': barPlot('Resident memory of a node, 100 services', memoryGroups),
    'bench-l4.svg': barPlot(
      'CPU per request, tunnel in and out',
      cpu(
        l4.lines.filter(({ name }) => name.startsWith('1 KB')),
        ({ name }) => name.slice(15),
        'cpuUsPerUnit',
      ),
    ),
    'bench-l7.svg': barPlot(
      'CPU per request, waypoint',
      cpu(l7.lines, ({ title, connections }) => `${title.split(',')[0]}, ${connections}`, 'cpuUsPerRequest'),
    ),
  };
}
