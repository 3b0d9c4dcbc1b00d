/** What a policy is attached to: workloads by labels, or objects by name, never both (facts l7-and-control 3.1, 9.4). */
import { MAX_TARGET_REFS } from '../schema/kind-schema.ts';
import type { FieldReader } from './field-reader.ts';
import type { Labels } from './object-meta.ts';
import { readMatchLabels } from './selector.ts';

export interface PolicyAttachment {
  readonly selector: Labels | undefined;
  /** Set when the policy is for waypoints and gateways, not for L4. */
  readonly targets: readonly TargetRef[] | undefined;
}

export type TargetKind = 'Service' | 'ServiceEntry' | 'Gateway' | 'GatewayClass';

/** An object of the policy's own namespace, or a GatewayClass. */
export interface TargetRef {
  readonly kind: TargetKind;
  readonly name: string;
}

/** `<group>/<kind>` of what can be a target; the core group has two spellings. */
const TARGETS: ReadonlySet<string> = new Set([
  '/Service',
  'core/Service',
  'networking.istio.io/ServiceEntry',
  'gateway.networking.k8s.io/Gateway',
  'gateway.networking.k8s.io/GatewayClass',
]);

/** Reads `selector`, `targetRef` and `targetRefs` of a spec. */
export function readPolicyAttachment(spec: FieldReader): PolicyAttachment {
  const selector = readMatchLabels(spec);
  const targeted = spec.has('targetRef') || spec.has('targetRefs');
  if (targeted && selector !== undefined) spec.report('selector', 'cannot be combined with targetRefs');
  if (spec.has('targetRef') && spec.has('targetRefs')) spec.report('targetRef', 'cannot be combined with targetRefs');
  const refs = spec.children('targetRefs');
  if (refs.length > MAX_TARGET_REFS) spec.report('targetRefs', `has more than ${MAX_TARGET_REFS} entries`);
  const all = spec.has('targetRef') ? [spec.child('targetRef'), ...refs] : refs;
  const targets = all.slice(0, MAX_TARGET_REFS).map(readTargetRef);
  return { selector, targets: targeted ? targets : undefined };
}

function readTargetRef(ref: FieldReader): TargetRef {
  ref.onlyKnown(['group', 'kind', 'name', 'namespace']);
  const name = ref.required('name');
  const kind = ref.required('kind');
  const target = `${ref.string('group') ?? ''}/${kind}`;
  if (!TARGETS.has(target) && !target.endsWith('/')) {
    ref.report(
      'kind',
      `"${target.replace(/^\//, '')}" cannot be a target: Service, ServiceEntry, Gateway and GatewayClass can`,
    );
  }
  if ((ref.string('namespace') ?? '') !== '')
    ref.report('namespace', 'must not be set: a policy targets its own namespace');
  return { kind: kind as TargetKind, name };
}
