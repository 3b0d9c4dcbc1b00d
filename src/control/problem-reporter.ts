/** Logs each problem of the manifests once when it appears, and once when its object is good again. */
import type { Logger } from '../base/logger.ts';
import { formatPosition, type ManifestProblem } from '../model/manifest/manifest-problem.ts';

/** @returns call it after each change of the manifests */
export function problemReporter(problems: () => readonly ManifestProblem[], logger: Logger): () => void {
  let known = new Map<string, ManifestProblem>();
  return () => {
    const current = new Map<string, ManifestProblem>();
    const broken = new Set<string>();
    for (const problem of problems()) {
      const { object, field, reason, position, severity } = problem;
      const at = formatPosition(position);
      const id = `${at} ${object} ${field} ${reason}`;
      current.set(id, problem);
      if (severity === 'error') broken.add(object);
      if (known.has(id)) continue;
      const fields = { at, object, field, reason };
      if (severity === 'error') logger.warn('manifest refused', fields);
      else logger.debug('object ignored', fields);
    }
    for (const object of mended(known, broken)) logger.info('manifest accepted again', { object });
    known = current;
  };
}

function mended(known: ReadonlyMap<string, ManifestProblem>, broken: ReadonlySet<string>): Set<string> {
  const objects = new Set<string>();
  for (const { object, severity } of known.values()) {
    if (severity === 'error' && object !== '' && !broken.has(object)) objects.add(object);
  }
  return objects;
}
