/** A policy of a waypoint as its object says it, without reading its rules: for people. */
import { DRY_RUN_ANNOTATION } from './authorization-policy.ts';
import { fieldsOf } from './field-reader.ts';

export interface WrittenPolicy {
  readonly kind: string;
  /** `namespace/name`. */
  readonly id: string;
  /** That of an AuthorizationPolicy, as it is written. */
  readonly action: string;
  readonly dryRun: boolean;
}

/** @param manifest the object as JSON @throws SyntaxError when it is none */
export function writtenPolicy(manifest: Uint8Array): WrittenPolicy {
  const { kind, metadata, spec } = fieldsOf(JSON.parse(Buffer.from(manifest).toString('utf8')));
  const { namespace, name, annotations } = fieldsOf(metadata);
  const { action = 'ALLOW' } = fieldsOf(spec);
  return {
    kind: String(kind),
    id: `${namespace}/${name}`,
    action: String(action),
    dryRun: fieldsOf(annotations)[DRY_RUN_ANNOTATION] === 'true',
  };
}
