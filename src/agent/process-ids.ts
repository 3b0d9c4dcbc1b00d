/** The processes that a /proc shows. */
import { readdirSync } from 'node:fs';

/** Of a node that has more, some are not looked at. */
const MAX_PROCESSES = 200_000;

/** Their numbers, as names of folders. @param procRoot the host's /proc */
export function processIds(procRoot: string): readonly string[] {
  return readdirSync(procRoot)
    .filter((name) => /^\d+$/.test(name))
    .slice(0, MAX_PROCESSES);
}
