// The control plane in docs/benchmarks.md: pushes and connections of many proxies; what was aimed at.
import { atMost } from './aim.mjs';
import { measured, readResults } from './bench-results.mjs';
import { table } from './markdown.mjs';

const count = (number) => number.toLocaleString('en');
const mb = (megabytes) => `${megabytes.toFixed(0)} MB`;

/** From a pod's address to all proxies. */
export function pushTable() {
  const push = readResults('push');
  const rows = push.lines.map((line) => [
    count(line.workloads),
    count(line.proxies),
    line.perSecond === undefined ? `${count(line.changes)} at once` : `${line.perSecond} a second`,
    `${line.p50Ms.toFixed(1)} / ${line.p99Ms.toFixed(1)} / ${line.maxMs.toFixed(1)} ms`,
    `${line.cpuMsPerChange.toFixed(2)} ms / ${line.cpuUsPerChangeAndProxy.toFixed(0)} µs`,
    `${(line.cpuShare * 100).toFixed(0)} %`,
    line.changesPerResponse.toFixed(1),
    `${mb(line.rssMb)} / ${mb(line.anonymousMb)}`,
  ]);
  const titles = [
    'workloads',
    'proxies',
    'changes',
    'p50 / p99 / max',
    'CPU per change / and proxy',
    'CPU, of a core',
    'changes per push',
    'RSS / anonymous',
  ];
  const ready = push.sizes.map(({ workloads, readyMs }) => `${(readyMs / 1000).toFixed(1)} s with ${count(workloads)}`);
  const introduction = [measured(push), `${push.seconds} s each. Ready after ${ready.join(', ')} workloads.`].join(
    '\n',
  );
  return `${introduction}\n\n${table(titles, rows)}`;
}

/** Proxies that connect all at once. */
export function reconnectTable() {
  const reconnect = readResults('reconnect');
  const rows = reconnect.lines.map((line) => [
    `${count(line.workloads)}, ${line.proxies === 1 ? 'one proxy' : `${line.proxies} proxies`}`,
    line.what,
    `${(line.syncMs / 1000).toFixed(2)} s`,
    `${(line.cpuMs / 1000).toFixed(2)} s`,
    `${line.askedMb.toFixed(1)} / ${line.readMb.toFixed(2)} MB`,
    `${mb(line.peakMb)} / ${mb(line.rssMb)}`,
  ]);
  const titles = ['workloads', '', 'all in sync after', 'CPU', 'versions told / answers', 'RSS, peak / then'];
  return `${measured(reconnect)}\n\n${table(titles, rows)}`;
}

/** What was aimed at: what, the number, the aim. */
export function controlAims(push, memory) {
  const pushed = push.lines.find((line) => line.workloads === 10_000 && line.proxies === 10 && line.perSecond === 50);
  const large = memory.lines.find(({ what }) => what.startsWith('control plane, 100,000 pods'));
  return [
    ['push with 10,000 workloads to 10 proxies, 50 changes a second: median, ms', pushed.p50Ms, atMost(5)],
    ['the same: 99th percentile, ms', pushed.p99Ms, atMost(20)],
    ['control plane with 100,000 workloads, RSS, MB', large.rssMb, atMost(1000)],
    ['the same: CPU while nothing changes, % of a core', large.idleCpuPercent, atMost(2)],
  ];
}
