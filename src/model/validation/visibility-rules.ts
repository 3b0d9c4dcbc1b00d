/** Where a resource applies: namespaces of `exportTo`, names of gateways (facts l7-and-control 1.1). */
import type { FieldReader, ReportProblem } from '../manifest/field-reader.ts';
import { isHostname } from '../manifest/hostname.ts';
import { isNamespaceName, isObjectName } from '../manifest/object-meta.ts';
import { quoted } from './value-rules.ts';

/** The name under which all proxies of the mesh are meant. */
export const MESH_GATEWAY = 'mesh';

/** @param nobody whether `~` is an answer */
export function checkExportTo(spec: FieldReader, nobody: 'nobody' | 'somebody'): void {
  const names = spec.strings('exportTo');
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) spec.report('exportTo', `${quoted(name)} is listed twice`);
    seen.add(name);
    const isWord = name === '.' || name === '*' || (name === '~' && nobody === 'nobody');
    if (name === '~' && nobody === 'somebody') spec.report('exportTo', '"~", to nobody, cannot be used here');
    else if (!isWord && !isNamespaceName(name)) {
      spec.report('exportTo', `${quoted(name)} is neither a namespace nor "." nor "*"`);
    }
  }
  for (const all of ['*', '~']) {
    if (seen.has(all) && seen.size > 1) spec.report('exportTo', `"${all}" cannot be combined with other entries`);
  }
}

/** Names as `mesh`, `name`, `namespace/name` or `./name`. */
export function checkGatewayNames(reader: FieldReader, warn: ReportProblem): void {
  for (const [index, name] of reader.strings('gateways').entries()) {
    const slash = name.indexOf('/');
    const namespace = slash < 0 ? '.' : name.slice(0, slash);
    const gateway = name.slice(slash + 1);
    if ((namespace !== '.' && !isNamespaceName(namespace)) || !isGatewayName(gateway)) {
      reader.report(
        'gateways',
        `${quoted(name)} is not the name of a gateway: name, namespace/name or ${MESH_GATEWAY}`,
      );
    } else if (slash < 0 && name.includes('.')) {
      warn([...reader.path, 'gateways', index], `write ${quoted(name)} as namespace/name`);
    }
  }
}

/** Whether the names, or their default, stand for the proxies of the mesh. */
export function includesMesh(gateways: readonly string[]): boolean {
  return gateways.length === 0 || gateways.includes(MESH_GATEWAY);
}

function isGatewayName(name: string): boolean {
  return isObjectName(name) || isHostname(name, false);
}
