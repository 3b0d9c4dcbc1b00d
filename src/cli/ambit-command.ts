/** How this very program is started again. */
import { join } from 'node:path';

/** Seen from here whether compiled or not. */
const LAUNCHER = join(import.meta.dirname, '../../bin/ambit');

/** Program and first arguments: the launcher, which knows what options of Node each role has. */
export function ambitCommand(): string[] {
  return [LAUNCHER];
}
