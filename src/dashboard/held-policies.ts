/** Which objects proxies have as policies, and how often each decided there. */
import { fedPolicyNames, type PolicySource, STATIC_STRICT_NAME, sourceOfFedPolicy } from '../model/fed-policy-name.ts';
import { fieldsOf } from '../model/manifest/field-reader.ts';
import type { PolicyHits } from '../traffic/policy-hits.ts';
import type { MeshFeed } from './mesh-feed.ts';
import type { ObjectInForce } from './mesh-reader.ts';
import type { Viewer } from './viewer.ts';

export interface HeldPolicy {
  /** True, too, of a PeerAuthentication that asks for nothing. */
  readonly atProxies: boolean;
  /** How often it decided, by result, since the proxies started; what all STRICT PeerAuthentications share among it. */
  readonly hits: Readonly<Record<string, number>>;
}

/** @returns what is known of an object; of what is counted in namespaces that a viewer may not read nothing */
export function heldPolicies(
  feed: Pick<MeshFeed, 'state' | 'policies'>,
  hits: PolicyHits,
  viewer: Viewer,
): (object: ObjectInForce) => HeldPolicy {
  const atZtunnels = [...feed.state.policies()];
  const rootNamespace = atZtunnels.find(({ name }) => name === STATIC_STRICT_NAME)?.namespace ?? '';
  const held = new Set([
    ...atZtunnels.map(({ namespace, name }) => keyOf(sourceOfFedPolicy(name).kind, `${namespace}/${name}`)),
    ...feed.policies.map(({ kind, namespace, name }) => keyOf(kind, `${namespace}/${name}`)),
  ]);
  return (object) => {
    const { kind, namespace, name } = object;
    const fed = fedPolicyNames({ kind, namespace, name, peer: peerOf(object) }, rootNamespace);
    const asksNothing = kind === 'PeerAuthentication' && fed.length === 0;
    const names = [`${namespace}/${name}`, ...fed];
    const counted = fed.filter((one) => viewer.mayRead(one.slice(0, one.indexOf('/'))));
    return { atProxies: asksNothing || names.some((one) => held.has(keyOf(kind, one))), hits: sumOf(hits, counted) };
  };
}

function keyOf(kind: string, name: string): string {
  return `${kind} ${name}`;
}

/** Of the object as the control plane lists it; undefined where it lists no spec. */
function peerOf({ kind, spec }: ObjectInForce): PolicySource['peer'] {
  if (kind !== 'PeerAuthentication' || spec === undefined) return undefined;
  const { mode, portModes, selector } = fieldsOf(spec);
  const others = Object.values(fieldsOf(portModes)).filter((one) => one !== 'UNSET' && one !== mode);
  return { isStrict: mode === 'STRICT', hasPorts: others.length > 0, hasSelector: selector !== undefined };
}

function sumOf(hits: PolicyHits, names: readonly string[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const name of names) {
    for (const [result, count] of hits.get(name) ?? []) sum[result] = (sum[result] ?? 0) + count;
  }
  return sum;
}
