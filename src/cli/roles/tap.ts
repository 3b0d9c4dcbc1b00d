/** `ambit tap`: requests and connections, as they end. */
import { z } from 'zod';
import { type MeshProxy, proxyName } from '../../model/mesh-proxy.ts';
import { type FollowedMesh, followProxies } from '../../traffic/follow-proxies.ts';
import { commandClock } from '../command-clock.ts';
import { findMesh, type MeshFlags } from '../mesh/find-mesh.ts';
import { ADMIN_PORT } from '../mesh/find-proxy.ts';
import { followProxy } from '../mesh/mesh-access.ts';
import { printLine } from '../print-line.ts';
import { tapLine } from '../tap-line.ts';

export interface TapFlags extends MeshFlags {
  readonly namespace?: string;
  readonly workload?: string;
  readonly method?: string;
  readonly path?: string;
  readonly status?: string;
  readonly maxRps: number;
  readonly count?: number;
  readonly for?: number;
  readonly output?: 'json';
}

const skippedSchema = z.object({ skipped: z.number() });
const recordSchema = z
  .object({ timeMs: z.number(), kind: z.enum(['request', 'connection']) })
  .catchall(z.union([z.string(), z.number(), z.boolean()]));

/** Until it is interrupted, or has what was asked for. The exit status is 1 when no proxy could be listened to. @throws AmbitError */
export async function runTap(flags: TapFlags, environment: NodeJS.ProcessEnv): Promise<void> {
  const access = await findMesh(flags, environment);
  const ended = new AbortController();
  const timer = flags.for === undefined ? undefined : commandClock.after(flags.for, () => ended.abort());
  // Nobody reads on: `| head`.
  process.stdout.once('error', () => ended.abort());
  try {
    let left = flags.count ?? Number.POSITIVE_INFINITY;
    const asked = { port: ADMIN_PORT, path: `/tap?${queryOf(flags)}` };
    const mesh: FollowedMesh = {
      proxies: () => access.proxies(),
      follow: (proxy, wanted, signal, listener) => followProxy(access, proxy, wanted, signal, listener),
    };
    await followProxies(mesh, { asked, isPatient: false }, commandClock, ended.signal, {
      onListening: (open, of) => process.stderr.write(`listening at ${open} of ${of} proxies\n`),
      onLost: (_, why) => process.stderr.write(`missing: ${why}\n`),
      onOpen: (proxy, isFirst) => {
        if (!isFirst) process.stderr.write(`listening at ${proxyName(proxy)}, too\n`);
      },
      onLine: (proxy, line) => {
        if (left > 0 && print(proxy, line, flags)) left -= 1;
        if (left <= 0) ended.abort();
      },
    });
    if (!ended.signal.aborted) process.exitCode = 1;
  } finally {
    timer?.cancel();
    access.close();
  }
}

function queryOf({ namespace, workload, method, path, status, maxRps }: TapFlags): string {
  const query = new URLSearchParams({ 'max-rps': String(maxRps) });
  for (const [name, value] of Object.entries({ namespace, workload, method, path, status })) {
    if (value !== undefined) query.set(name, value);
  }
  return query.toString();
}

/** @returns whether it was a record */
function print(proxy: MeshProxy, line: string, { output }: TapFlags): boolean {
  const value: unknown = JSON.parse(line);
  const skipped = skippedSchema.safeParse(value);
  if (skipped.success) {
    process.stderr.write(
      `${proxyName(proxy)}: ${skipped.data.skipped} left out: more than --max-rps, or than is read here\n`,
    );
    return false;
  }
  const { timeMs, kind, ...fields } = recordSchema.parse(value);
  const time = new Date(timeMs).toISOString();
  if (output === 'json') printLine(JSON.stringify({ time, kind, proxy: proxyName(proxy), ...fields }));
  else printLine(tapLine(time, kind, proxyName(proxy), fields));
  return true;
}
