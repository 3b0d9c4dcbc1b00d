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
  return [{ name: 'count a connection: opened and closed', run: openAndClose() }, page];
}

/** From one pod to a hundred others. */
function openAndClose(): () => void {
  const metrics = new ConnectionMetrics();
  const workload = (name: string) => createWorkload({ uid: name, name, workloadName: name, namespace: 'bench' });
  const source = workload('client');
  const common = { direction: 'outbound', source, sourceIdentity: 'spiffe://td/ns/bench/sa/client' } as const;
  const next = inTurns(Array.from({ length: 100 }, (_, index) => workload(`server-${index}`)));
  return () => {
    const destination = next();
    const facts = { ...common, destination, destinationIdentity: 'spiffe://td/ns/bench/sa/server', service: undefined };
    metrics.open(facts, 'client').close('-', false);
  };
}

export function benches(): readonly MicroBench[] {
  return [...requests(), ...connections()];
}
