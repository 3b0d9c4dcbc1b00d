/** Finds the processes of a mesh by their command lines. */
import { readFileSync } from 'node:fs';
import type { LocalMesh } from '../../test/helpers/local-mesh.ts';

export class MeshProcesses {
  /** By pid, as they are now. */
  readonly #commandLines = new Map<number, string>();

  constructor(mesh: LocalMesh) {
    for (const entry of mesh.processes()) {
      const pid = Number(entry.split(' ')[0]);
      try {
        this.#commandLines.set(pid, readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '));
      } catch {
        // It has just ended.
      }
    }
  }

  /** The one whose command line is so. @throws Error where there is none, or more than one: the figures would be wrong */
  pidOf(commandLine: RegExp): number {
    const pids = [...this.#commandLines].filter(([, line]) => commandLine.test(line)).map(([pid]) => pid);
    const [pid] = pids;
    if (pid === undefined || pids.length > 1)
      throw new Error(`${pids.length} processes of the mesh are called ${commandLine}, and not one`);
    return pid;
  }
}
