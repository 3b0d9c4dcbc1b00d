/** How every program of a mesh is: what it says of itself, and what control planes say of its configuration. */
import { z } from 'zod';
import { errorText } from '../../base/errors.ts';
import type { MeshAgent } from '../../model/mesh-agent.ts';
import { type MeshProxy, proxyName } from '../../model/mesh-proxy.ts';
import { ageText } from '../age-text.ts';
import { eachProxy } from './each-proxy.ts';
import { ADMIN_PORT } from './find-proxy.ts';
import { askJson, askText, type MeshAccess } from './mesh-access.ts';

const typeSchema = z.object({
  typeUrl: z.string(),
  state: z.enum(['SYNCED', 'STALE', 'ERROR']),
  sent: z.number(),
  acknowledged: z.number(),
  acknowledgedMs: z.number().optional(),
  pending: z.number(),
  error: z.string(),
});
const streamsSchema = z.array(
  z.object({ node: z.string(), caller: z.string(), connectedMs: z.number(), types: z.array(typeSchema) }),
);
const statusSchema = z.object({
  version: z.string(),
  connections: z.number(),
  certificates: z.array(
    z.object({
      identity: z.string(),
      state: z.enum(['Initializing', 'Available', 'Unavailable']),
      error: z.string(),
      notAfterMs: z.number(),
    }),
  ),
});

/** Whether a proxy has the configuration that it should. */
export interface ConfigStatus {
  readonly state: 'SYNCED' | 'STALE' | 'ERROR' | 'NOT CONNECTED' | 'UNKNOWN';
  /** Number of the last message that it took, and when; undefined for none. */
  readonly acknowledged: number | undefined;
  readonly acknowledgedMs: number | undefined;
  /** Which control plane it is connected to. */
  readonly control: string | undefined;
  /** What it refused. */
  readonly errors: readonly string[];
}

export interface ProxyReport {
  readonly proxy: MeshProxy;
  readonly version: string;
  readonly connections: number | undefined;
  readonly certificates: z.infer<typeof statusSchema>['certificates'];
  /** Undefined for the control plane. */
  readonly config: ConfigStatus | undefined;
}

export interface MeshStatus {
  readonly reports: readonly ProxyReport[];
  readonly agents: readonly MeshAgent[];
  readonly missing: readonly string[];
}

type Streams = readonly { readonly control: string; readonly stream: z.infer<typeof streamsSchema>[number] }[];

/** @throws AmbitError when the programs cannot be listed */
export async function readStatus(access: MeshAccess): Promise<MeshStatus> {
  const proxies = await access.proxies();
  const controls = proxies.filter(({ role }) => role === 'control');
  const others = proxies.filter(({ role }) => role !== 'control');
  const [said, synced, versions, agents] = await Promise.all([
    eachProxy(others, async (proxy) => statusSchema.parse(await askJson(access, proxy, ADMIN_PORT, '/status'))),
    eachProxy(controls, async (proxy) =>
      streamsSchema.parse(await askJson(access, proxy, access.controlPort, '/debug/syncz')),
    ),
    eachProxy(controls, async (proxy) => (await askText(access, proxy, access.controlPort, '/version')).trim()),
    access.agents().then(
      (listed) => ({ listed, missing: [] }),
      (error: unknown) => ({ listed: [], missing: [`agents: ${errorText(error)}`] }),
    ),
  ]);
  const streams = synced.answers.flatMap(({ proxy, value }) =>
    value.map((stream) => ({ control: proxyName(proxy), stream })),
  );
  const isWhole = synced.missing.length === 0 && controls.length > 0;
  const reports = [
    ...versions.answers.map(({ proxy, value }) => reportOf(proxy, value)),
    ...said.answers.map(({ proxy, value }) => ({ proxy, ...value, config: configOf(proxy, streams, isWhole) })),
  ];
  return { reports, agents: agents.listed, missing: [...synced.missing, ...said.missing, ...agents.missing] };
}

/** How long an end of an agent is worth a word. */
const RECENTLY_MS = 3_600_000;

/** What is to be said of an agent that ended lately; undefined when nothing is. */
export function agentRestarts(agent: MeshAgent, nowMs: number): string | undefined {
  const { restarts, lastExit, lastExitMs } = agent;
  if (lastExitMs === undefined || nowMs - lastExitMs > RECENTLY_MS) return undefined;
  const times = restarts === 1 ? 'once' : `${restarts} times`;
  return `${proxyName(agent)} was started again ${times}; it ended ${ageText(nowMs - lastExitMs)} ago with ${lastExit}`;
}

function reportOf(proxy: MeshProxy, version: string): ProxyReport {
  return { proxy, version, connections: undefined, certificates: [], config: undefined };
}

/** @param isWhole whether every control plane answered: else who is connected nowhere may be connected to another */
function configOf(proxy: MeshProxy, streams: Streams, isWhole: boolean): ConfigStatus {
  const id = `~${proxy.name}.${proxy.namespace}~`;
  // After a lost connection the old stream may be there for a while, too.
  const found = streams
    .filter(({ stream }) => stream.node.includes(id))
    .sort((a, b) => b.stream.connectedMs - a.stream.connectedMs)[0];
  const none = { acknowledged: undefined, acknowledgedMs: undefined, control: undefined, errors: [] };
  if (found === undefined) return { state: isWhole ? 'NOT CONNECTED' : 'UNKNOWN', ...none };
  const { types } = found.stream;
  const state = (['ERROR', 'STALE'] as const).find((one) => types.some((type) => type.state === one)) ?? 'SYNCED';
  const times = types.map(({ acknowledgedMs }) => acknowledgedMs).filter((ms) => ms !== undefined);
  return {
    state: types.length === 0 ? 'STALE' : state,
    acknowledged: Math.max(0, ...types.map(({ acknowledged }) => acknowledged)),
    acknowledgedMs: times.length === 0 ? undefined : Math.max(...times),
    control: found.control,
    errors: types.filter(({ error }) => error !== '').map(({ typeUrl, error }) => `${typeUrl}: ${error}`),
  };
}
