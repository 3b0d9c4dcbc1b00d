/** `ambit strict`: who would be shut out of a namespace that asks for mutual TLS. */
import { stringify } from 'yaml';
import { AmbitError } from '../../base/errors.ts';
import type { Edge, EdgeCounters } from '../../traffic/edges.ts';
import { LabelCache } from '../../traffic/parse-exposition.ts';
import { commandClock } from '../command-clock.ts';
import { controlResources } from '../explain/feed-resources.ts';
import { meshModel } from '../explain/mesh-model.ts';
import { findMesh, type MeshFlags } from '../mesh/find-mesh.ts';
import type { MeshAccess } from '../mesh/mesh-access.ts';
import { readEdges } from '../mesh/read-edges.ts';
import { printLine } from '../print-line.ts';
import { printValue } from '../print-value.ts';
import { peerName, serviceName } from '../rate-cells.ts';
import { textTable } from '../text-table.ts';

export interface StrictFlags extends MeshFlags {
  readonly output?: 'json' | 'yaml';
}

interface PlaintextClient {
  readonly client: string;
  readonly destination: string;
  readonly service: string;
  /** Since the proxy that counts them started, or since the client was last silent for long. */
  readonly connections: number;
}

/** The exit status is 1 when somebody still comes in plaintext. @throws AmbitError */
export async function runStrict(namespace: string, flags: StrictFlags, environment: NodeJS.ProcessEnv): Promise<void> {
  const access = await findMesh(flags, environment);
  try {
    const { edges, missing } = await readEdges(access, new LabelCache());
    const clients = [...edges.values()].flatMap((entry) => plaintextClient(entry, namespace));
    if (clients.length === 0 && missing.length === 0) await needWorkloads(access, namespace);
    for (const line of missing) process.stderr.write(`missing: ${line}\n`);
    if (clients.length > 0 || missing.length > 0) process.exitCode = 1;
    if (flags.output !== undefined) return printValue(clients, flags.output);
    print(namespace, clients, missing.length > 0);
  } finally {
    access.close();
  }
}

/** Nobody comes into a namespace that is not there: no good news for who mistyped it. @throws AmbitError */
async function needWorkloads(access: MeshAccess, namespace: string): Promise<void> {
  const { state } = meshModel(await controlResources(access), commandClock, Math.random);
  const known = [...new Set([...state.workloads()].map((workload) => workload.namespace))].sort();
  if (known.includes(namespace)) return;
  const there = known.join(', ') || 'none';
  throw new AmbitError('END_UNKNOWN', `no workload is in a namespace "${namespace}"; there are some in ${there}`);
}

/** Only the proxy of the destination knows what came in. */
function plaintextClient(
  { edge, counters }: { readonly edge: Edge; readonly counters: EdgeCounters },
  namespace: string,
): PlaintextClient[] {
  const { reporter, source, destination, service, mutualTls } = edge;
  if (reporter !== 'destination' || mutualTls || source.principal !== '') return [];
  if (destination.namespace !== namespace || counters.opened === 0) return [];
  const named = { client: peerName(source), destination: peerName(destination), service: serviceName(service) };
  return [{ ...named, connections: counters.opened }];
}

function print(namespace: string, clients: readonly PlaintextClient[], isPart: boolean): void {
  if (clients.length > 0) {
    const rows = clients.map(({ client, destination, service, connections }) => {
      return [client, destination, service, String(connections)];
    });
    process.stdout.write(textTable(['CLIENT', 'DESTINATION', 'SERVICE', 'CONNECTIONS'], rows));
    printLine('these come in plaintext: take them into the mesh first (label istio.io/dataplane-mode=ambient)');
    return;
  }
  if (isPart) return printLine(`nobody was seen in plaintext in ${namespace}, but not all proxies answered`);
  printLine(`# nobody was seen in plaintext in ${namespace}: this asks for mutual TLS there`);
  const metadata = { name: 'strict', namespace };
  const spec = { mtls: { mode: 'STRICT' } };
  process.stdout.write(stringify({ apiVersion: 'security.istio.io/v1', kind: 'PeerAuthentication', metadata, spec }));
}
