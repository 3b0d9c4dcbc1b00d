/** Versions of what a bench compares with and measures by: they decide about a ratio as much as the machine does. */
import { spawnSync } from 'node:child_process';
import { release } from 'node:os';
import { ENVOY } from './envoy/fetch-envoy.ts';
import { goToolPath } from './go-tool.ts';

/** How each program tells its own. */
const PROGRAMS = {
  envoy: [ENVOY, '--version'],
  haproxy: ['haproxy', '-v'],
  nginx: ['nginx', '-v'],
  wrk: ['wrk', '-v'],
  h2load: ['h2load', '--version'],
  iperf3: ['iperf3', '--version'],
  fortio: [goToolPath('fortio'), 'version'],
} as const satisfies Record<string, readonly [string, ...string[]]>;

export type Program = keyof typeof PROGRAMS;

/** The kernel's and those of the programs, by name. */
export function versions(programs: readonly Program[]): Readonly<Record<string, string>> {
  return { linux: release(), ...Object.fromEntries(programs.map((name) => [name, versionOf(name)])) };
}

function versionOf(name: Program): string {
  const [command, ...args] = PROGRAMS[name];
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  return /\d+\.\d+(?:\.\d+)*/.exec(`${stdout}${stderr}`.replace(/\b[0-9a-f]{40}\b/, ''))?.[0] ?? 'unknown';
}
