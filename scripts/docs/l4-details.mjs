// What bench/results/l4.json holds beside speed: latencies at a fixed pace, two cores, memory with many tunnels and after a
// burst; for docs/benchmarks.md, and as aims.
import { ratioByRound } from '../../bench/quantiles.ts';
import { atLeast, atMost } from './aim.mjs';
import { CONTESTANTS } from './bench-table.mjs';
import { table } from './markdown.mjs';

const MIB = 1024 ** 2;
const ms = (us) => `${(us / 1000).toFixed(us < 10_000 ? 2 : 0)} ms`;
const mib = (bytes) => `${(bytes / MIB).toFixed(0)} MiB`;
const named = (list, name) => list.find((one) => one.name === name);
const ratio = (list, field, peer = 'haproxy') =>
  ratioByRound(named(list, 'ambit').samples, named(list, peer).samples, (round) => round[field]);
/** The dearer of client's and server's side. */
const dearer = (bytes) => Math.max(...bytes);
/** What is left of a burst, in relation to what was there before it. */
const kept = ({ beforeBytes, afterBytes }) => dearer(afterBytes.map((bytes, side) => bytes / beforeBytes[side]));

function latencyTable({ pace, underBulk }) {
  const rows = [...pace, ...underBulk].map((result) => {
    const { perSecond, connections, p50Us, p99Us, p999Us, gigabitsPerSecond } = result;
    const beside = gigabitsPerSecond === undefined ? '' : `, beside bulk of ${gigabitsPerSecond.toFixed(1)} Gbit/s`;
    const what = `${perSecond.toLocaleString('en')} requests a second, ${connections} connections${beside}`;
    return [what, CONTESTANTS[result.name], ms(p50Us), ms(p99Us), ms(p999Us)];
  });
  return table(['', 'contestant', 'p50', 'p99', 'p99.9'], rows);
}

/** Requests through ambit and through sidecars that know HTTP. */
function sidecarTable({ sidecars }) {
  const cell = ({ rate, cpuUsPerUnit, p50Us }) =>
    `${Math.round(rate).toLocaleString('en')} req/s, ${cpuUsPerUnit.toFixed(1)} µs CPU, p50 ${ms(p50Us)}`;
  const rows = sidecars.map(({ name, results }) => [
    name,
    cell(named(results, 'ambit')),
    cell(named(results, 'envoy')),
    ratio(results, 'cpuUsPerUnit', 'envoy').toFixed(2),
  ]);
  return table(['against sidecars', CONTESTANTS.ambit, CONTESTANTS.envoy, 'CPU, ambit / sidecars'], rows);
}

/** How much faster a pair with two threads on two cores is than with one on one. */
function coreTable({ twoCores }) {
  const cell = (line, name) => {
    const [one, two] = [named(line.results, name), named(line.results, `${name}-2`)];
    const shown = (value) => (value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(1));
    return `${shown(one.rate)} → ${shown(two.rate)} ${line.unit}, ${(two.rate / one.rate).toFixed(2)} times`;
  };
  const rows = twoCores.map((line) => [line.name, cell(line, 'ambit'), cell(line, 'haproxy')]);
  return table(['one thread and core → two of both', CONTESTANTS['ambit'], CONTESTANTS['haproxy']], rows);
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
export function l4Details(l4) {
  return [sidecarTable(l4), latencyTable(l4), coreTable(l4), burstTable(l4), manyTunnelsText(l4)].join('\n\n');
}

/** What of it was aimed at. */
export function l4DetailAims(l4) {
  const line = (name) => named(l4.lines, name).results;
  const sidecars = l4.sidecars.map(({ name, results }) => [
    `L4, CPU per request against a pair of Envoy sidecars, ${name.slice('1 KB requests, '.length)}`,
    ratio(results, 'cpuUsPerUnit', 'envoy'),
    atMost(0.4),
  ]);
  const newTunnel = named(line('new tunnels, 16 parallel'), 'ambit').cpuUsPerUnit;
  return [
    ...sidecars,
    ['the CPU of a new tunnel on both sides, µs', newTunnel, atMost(160)],
    ['bulk, 16 streams', ratio(line('bulk, 16 streams'), 'rate'), atLeast(1.1)],
    ['bulk to the client, one stream', ratio(line('bulk to the client, 1 stream'), 'rate'), atLeast(1.1)],
    [
      'L4 at 1,000 requests a second, 16 connections: p99.9',
      named(l4.pace, 'ambit').p999Us / named(l4.pace, 'haproxy').p999Us,
      atMost(1.5),
    ],
    [
      '10,000 idle tunnels, what the dearer side grows by, MB',
      dearer(named(l4.memory, 'ambit').manyTunnels.addedBytes) / 1e6,
      atMost(65),
    ],
    [
      'anonymous memory 60 s after a burst, against before it, the dearer side',
      kept(named(l4.burst, 'ambit')),
      atMost(1.3),
    ],
  ];
}
