// What tunnels were to cost against HAProxy and against sidecars.
import { atLeast, atMost } from './aim.mjs';
import { named, ratioOf, spreadOf } from './samples.mjs';

/** The dearer of client's and server's side. */
const dearer = (bytes) => Math.max(...bytes);
/** What is left of a burst, in relation to what was there before it. */
const kept = ({ beforeBytes, afterBytes }) => dearer(afterBytes.map((bytes, side) => bytes / beforeBytes[side]));

function speedAims({ lines }) {
  const line = (name) => named(lines, name).results;
  const ratio = (name, field) => ratioOf(line(name), 'ambit', 'haproxy', field);
  const requests = (text, field) => ratio(`1 KB requests, ${text}`, field);
  const newTunnel = named(line('new tunnels, 16 parallel'), 'ambit');
  return [
    ['L4, CPU per request against HAProxy, 16 connections', requests('16 connections', 'cpuUsPerUnit'), atMost(0.9)],
    ['L4, CPU per request against HAProxy, 64 connections', requests('64 connections', 'cpuUsPerUnit'), atMost(0.65)],
    ['L4, requests per second, 16 connections', requests('16 connections', 'rate'), atLeast(1.15)],
    ['L4, requests per second, 64 connections', requests('64 connections', 'rate'), atLeast(1.3)],
    ['L4, median latency, one connection', requests('1 connection', 'p50Us'), atMost(1.1)],
    ['new tunnels per second, warm pool', ratio('new tunnels, 16 parallel', 'rate'), atLeast(4)],
    ['the CPU of a new tunnel on both sides, µs', spreadOf(newTunnel, 'cpuUsPerUnit'), atMost(160)],
    ['bulk, one stream', ratio('bulk, 1 stream', 'rate'), atLeast(1.1)],
    ['bulk, one stream, CPU per GB', ratio('bulk, 1 stream', 'cpuUsPerUnit'), atMost(0.95)],
    ['bulk, 16 streams', ratio('bulk, 16 streams', 'rate'), atLeast(1.1)],
    ['bulk to the client, one stream', ratio('bulk to the client, 1 stream', 'rate'), atLeast(1.1)],
  ];
}

function memoryAims({ memory, burst }) {
  const { idleTunnel, manyTunnels } = named(memory, 'ambit');
  const idleKib = dearer([idleTunnel.clientBytes, idleTunnel.serverBytes]) / 1024;
  return [
    ['idle tunnel, the dearer side, KiB', idleKib, atMost(5)],
    ['10,000 idle tunnels, what the dearer side grows by, MB', dearer(manyTunnels.addedBytes) / 1e6, atMost(65)],
    [
      'anonymous memory 60 s after a burst, against before it, the dearer side',
      kept(named(burst, 'ambit')),
      atMost(1.3),
    ],
  ];
}

export function l4Aims(l4) {
  const sidecars = l4.sidecars.map(({ name, results }) => [
    `L4, CPU per request against a pair of Envoy sidecars, ${name.slice('1 KB requests, '.length)}`,
    ratioOf(results, 'ambit', 'envoy', 'cpuUsPerUnit'),
    atMost(0.4),
  ]);
  const pace = ratioOf(l4.pace, 'ambit', 'haproxy', 'p999Us');
  return [
    ...speedAims(l4),
    ...sidecars,
    ['L4 at 1,000 requests a second, 16 connections: p99.9', pace, atMost(1.5)],
    ...memoryAims(l4),
  ];
}
