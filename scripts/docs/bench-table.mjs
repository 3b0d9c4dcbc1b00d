// The tables of bench/results/l4.json, for README.md and bench/README.md.
import { readFileSync } from 'node:fs';
import { ratioByRound } from '../../bench/quantiles.ts';
import { table } from './markdown.mjs';

const read = () => JSON.parse(readFileSync(new URL('../../bench/results/l4.json', import.meta.url), 'utf8'));
/** Contestants as the tables call them; `haproxy` is the one that ratios are against. */
export const CONTESTANTS = {
  ambit: 'ambit',
  haproxy: 'HAProxy, same redirection',
  'haproxy-bare': 'HAProxy, called directly',
  envoy: 'Envoy sidecars',
};
const number = (value) => (value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(1));

function contestants({ lines }) {
  const names = lines[0].results.map(({ name }) => name);
  for (const name of names)
    if (CONTESTANTS[name] === undefined) throw new Error(`the bench has an unknown contestant: ${name}`);
  return names;
}

const resultOf = ({ results }, name) => results.find((result) => result.name === name);

/** What one line measured of one contestant: rate, CPU of both sides, median latency. */
function cell({ unit }, { rate, cpuUsPerUnit, p50Us }) {
  const cpu = unit === 'Gbit/s' ? `${number(cpuUsPerUnit / 1000)} ms/GB` : `${number(cpuUsPerUnit)} µs`;
  return [
    `${number(rate)} ${unit}`,
    `${cpu} CPU`,
    ...(typeof p50Us === 'number' ? [`p50 ${number(p50Us)} µs`] : []),
  ].join('<br>');
}

function ratioTo(line, peer, field) {
  return ratioByRound(resultOf(line, 'ambit').samples, resultOf(line, peer).samples, (round) => round[field]);
}

function ratios(line) {
  const ratio = (field) => ratioTo(line, 'haproxy', field).toFixed(2);
  const p50 = typeof resultOf(line, 'ambit').p50Us === 'number' ? [`p50 ${ratio('p50Us')}`] : [];
  return [`rate ${ratio('rate')}`, `CPU ${ratio('cpuUsPerUnit')}`, ...p50].join('<br>');
}

function speedTable(results) {
  const names = contestants(results);
  const rows = results.lines.map((line) => [
    line.name,
    ...names.map((name) => cell(line, resultOf(line, name))),
    ratios(line),
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
  const behind = (field, sign) =>
    lines.filter((line) => sign * ratioTo(line, 'haproxy', field) < sign).map(({ name }) => name);
  const found = [
    ['lower rate', behind('rate', 1)],
    ['more CPU', behind('cpuUsPerUnit', -1)],
    ['higher median latency', behind('p50Us', -1)],
  ].flatMap(([what, names]) => (names.length > 0 ? [`${what}: ${names.join('; ')}`] : []));
  const [ours, theirs] = ['ambit', 'haproxy'].map(
    (name) => memory.find((entry) => entry.name === name).idleProcess[0].anonymous,
  );
  if (ours > theirs)
    found.push(`anonymous memory of an idle process on the client side: ${(ours / theirs).toFixed(0)} times as much`);
  return found.length === 0 ? '- nothing in this run' : found.map((line) => `- ${line}`).join('\n');
}

/** Tables with where and when they were measured. */
export function benchTable() {
  const results = read();
  const { date, commit, machine, rounds, seconds } = results;
  const where = `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}`;
  return [
    `Measured ${date.slice(0, 10)} at ${commit} on ${where}; medians of ${rounds} rounds of ${seconds} s, in turns. CPU is that of\nboth sides together. Ratios are medians of those in each round; below 1 is better for CPU and p50, above 1 for the rate.`,
    speedTable(results),
    memoryTable(results),
    `Where ambit is behind HAProxy with the same redirection:\n\n${losses(results)}`,
  ].join('\n\n');
}
