/** Counting requests and connections, and the page of metrics with 10,000 series. */
import assert from 'node:assert/strict';
import { createWorkload } from '../../../src/model/workload.ts';
import { metricParts } from '../../../src/telemetry/exposition.ts';
import { RequestMetrics } from '../../../src/telemetry/request-metrics.ts';
import { TcpMetrics } from '../../../src/telemetry/tcp-metrics.ts';
import { ConnectionMetrics } from '../../../src/ztunnel/data/connection-metrics.ts';
import { OUTCOME, requestEdge } from '../request-edge.ts';
import { inTurns, type MicroBench } from '../suite.ts';

const SERIES = 10_000;
/** Three histograms of 19 bounds, each with three samples more, and a counter. */
const SERIES_PER_REQUEST_EDGE = 67;
/** Opened, received and sent: nothing is closed. */
const SERIES_PER_TCP_EDGE = 3;

function pageOf(metrics: RequestMetrics | TcpMetrics): number {
  let bytes = 0;
  for (const part of metricParts(metrics.families(), 'text')) bytes += part.length;
  return bytes;
}

function seriesOf(metrics: RequestMetrics | TcpMetrics): number {
  const text = Buffer.concat([...metricParts(metrics.families(), 'text')]).toString();
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
}

function requests(): readonly MicroBench[] {
  const metrics = new RequestMetrics();
  const edges = Array.from({ length: Math.ceil(SERIES / SERIES_PER_REQUEST_EDGE) }, (_, index) => {
    const labels = requestEdge(index);
    return { key: `edge-${index}`, labels: () => labels };
  });
  const next = inTurns(edges);
  const count = () => {
    const { key, labels } = next();
    metrics.count(key, labels, OUTCOME, 0);
  };
  for (const _ of edges) count();
  assert.equal(seriesOf(metrics), edges.length * SERIES_PER_REQUEST_EDGE);
  return [
    { name: 'count a request', run: count },
    { name: 'page of 10,000 series of requests', run: () => pageOf(metrics) },
  ];
}

function connections(): readonly MicroBench[] {
  const metrics = new TcpMetrics();
  const edges = Array.from({ length: Math.ceil(SERIES / SERIES_PER_TCP_EDGE) }, (_, index) => requestEdge(index));
  for (const labels of edges) metrics.open(labels, 'client');
  assert.equal(seriesOf(metrics), edges.length * SERIES_PER_TCP_EDGE);
  const page = { name: 'page of 10,000 series of connections', run: () => pageOf(metrics) };
  return [
    { name: 'count a connection: from 100 pods to one', run: openAndClose(100, 1) },
    { name: 'count a connection: from one pod to 100', run: openAndClose(1, 100) },
    page,
  ];
}

/** Opens and closes a connection between two of so many pods. */
function openAndClose(sources: number, destinations: number): () => void {
  const metrics = new ConnectionMetrics();
  const pods = (kind: string, count: number) =>
    inTurns(
      Array.from({ length: count }, (_, index) => {
        const name = `${kind}-${index}`;
        return createWorkload({ uid: name, name, workloadName: name, namespace: 'bench' });
      }),
    );
  const [source, destination] = [pods('client', sources), pods('server', destinations)];
  const identities = { sourceIdentity: 'spiffe://td/ns/bench/sa/a', destinationIdentity: 'spiffe://td/ns/bench/sa/b' };
  return () => {
    const ends = { source: source(), destination: destination() };
    metrics.open({ direction: 'outbound', ...ends, ...identities, service: undefined }, 'client').close('-', false);
  };
}

export function benches(): readonly MicroBench[] {
  return [...requests(), ...connections()];
}
