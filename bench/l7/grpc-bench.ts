/** gRPC's own benchmark programs, built from the Go module of the conformance tests. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
const FOLDER = join(ROOT, 'build/bench');

/** Builds them where they are not there yet. @throws Error without Go */
export function buildGrpcBench(): { readonly client: string; readonly server: string } {
  mkdirSync(FOLDER, { recursive: true });
  const built = (side: 'client' | 'server') => {
    const file = join(FOLDER, `grpc-bench-${side}`);
    try {
      execFileSync('go', ['build', '-o', file, `google.golang.org/grpc/benchmark/${side}`], {
        cwd: join(ROOT, 'test/conformance/grpc'),
        stdio: ['ignore', 'inherit', 'inherit'],
      });
    } catch (cause) {
      throw new Error('the gRPC lines need Go and a Go module proxy', { cause });
    }
    return file;
  };
  return { client: built('client'), server: built('server') };
}
