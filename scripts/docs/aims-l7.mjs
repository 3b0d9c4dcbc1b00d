// What waypoints were to cost against Envoy.
import { atLeast, atMost } from './aim.mjs';
import { ratioOf } from './samples.mjs';

export function l7Aims({ lines, pace, memory }) {
  const ratio = (title, connections, peer, field) => {
    const line = lines.find((one) => one.title === title && one.connections === connections);
    return ratioOf(line.results, 'ambit', peer, field);
  };
  const plain = (connections, field) => ratio('plain in and out', connections, 'envoy', field);
  const path = (connections) => ratio('through the mesh, mutual TLS', connections, 'envoy sidecars', 'cpuUsPerRequest');
  const engine = 'waypoint as a plain proxy against Envoy';
  return [
    [`${engine}, CPU, 16 connections`, plain(16, 'cpuUsPerRequest'), atMost(0.7)],
    [`${engine}, CPU, 64 connections`, plain(64, 'cpuUsPerRequest'), atMost(0.7)],
    [`${engine}, requests per second, 64 connections`, plain(64, 'perSecond'), atLeast(1.4)],
    ['whole L7 path against a sidecar pair, CPU, 16 connections', path(16), atMost(0.9)],
    ['whole L7 path against a sidecar pair, CPU, 64 connections', path(64), atMost(0.9)],
    ['the same at 1,000 requests a second: p99', ratioOf(pace, 'ambit', 'envoy sidecars', 'p99Us'), atMost(1)],
    ['5,000 routes and backends at a waypoint, MB', memory.addedBytes / 1e6, atMost(60)],
  ];
}
