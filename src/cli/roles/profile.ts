/** `ambit profile`: where a proxy spends its time, or its memory, for `go tool pprof` and speedscope. */
import { writeFile } from 'node:fs/promises';
import { AmbitError } from '../../base/errors.ts';
import { proxyName } from '../../model/mesh-proxy.ts';
import { checkWritable } from '../check-writable.ts';
import { findMesh, type MeshFlags } from '../mesh/find-mesh.ts';
import { ADMIN_PORT, findProxy, needAdmin } from '../mesh/find-proxy.ts';
import { askProxy } from '../mesh/mesh-access.ts';
import { printLine } from '../print-line.ts';

export interface ProfileFlags extends MeshFlags {
  readonly seconds: number;
  readonly heap: boolean;
  readonly file?: string;
}

/** An answer comes at the end of the profile, and takes its time. */
const SLACK_MS = 20_000;

/** @throws AmbitError PROFILE_REFUSED, FILE_NOT_WRITABLE */
export async function runProfile(name: string, flags: ProfileFlags, environment: NodeJS.ProcessEnv): Promise<void> {
  const access = await findMesh(flags, environment);
  try {
    const proxy = needAdmin(findProxy(await access.proxies(), name));
    const { seconds, heap } = flags;
    const file = flags.file ?? `${proxy.name}-${heap ? 'heap' : 'cpu'}.pb.gz`;
    checkWritable(file);
    const asked = async (path: string, method: 'GET' | 'POST' = 'GET') => {
      const { status, body } = await askProxy(access, proxy, {
        port: ADMIN_PORT,
        path,
        method,
        timeoutMs: seconds * 1000 + SLACK_MS,
      });
      if (status === 200) return body;
      throw new AmbitError('PROFILE_REFUSED', `${proxyName(proxy)}: ${body.toString('utf8').trim() || status}`);
    };
    const what = heap ? 'allocations' : 'time';
    process.stderr.write(`${proxyName(proxy)}: looking at its ${what} for ${seconds} s\n`);
    const profile = heap ? await heapProfile(asked, seconds) : await asked(`/debug/pprof/profile?seconds=${seconds}`);
    await writeFile(file, profile);
    printLine(`${file}: ${profile.length} bytes; read it with go tool pprof -http=: ${file}`);
  } finally {
    access.close();
  }
}

async function heapProfile(asked: (path: string) => Promise<Buffer>, seconds: number): Promise<Buffer> {
  await asked('/debug/pprof/heap/profiling?activate=true');
  try {
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    return await asked('/debug/pprof/heap');
  } finally {
    await asked('/debug/pprof/heap/profiling?activate=false');
  }
}
