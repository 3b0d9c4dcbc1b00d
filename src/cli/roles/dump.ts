/** `ambit dump`: what a program of the mesh has in its memory. */
import { AmbitError } from '../../base/errors.ts';
import { type MeshProxy, proxyName } from '../../model/mesh-proxy.ts';
import { findMesh, type MeshFlags } from '../mesh/find-mesh.ts';
import { ADMIN_PORT, findProxy } from '../mesh/find-proxy.ts';
import { askJson, type MeshAccess } from '../mesh/mesh-access.ts';
import { printValue } from '../print-value.ts';
import { readableAddresses } from '../readable-addresses.ts';

export interface DumpFlags extends MeshFlags {
  readonly section?: string;
  readonly output: 'json' | 'yaml';
}

/** @throws AmbitError */
export async function runDump(proxy: string, flags: DumpFlags, environment: NodeJS.ProcessEnv): Promise<void> {
  const access = await findMesh(flags, environment);
  try {
    const found = findProxy(await access.proxies(), proxy);
    const dump = await dumpOf(access, found);
    printValue(sectionOf(dump, flags.section, found), flags.output);
  } finally {
    access.close();
  }
}

/** The whole dump of a program. @throws AmbitError */
export async function dumpOf(access: MeshAccess, proxy: MeshProxy): Promise<object> {
  if (proxy.role !== 'control') return (await askJson(access, proxy, ADMIN_PORT, '/config_dump')) as object;
  const [feed, streams, status] = await Promise.all(
    ['ambientz', 'syncz', 'statusz'].map((name) => askJson(access, proxy, access.controlPort, `/debug/${name}`)),
  );
  return { ...(readableAddresses(feed) as object), streams, status };
}

function sectionOf(dump: object, section: string | undefined, proxy: MeshProxy): unknown {
  if (section === undefined) return dump;
  const found = Object.entries(dump).find(([name]) => name.toLowerCase() === section.toLowerCase());
  if (found !== undefined) return found[1];
  const known = Object.keys(dump).sort().join(', ');
  throw new AmbitError('SECTION_UNKNOWN', `${proxyName(proxy)} has no section "${section}"; it has ${known}`);
}
