// The memory of control plane and agent, and the dashboard, in docs/benchmarks.md.
import { measured, readResults } from './bench-results.mjs';
import { table } from './markdown.mjs';

/** `VmRSS` and `RssAnon` are lines of `/proc/PID/status`, PSS is of `smaps_rollup`. */
export function controlMemoryTable() {
  const results = readResults('memory');
  const mb = (megabytes) => `${megabytes.toFixed(0)} MB`;
  const rows = results.lines.map(({ what, rssMb, anonymousMb, pssMb, idleCpuPercent }) => [
    what,
    mb(rssMb),
    mb(anonymousMb),
    mb(pssMb),
    `${idleCpuPercent.toFixed(2)} %`,
  ]);
  const titles = ['while nothing changes', 'VmRSS', 'RssAnon', 'PSS', 'CPU, of a core'];
  return `Memory of the control plane and of an agent. ${measured(results)}\n\n${table(titles, rows)}`;
}

export function dashboardText() {
  const results = readResults('dashboard');
  const { services, calls, browser, runs, firstPaintMs, graphMs, framesPerSec, longestFrameMs } = results;
  return [
    `The dashboard with ${services} services and ${calls} edges between them, in headless Chromium ${browser}: first paint after ${firstPaintMs} ms,`,
    `the graph after ${graphMs} ms, then ${framesPerSec} frames a second, of which the longest takes ${longestFrameMs} ms. Medians of ${runs} runs.`,
    measured(results),
  ].join('\n');
}
