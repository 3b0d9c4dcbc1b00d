/**
 * The process outside: starts the private world of a mesh, passes on the wish to stop, and clears up behind it.
 *
 * Invariants:
 * - Whatever ends this process, SIGKILL included, ends the world: unshare has it as its parent-death signal, the first
 *   process of the world has unshare's, and the kernel ends every process of a process namespace with its first one;
 *   bridges, rules and mounts live in namespaces that only those processes hold. The pipe to the engine says it too.
 * - The world is in a session of its own: Ctrl-C reaches this process alone, which decides what it means.
 */
import { spawn } from 'node:child_process';
import { type NamespaceMode, unshareArguments } from './namespace-support.ts';
import type { RunFolder } from './run-folder.ts';

/**
 * First process of the world: takes the place of init (ends zombies) and prepares mounts. $1 is the run folder, the rest
 * the engine, which gets the process id as the machine sees it: after /proc is mounted anew nobody inside can tell.
 */
const INIT = `
read -r host rest < /proc/self/stat
run=$1; shift
mount -t proc proc /proc && mount -t tmpfs -o mode=0700 tmpfs "$run/netns" && ip link set dev lo up || exit 1
if [ -e /etc/resolv.conf ]; then mount --bind "$run/resolv.conf" /etc/resolv.conf || exit 1; fi
"$@" "$host"
exit $?
`;

export interface SuperviseOptions {
  readonly mode: NamespaceMode;
  readonly folder: RunFolder;
  /** The engine's program and arguments; the id of the first process is added. */
  readonly engine: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
}

/** A running world. */
export interface SupervisedRun {
  /** Exit status of the engine; 130 when it was ended by force on request, 1 when by something else. */
  readonly ended: Promise<number>;
  /** First call: gracefully. Second: at once. */
  stop(): void;
}

/** As a shell reports Ctrl-C. */
const INTERRUPTED = 130;

/** Starts the world. */
export function superviseRun({ mode, folder, engine, environment }: SuperviseOptions): SupervisedRun {
  const world = ['unshare', ...unshareArguments(mode), 'sh', '-c', INIT, 'ambit-init', folder.path, ...engine];
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...world], {
    stdio: ['pipe', 'inherit', 'inherit'],
    detached: true,
    env: environment,
  });
  // The engine may be gone before the wish to stop arrives.
  child.stdin.on('error', () => undefined);
  let asked = false;
  return {
    ended: new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => resolve(code ?? (asked ? INTERRUPTED : 1)));
    }),
    stop() {
      if (asked) child.kill('SIGKILL');
      else child.stdin.write('stop\n');
      asked = true;
    },
  };
}
