// The tables of bench/results/l4.json, for README.md and bench/README.md.
import { measured, readResults } from './bench-results.mjs';
import { table } from './markdown.mjs';
import { named, ratioOf, ratioText, spreadOf, spreadText, timeText } from './samples.mjs';

/** Contestants as the tables call them; `haproxy` is the one that ratios are against. */
export const CONTESTANTS = {
  ambit: 'ambit',
  haproxy: 'HAProxy, same redirection',
  'haproxy-bare': 'HAProxy, called directly',
  envoy: 'Envoy sidecars',
};

function contestants({ lines }) {
  const names = lines[0].results.map(({ name }) => name);
  for (const name of names)
    if (CONTESTANTS[name] === undefined) throw new Error(`the bench has an unknown contestant: ${name}`);
  return names;
}

/** CPU of one request, connection or GB. */
function cpuText({ unit }, result) {
  const { middle, least, most } = spreadOf(result, 'cpuUsPerUnit');
  if (unit !== 'Gbit/s') return `${spreadText({ middle, least, most })} µs`;
  return `${spreadText({ middle: middle / 1000, least: least / 1000, most: most / 1000 })} ms/GB`;
}

/** What one line measured of one contestant: rate, CPU of both sides, median latency. */
export function cell(line, result) {
  return [
    `${spreadText(spreadOf(result, 'rate'))} ${line.unit}`,
    `CPU ${cpuText(line, result)}`,
    ...(typeof result.p50Us === 'number' ? [`p50 ${timeText(spreadOf(result, 'p50Us'))}`] : []),
  ].join('<br>');
}

/** The ratios of the same. */
export function ratioCell({ results }, peer) {
  const ratio = (field) => ratioText(ratioOf(results, 'ambit', peer, field));
  const p50 = typeof named(results, 'ambit').p50Us === 'number' ? [`p50 ${ratio('p50Us')}`] : [];
  return [`rate ${ratio('rate')}`, `CPU ${ratio('cpuUsPerUnit')}`, ...p50].join('<br>');
}

function speedTable(results) {
  const names = contestants(results);
  const rows = results.lines.map((line) => [
    line.name,
    ...names.map((name) => cell(line, named(line.results, name))),
    ratioCell(line, 'haproxy'),
  ]);
  return table(['', ...names.map((name) => CONTESTANTS[name]), 'ambit / HAProxy, same redirection'], rows);
}

function memoryTable({ memory }) {
  const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`;
  const mib = (bytes) => `${(bytes / 1024 ** 2).toFixed(0)} MiB`;
  const rows = memory.map(({ name, idleTunnel: { clientBytes, serverBytes }, idleProcess }) => [
    CONTESTANTS[name],
    `${kib(clientBytes)} / ${kib(serverBytes)}`,
    idleProcess.map(({ anonymous }) => mib(anonymous)).join(' / '),
    idleProcess.map(({ rss }) => mib(rss)).join(' / '),
  ]);
  return table(['', 'idle tunnel, client / server', 'idle process, anonymous', 'idle process, RSS'], rows);
}

/** Where ambit is behind, in words: nobody has to look for it. */
function losses({ lines, memory }) {
  const ratio = ({ results }, field) => ratioOf(results, 'ambit', 'haproxy', field).middle;
  const behind = (field, sign) => lines.filter((line) => sign * ratio(line, field) < sign).map(({ name }) => name);
  const found = [
    ['lower rate', behind('rate', 1)],
    ['more CPU', behind('cpuUsPerUnit', -1)],
    ['higher median latency', behind('p50Us', -1)],
  ].flatMap(([what, names]) => (names.length > 0 ? [`${what}: ${names.join('; ')}`] : []));
  const [ours, theirs] = ['ambit', 'haproxy'].map((name) => named(memory, name).idleProcess[0].anonymous);
  if (ours > theirs)
    found.push(`anonymous memory of an idle process on the client side: ${(ours / theirs).toFixed(0)} times as much`);
  return found.length === 0 ? '- nothing in this run' : found.map((line) => `- ${line}`).join('\n');
}

/** How to read the figures, a line each. */
function introduction(results) {
  return [
    measured(results),
    `Medians of ${results.rounds} rounds of ${results.seconds} s, with the least and the most of them. Both proxies of a contestant share one core,`,
    'contestants take turns. CPU is that of both sides together. Ratios are medians of those in each round; below 1 is better for',
    'CPU and p50, above 1 for the rate.',
  ].join('\n');
}

/** Tables with where and when they were measured. */
export function benchTable() {
  const results = readResults('l4');
  return [
    introduction(results),
    speedTable(results),
    memoryTable(results),
    `Where ambit is behind HAProxy with the same redirection:\n\n${losses(results)}`,
  ].join('\n\n');
}
