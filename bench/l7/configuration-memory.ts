/**
 * What thousands of routes and backends take in a waypoint, on top of what it has without: in a mesh of its own, because
 * memory that load left behind would hold them at no cost.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../../test/helpers/eventually.ts';
import { LocalMesh } from '../../test/helpers/local-mesh.ts';
import { memoryBytes } from '../l4/process-cost.ts';
import { GATEWAY, namespace, pod, service } from './mesh-objects.ts';
import { pidsOf } from './mesh-processes.ts';

const SERVICES = 5000;
/** Between two looks at memory that should be alike; V8 collects what reading left some ten seconds after the last of it. */
const REST_MS = Number(process.env['SETTLE_MS'] ?? 15_000);
const LIMIT_MS = 120_000;
const ALIKE_BYTES = 1e6;
const LEAST_BYTES = 5e6;

export async function configurationMemory(): Promise<object> {
  await using mesh = new LocalMesh();
  mesh.write(
    'mesh.yaml',
    namespace('bench', { 'istio.io/dataplane-mode': 'ambient', 'istio.io/use-waypoint': 'gate' }),
    GATEWAY,
    pod('bench', 'client', 'node1', ['sleep', 'infinity']),
  );
  await mesh.up(2, '--nodes', '1');
  const [waypoint = 0] = pidsOf(mesh, ' proxy waypoint', 1);
  const bytes = () => memoryBytes(waypoint).anonymous;
  const isSteady = async () => {
    const first = bytes();
    await delay(REST_MS);
    return Math.abs(bytes() - first) < ALIKE_BYTES;
  };
  await eventually('a waypoint at rest', isSteady, LIMIT_MS);
  const before = bytes();
  mesh.write('many.yaml', ...routes());
  await eventually('the last route', () => knowsLast(mesh));
  await eventually('the configuration', async () => (await isSteady()) && bytes() - before > LEAST_BYTES, LIMIT_MS);
  const added = bytes() - before;
  const megabytes = (count: number) => `${(count / 1e6).toFixed(1)} MB`;
  console.log(`${SERVICES} services with a route each: ${megabytes(added)} on top of ${megabytes(before)}`);
  return { services: SERVICES, beforeBytes: before, addedBytes: added };
}

/** A service each, with a route by path to the next one. */
function routes(): object[] {
  return Array.from({ length: SERVICES }, (_, index) => [service(`s${index}`), virtualService(index)]).flat();
}

function virtualService(index: number): object {
  const to = (number: number) => [{ destination: { host: `s${number % SERVICES}` } }];
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { name: `v${index}`, namespace: 'bench' },
    spec: {
      hosts: [`s${index}`],
      http: [
        { match: [{ uri: { prefix: `/api/${index}/` } }], route: to(index + 1), timeout: '5s' },
        { route: to(index) },
      ],
    },
  };
}

/** Who knows the route has no endpoint for it. */
async function knowsLast(mesh: LocalMesh): Promise<boolean> {
  const last = SERVICES - 1;
  const curl = ['curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', `http://s${last}/api/${last}/`];
  const { stdout } = await mesh.exec('client', '-n', 'bench', '--', ...curl);
  return stdout === '503';
}
