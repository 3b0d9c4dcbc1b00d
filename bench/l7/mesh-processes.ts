/** Processes of a mesh on this machine. */
import { readFileSync } from 'node:fs';
import type { LocalMesh } from '../../test/helpers/local-mesh.ts';

/** Processes of the mesh whose command line has the text. @throws Error where there are not so many: CPU would be missed */
export function pidsOf(mesh: LocalMesh, text: string, count: number): number[] {
  const pids = mesh
    .processes()
    .map((entry) => Number(entry.split(' ')[0]))
    .filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').includes(text));
  if (pids.length !== count) throw new Error(`${pids.length} processes of "${text}" run, and not ${count}`);
  return pids;
}
