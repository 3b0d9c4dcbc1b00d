/** PeerAuthentication (security.istio.io; facts l7-and-control 3.4). */
import { parsePort } from '../port.ts';
import type { FieldReader } from './field-reader.ts';
import type { Labels, ObjectMeta } from './object-meta.ts';
import { readMatchLabels } from './selector.ts';

export type MtlsMode = 'UNSET' | 'DISABLE' | 'PERMISSIVE' | 'STRICT';

export interface PeerAuthenticationObject {
  readonly kind: 'PeerAuthentication';
  readonly meta: ObjectMeta;
  /** Undefined: the whole namespace, or the mesh from the root namespace. */
  readonly selector: Labels | undefined;
  readonly mode: MtlsMode;
  /** By workload (target) port. */
  readonly portModes: ReadonlyMap<number, MtlsMode>;
}

const MODES = ['UNSET', 'DISABLE', 'PERMISSIVE', 'STRICT'] as const;

export function readPeerAuthentication(meta: ObjectMeta, root: FieldReader): PeerAuthenticationObject {
  const spec = root.child('spec');
  spec.onlyKnown(['selector', 'mtls', 'portLevelMtls']);
  const selector = readMatchLabels(spec);
  const mtls = spec.child('mtls');
  mtls.onlyKnown(['mode']);
  const portModes = readPortModes(spec);
  if (portModes.size > 0 && selector === undefined) spec.report('portLevelMtls', 'needs a selector');
  return { kind: 'PeerAuthentication', meta, selector, mode: mtls.oneOf('mode', MODES) ?? 'UNSET', portModes };
}

function readPortModes(spec: FieldReader): Map<number, MtlsMode> {
  const modes = new Map<number, MtlsMode>();
  const ports = spec.child('portLevelMtls');
  if (ports.isPresent && ports.names().length === 0) spec.report('portLevelMtls', 'must name at least one port');
  for (const name of ports.names()) {
    const port = parsePort(name);
    if (port === undefined) {
      ports.report(name, `"${name}" is not a port from 1 to 65535`);
      continue;
    }
    const entry = ports.child(name);
    entry.onlyKnown(['mode']);
    modes.set(port, entry.oneOf('mode', MODES) ?? 'UNSET');
  }
  return modes;
}
