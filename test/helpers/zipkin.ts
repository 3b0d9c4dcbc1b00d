/** A Zipkin server for tests: the program, and what it says of traces. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const FETCH = fileURLToPath(new URL('../../scripts/fetch-zipkin.sh', import.meta.url));

/** The command that serves on port 9411, with everything in memory. */
export function zipkinCommand(): readonly string[] {
  const jar = execFileSync(FETCH, { encoding: 'utf8' }).trim();
  return ['java', '-Xmx192m', '-XX:TieredStopAtLevel=1', '-jar', jar];
}

/** A span as Zipkin answers with it. */
export interface ZipkinSpan {
  readonly traceId: string;
  readonly id: string;
  readonly parentId?: string;
  readonly kind: string;
  readonly name: string;
  readonly timestamp: number;
  readonly duration: number;
  readonly localEndpoint: { readonly serviceName: string };
  readonly tags: Readonly<Record<string, string>>;
}
