/** CPU time and memory of a process from /proc, and the cores that the bench divides. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** CPU of all threads in microseconds, from the scheduler's own account. */
export function cpuUs(pid: number): number {
  let nanoseconds = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    nanoseconds += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
  }
  return nanoseconds / 1000;
}

/** Memory of a process in bytes; `peak` is the most that was resident since the start or `forgetPeak`. */
export function memoryBytes(pid: number): { rss: number; anonymous: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? Number.NaN);
  return { rss: kib('VmRSS') * 1024, anonymous: kib('RssAnon') * 1024, peak: kib('VmHWM') * 1024 };
}

/** From now on the peak is counted anew (proc(5), clear_refs). */
export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** Where load and applications run, and where the proxies do. */
export const LOAD_CORE = 0;
export const PROXY_CORE = 1;

/** How the cores of the machine are divided between load and proxies: lists as `taskset` takes them. */
export interface Cores {
  readonly load: string;
  readonly proxies: string;
}

/** One for each. */
export const ONE_CORE: Cores = { load: `${LOAD_CORE}`, proxies: `${PROXY_CORE}` };
/** Two for each. */
export const TWO_CORES: Cores = { load: '0,3', proxies: '1,2' };

/** The arguments of `taskset` in front of a command. */
export function onCore(cores: number | string): string[] {
  return ['-c', String(cores)];
}
