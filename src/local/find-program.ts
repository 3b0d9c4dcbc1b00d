/** Looks programs up in a search path, so that what is missing is said before anything starts. */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { AmbitError } from '../base/errors.ts';

/** Programs that the engine runs, with the Debian package each is in. */
const NEEDED: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  nft: 'nftables',
  unshare: 'util-linux',
  nsenter: 'util-linux',
  setpriv: 'util-linux',
  mount: 'mount',
  sh: 'dash',
};

/** The search path with the folders of administration programs, which users often lack. */
export function searchPath(path: string | undefined): string {
  return `${path || '/usr/local/bin:/usr/bin:/bin'}:/usr/sbin:/sbin`;
}

/** Absolute path of a program; undefined when it is in none of the folders. */
export function findProgram(name: string, path: string): string | undefined {
  for (const folder of path.split(':')) {
    if (folder === '') continue;
    const candidate = join(folder, name);
    try {
      accessSync(candidate, constants.X_OK);
      return candidate;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/** @throws AmbitError PROGRAMS_MISSING that names the packages to install */
export function requirePrograms(path: string): void {
  const missing = Object.entries(NEEDED).filter(([name]) => findProgram(name, path) === undefined);
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map(([, name]) => name))].join(' ');
  throw new AmbitError(
    'PROGRAMS_MISSING',
    `${missing.map(([name]) => name).join(', ')} not found: install ${packages} (apt-get install ${packages})`,
  );
}
