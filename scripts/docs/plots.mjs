// The plots in docs/images, of what bench/results holds.
import { barPlot } from './bench-plot.mjs';
import { readResults } from './bench-results.mjs';
import { CONTESTANTS } from './bench-table.mjs';
import { short, spreadOf } from './samples.mjs';

function memoryPlot() {
  const bar = (name, { busy: { rssBytes } }) => ({ name, value: rssBytes, text: `${(rssBytes / 1e6).toFixed(0)} MB` });
  const groups = readResults('memory-sidecars')
    .lines.filter(({ services }) => services === 100)
    .map(({ pods, sidecars, node }) => ({
      name: `${pods} pod${pods === 1 ? '' : 's'}`,
      bars: [bar('ztunnel and agent', node), bar('Envoy sidecars', sidecars)],
    }));
  return barPlot('Resident memory of a node, 100 services', groups);
}

/** CPU per request of all contestants of a line. */
function cpuBars(results, field, nameOf) {
  return results.map((result) => {
    const { middle, least, most } = spreadOf(result, field);
    return { name: nameOf(result.name), value: middle, ends: [least, most], text: `${short(middle)} µs` };
  });
}

function l4Plot() {
  const requests = '1 KB requests, ';
  const groups = readResults('l4')
    .lines.filter(({ name }) => name.startsWith(requests))
    .map(({ name, results }) => ({
      name: name.slice(requests.length),
      bars: cpuBars(results, 'cpuUsPerUnit', (contestant) => CONTESTANTS[contestant]),
    }));
  return barPlot('CPU per request, tunnel in and out', groups);
}

function l7Plot() {
  const groups = readResults('l7').lines.map(({ title, connections, results }) => ({
    // Up to a comma between words: there are others in numbers.
    name: `${title.split(', ')[0]}, ${connections}`,
    bars: cpuBars(results, 'cpuUsPerRequest', (contestant) => contestant),
  }));
  return barPlot('CPU per request, waypoint; the number is that of connections', groups);
}

/** By file name. */
export function benchPlots() {
  return { 'bench-memory.svg': memoryPlot(), 'bench-l4.svg': l4Plot(), 'bench-l7.svg': l7Plot() };
}
