/** Every policy with where it is enforced and how often it decided, those without any decision included. */
import { z } from 'zod';
import { eachProxy } from '../mesh/each-proxy.ts';
import { askJson, type MeshAccess } from '../mesh/mesh-access.ts';
import type { EnforcedPolicy } from './policies-in-force.ts';
import { type Decisions, NO_DECISIONS, type ProxyDecisions, sumOf } from './read-decisions.ts';

export interface PolicyReport extends EnforcedPolicy, Decisions {
  /** Since when all of its proxies count, in milliseconds since 1970; undefined when none does. */
  readonly sinceMs: number | undefined;
}

/** What the control plane says of its objects. */
export interface ObjectRemarks {
  /** Keys `kind/namespace/name` with remarks, which may be empty. */
  readonly accepted: ReadonlyMap<string, string>;
  /** Titles `kind namespace/name` with reasons. */
  readonly refused: ReadonlyMap<string, string>;
}

const KIND = 'AuthorizationPolicy';
const statusSchema = z.object({
  accepted: z.array(z.object({ object: z.string(), note: z.string().optional() })),
  refused: z.array(z.object({ object: z.string(), field: z.string(), reason: z.string() })),
});

/** Of the first control plane: all say the same. Nothing of those that do not. */
export async function readRemarks(access: MeshAccess): Promise<ObjectRemarks> {
  const controls = (await access.proxies()).filter(({ role }) => role === 'control').slice(0, 1);
  const { answers } = await eachProxy(controls, async (control) =>
    statusSchema.parse(await askJson(access, control, access.controlPort, '/debug/statusz')),
  );
  const all = answers.map(({ value }) => value);
  return {
    accepted: new Map(all.flatMap(({ accepted }) => accepted.map(({ object, note = '' }) => [object, note]))),
    refused: new Map(
      all.flatMap(({ refused }) => refused.map(({ object, field, reason }) => [object, `${field}: ${reason}`])),
    ),
  };
}

/** In order of name; at the end what no ALLOW policy matched, if anything. */
export function policyReports(
  inForce: readonly EnforcedPolicy[],
  read: readonly ProxyDecisions[],
  remarks: ObjectRemarks,
): readonly PolicyReport[] {
  const known = new Set(inForce.map(({ policy }) => policy));
  const all = [...inForce, ...unenforced(remarks, known)].sort((a, b) => (a.policy < b.policy ? -1 : 1));
  const reports = all.map((policy) => {
    const note = policy.note && (remarks.accepted.get(`${KIND}/${policy.policy}`) || policy.note);
    return { ...policy, note, ...countsOf(policy, read) };
  });
  return [...reports, ...defaultDenials(read)];
}

function countsOf({ policy, enforcedBy }: EnforcedPolicy, read: readonly ProxyDecisions[]) {
  const counts = read.map(({ byPolicy }) => byPolicy.get(policy) ?? NO_DECISIONS).reduce(sumOf, NO_DECISIONS);
  return { ...counts, sinceMs: latestStart(read.filter(({ proxy }) => enforcedBy.includes(proxy))) };
}

/** What is counted from then on is whole. */
function latestStart(read: readonly ProxyDecisions[]): number | undefined {
  const starts = read.map(({ startedMs }) => startedMs).filter((ms) => ms !== undefined);
  return starts.length === 0 ? undefined : Math.max(...starts);
}

/** Objects that no proxy is fed. */
function* unenforced({ accepted, refused }: ObjectRemarks, known: ReadonlySet<string>): Iterable<EnforcedPolicy> {
  const none = { action: '-', dryRun: false, appliesTo: '-', isMeshWide: false, enforcedBy: [] };
  for (const [key, note] of accepted) {
    const policy = key.slice(KIND.length + 1);
    if (!key.startsWith(`${KIND}/`) || known.has(policy)) continue;
    yield { ...none, policy, note: note || 'the control plane gives it to no proxy' };
  }
  for (const [title, reason] of refused) {
    const policy = title.slice(KIND.length + 1);
    if (!title.startsWith(`${KIND} `) || known.has(policy) || accepted.has(`${KIND}/${policy}`)) continue;
    yield { ...none, policy, note: `refused: ${reason}` };
  }
}

function defaultDenials(read: readonly ProxyDecisions[]): PolicyReport[] {
  const counting = read.filter(({ byPolicy }) => byPolicy.has(''));
  if (counting.length === 0) return [];
  const counts = counting.map(({ byPolicy }) => byPolicy.get('') ?? NO_DECISIONS).reduce(sumOf, NO_DECISIONS);
  return [
    {
      policy: '',
      action: 'ALLOW',
      dryRun: false,
      // Proxies count it in one number, whatever the namespace of the destination.
      appliesTo: 'what no ALLOW policy matched, in all namespaces',
      isMeshWide: true,
      enforcedBy: counting.map(({ proxy }) => proxy),
      note: '',
      ...counts,
      sinceMs: latestStart(counting),
    },
  ];
}
