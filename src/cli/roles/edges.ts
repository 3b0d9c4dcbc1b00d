/** `ambit edges`: which workload calls which, under which identities. */
import { sleep } from '../../base/clock.ts';
import { type EdgeRates, edgeRates } from '../../traffic/edge-rates.ts';
import { mergeReporters } from '../../traffic/merge-reporters.ts';
import { LabelCache } from '../../traffic/parse-exposition.ts';
import { commandClock } from '../command-clock.ts';
import { findMesh, type MeshFlags } from '../mesh/find-mesh.ts';
import { type MeshReading, readEdges } from '../mesh/read-edges.ts';
import { printLine } from '../print-line.ts';
import { printValue } from '../print-value.ts';
import { milliseconds, peerName, percent, perSecond, serviceName } from '../rate-cells.ts';
import { textTable } from '../text-table.ts';

export interface EdgesFlags extends MeshFlags {
  readonly namespace?: string;
  readonly window: number;
  readonly output?: 'json' | 'yaml' | 'wide';
}

/** @throws AmbitError */
export async function runEdges(flags: EdgesFlags, environment: NodeJS.ProcessEnv): Promise<void> {
  const access = await findMesh(flags, environment);
  try {
    const cache = new LabelCache();
    const before = await readEdges(access, cache);
    await sleep(commandClock, flags.window);
    const after = await readEdges(access, cache);
    const rates = mergeReporters(edgeRates(before.edges, after.edges, after.atMs - before.atMs)).filter(
      ({ edge: { source, destination, service } }) =>
        flags.namespace === undefined ||
        [source.namespace, destination.namespace, service.namespace].includes(flags.namespace),
    );
    printEdges(rates.sort(byRate), after, flags);
  } finally {
    access.close();
  }
}

function printEdges(rates: readonly EdgeRates[], { missing }: MeshReading, { output, window }: EdgesFlags): void {
  for (const line of missing) process.stderr.write(`missing: ${line}\n`);
  if (output === 'json' || output === 'yaml') return printValue(rates.map(plain), output);
  if (rates.length === 0) return printLine(`no traffic was seen in ${window / 1000} s`);
  const wide = output === 'wide';
  const heading = [
    'SRC',
    'DST',
    'SERVICE',
    'PROTOCOL',
    'SECURED',
    'RPS',
    'SUCCESS',
    'DENIED/S',
    'P50',
    'P99',
    'CONNECTIONS',
  ];
  const more = ['CLIENT', 'SERVER', 'P95', 'BYTES_IN', 'BYTES_OUT'];
  const rows = rates.map((rate) => [...cellsOf(rate), ...(wide ? wideCells(rate) : [])]);
  process.stdout.write(textTable(wide ? [...heading, ...more] : heading, rows));
}

function cellsOf(rate: EdgeRates): string[] {
  const { edge, requestsPerSec, successShare, deniedPerSec, p50Ms, p99Ms, open } = rate;
  const { source, destination, service, protocol, mutualTls } = edge;
  const isHttp = protocol !== 'tcp';
  return [
    peerName(source),
    peerName(destination),
    serviceName(service),
    protocol,
    mutualTls ? 'mTLS' : 'no',
    isHttp ? requestsPerSec.toFixed(1) : '-',
    percent(successShare),
    perSecond(deniedPerSec),
    milliseconds(p50Ms),
    milliseconds(p99Ms),
    isHttp ? '-' : String(open),
  ];
}

function wideCells({ edge, p95Ms, ...rates }: EdgeRates): string[] {
  // Of requests the bodies are counted, of connections all bytes.
  const isHttp = edge.protocol !== 'tcp';
  return [
    edge.source.principal || '-',
    edge.destination.principal || '-',
    milliseconds(p95Ms),
    `${Math.round(isHttp ? rates.requestBytesPerSec : rates.receivedBytesPerSec)}B/s`,
    `${Math.round(isHttp ? rates.responseBytesPerSec : rates.sentBytesPerSec)}B/s`,
  ];
}

function byRate(a: EdgeRates, b: EdgeRates): number {
  return b.requestsPerSec - a.requestsPerSec || b.openedPerSec - a.openedPerSec || b.open - a.open;
}

function plain({ edge: { key: _, ...edge }, ...rates }: EdgeRates): object {
  return { ...edge, ...rates };
}
