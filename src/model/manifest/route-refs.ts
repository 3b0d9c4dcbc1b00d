/** What routes of the Gateway API refer to: parents that they attach to, and backends (facts l7-and-control C). */
import type { FieldReader } from './field-reader.ts';

export interface ParentRef {
  readonly group: string;
  readonly kind: string;
  /** The route's own when none is written. */
  readonly namespace: string;
  readonly name: string;
  readonly sectionName: string | undefined;
  readonly port: number | undefined;
  /** The reference as status repeats it. */
  readonly written: Readonly<Record<string, string | number>>;
}

export interface BackendRef {
  readonly group: string;
  readonly kind: string;
  /** The route's own when none is written. */
  readonly namespace: string;
  readonly name: string;
  readonly port: number | undefined;
}

export interface WeightedBackendRef extends BackendRef {
  readonly weight: number;
}

const GATEWAY_GROUP = 'gateway.networking.k8s.io';
const MAX_WEIGHT = 1_000_000;
const BACKEND_FIELDS = ['group', 'kind', 'namespace', 'name', 'port'];

export function readParentRefs(spec: FieldReader, namespace: string): ParentRef[] {
  return spec.children('parentRefs').map((ref) => {
    const group = ref.string('group') ?? GATEWAY_GROUP;
    const kind = ref.string('kind') ?? 'Gateway';
    const name = ref.required('name');
    const sectionName = ref.string('sectionName');
    const port = ref.integer('port', 1, 65535);
    const elsewhere = ref.string('namespace');
    return {
      group,
      kind,
      namespace: elsewhere ?? namespace,
      name,
      sectionName,
      port,
      written: {
        group,
        kind,
        ...(elsewhere === undefined ? {} : { namespace: elsewhere }),
        name,
        ...(sectionName === undefined ? {} : { sectionName }),
        ...(port === undefined ? {} : { port }),
      },
    };
  });
}

/** A backend as mirrors name it. */
export function readBackendRef(ref: FieldReader, namespace: string): BackendRef {
  ref.onlyKnown(BACKEND_FIELDS);
  return readReference(ref, namespace);
}

/** A backend of a rule. @param more fields that it may have besides */
export function readWeightedBackendRef(
  ref: FieldReader,
  namespace: string,
  more: readonly string[] = [],
): WeightedBackendRef {
  ref.onlyKnown([...BACKEND_FIELDS, 'weight', ...more]);
  return { ...readReference(ref, namespace), weight: ref.integer('weight', 0, MAX_WEIGHT) ?? 1 };
}

function readReference(ref: FieldReader, namespace: string): BackendRef {
  const group = ref.string('group') ?? '';
  const kind = ref.string('kind') ?? 'Service';
  const port = ref.integer('port', 1, 65535);
  if (group === '' && kind === 'Service' && !ref.has('port')) ref.report('port', 'is required for a Service');
  return { group, kind, namespace: ref.string('namespace') ?? namespace, name: ref.required('name'), port };
}
