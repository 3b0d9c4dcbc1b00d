/**
 * The one thing of a local mesh that outlives its processes: a folder with its state, logs and written manifests.
 *
 * Invariants:
 * - One live mesh per folder: it is claimed by creating `state.json`, which names the claiming process by its id and its
 *   start time, so that a process id used again is never taken for it.
 * - The folder belongs to the user and nobody else can look into it: it holds tokens and the environment of containers.
 */
import {
  type Dirent,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { AmbitError, systemErrorCode } from '../base/errors.ts';

const containerSchema = z.object({
  name: z.string(),
  folder: z.string(),
  env: z.record(z.string(), z.string()),
  /** Why it does not run, in the words of Kubernetes; empty when it runs or has ended for good. */
  waiting: z.string(),
  /** How often it was started again. */
  restarts: z.number(),
  /** How it ended last, as `status 3` or a signal; empty while it never did. */
  lastExit: z.string(),
});
const podSchema = z.object({
  namespace: z.string(),
  name: z.string(),
  /** Name of the Deployment; empty for a bare pod. */
  deployment: z.string(),
  node: z.string(),
  ips: z.array(z.string()),
  ready: z.boolean(),
  enrolled: z.boolean(),
  /** Process that holds the pod's namespaces, as the mesh's own process namespace counts. */
  pid: z.number(),
  containers: z.array(containerSchema),
});
const stateSchema = z.object({
  /** The process to signal, and its start time in clock ticks since the machine started. */
  pid: z.number(),
  startTime: z.string(),
  /** First process inside the namespaces, as the machine counts; 0 until there is one. */
  initPid: z.number(),
  /** Whether the mesh has a user namespace of its own. */
  userNamespace: z.boolean(),
  folder: z.string(),
  nodes: z.array(z.object({ name: z.string(), netns: z.string(), address: z.string() })),
  pods: z.array(podSchema),
});

export type RunState = z.infer<typeof stateSchema>;
export type PodState = z.infer<typeof podSchema>;
export type RunFolderErrorCode = 'RUN_FOLDER_UNSAFE' | 'RUN_ALREADY_UP' | 'RUN_NAME_INVALID';

const NAME = /^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$/;

/** The paths of one mesh. */
export class RunFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  get statePath(): string {
    return join(this.path, 'state.json');
  }

  /** Mount point of the network namespaces; empty when seen from outside. */
  get netns(): string {
    return join(this.path, 'netns');
  }

  get logs(): string {
    return join(this.path, 'logs');
  }

  /** Manifests that the engine writes: status of pods, nodes. */
  get status(): string {
    return join(this.path, 'status');
  }

  get ca(): string {
    return join(this.path, 'ca');
  }

  get resolvConf(): string {
    return join(this.path, 'resolv.conf');
  }

  /** Where commands reach the programs of the mesh. */
  get proxySocket(): string {
    return join(this.path, 'proxies.sock');
  }

  netnsOf(name: string): string {
    return join(this.netns, name);
  }

  /** Sockets and token of a node. */
  nodeFile(node: string, file: string): string {
    return join(this.path, 'nodes', node, file);
  }

  /** The token of a waypoint's account. */
  waypointToken(namespace: string, name: string): string {
    return join(this.path, 'waypoints', `${namespace}_${name}.token`);
  }

  podFolder(namespace: string, name: string): string {
    return join(this.path, 'pods', `${namespace}_${name}`);
  }

  /** Takes the folder for a new mesh; what a dead one left is cleared. @throws AmbitError RUN_ALREADY_UP */
  claim(state: RunState): void {
    const living = readState(this);
    if (living !== undefined && isAlive(living)) throw alreadyUp(this.path, living.pid);
    rmSync(this.path, { recursive: true, force: true });
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
    try {
      writeFileSync(this.statePath, JSON.stringify(state), { flag: 'wx', mode: 0o600 });
    } catch (error) {
      if (systemErrorCode(error) === 'EEXIST') throw alreadyUp(this.path, readState(this)?.pid ?? 0);
      throw error;
    }
    for (const path of [this.netns, this.logs, this.status, this.ca]) mkdirSync(path, { mode: 0o700 });
  }

  /** Removes everything, or all but the logs. */
  clear(keepLogs: boolean): void {
    if (!keepLogs) return rmSync(this.path, { recursive: true, force: true });
    for (const entry of entriesOf(this.path)) {
      if (entry.name !== 'logs') rmSync(join(this.path, entry.name), { recursive: true, force: true });
    }
  }
}

function alreadyUp(path: string, pid: number): AmbitError<RunFolderErrorCode> {
  return new AmbitError(
    'RUN_ALREADY_UP',
    `a mesh is up in ${path} already (process ${pid}): end it with 'ambit down', or choose another --name`,
  );
}

/** Where the meshes of this user are. @throws AmbitError RUN_FOLDER_UNSAFE when somebody else owns the folder */
export function runFolderBase(runtimeDirectory: string | undefined, uid: number): string {
  const base = runtimeDirectory ? join(runtimeDirectory, 'ambit') : `/tmp/ambit-${uid}`;
  mkdirSync(base, { recursive: true, mode: 0o700 });
  const stats = lstatSync(base);
  if (stats.isDirectory() && stats.uid === uid && (stats.mode & 0o022) === 0) return base;
  throw new AmbitError<RunFolderErrorCode>(
    'RUN_FOLDER_UNSAFE',
    `${base} is not a folder that only user ${uid} can write: remove it, or set XDG_RUNTIME_DIR`,
  );
}

/** The folder of a mesh by its name. @throws AmbitError RUN_NAME_INVALID */
export function runFolderOf(base: string, name: string): RunFolder {
  if (NAME.test(name)) return new RunFolder(join(base, name));
  throw new AmbitError<RunFolderErrorCode>(
    'RUN_NAME_INVALID',
    `"${name}" is no name for a mesh: lower-case letters, digits and '-', at most 40`,
  );
}

/** The meshes that are up. */
export function livingRuns(base: string): { readonly name: string; readonly state: RunState }[] {
  return entriesOf(base).flatMap((entry) => {
    if (!entry.isDirectory()) return [];
    const state = readState(new RunFolder(join(base, entry.name)));
    return state !== undefined && isAlive(state) ? [{ name: entry.name, state }] : [];
  });
}

function entriesOf(path: string): Dirent[] {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch {
    // A folder that is not there has no entries.
    return [];
  }
}

/** The recorded state; undefined when there is none that can be read. */
export function readState(folder: RunFolder): RunState | undefined {
  try {
    return stateSchema.parse(JSON.parse(readFileSync(folder.statePath, 'utf8')));
  } catch {
    // No file, or one that was cut off by a crash: nobody is up.
    return undefined;
  }
}

/** Records the state; a reader sees the old one or the new one, never a part. */
export function writeState(folder: RunFolder, state: RunState): void {
  const temporary = `${folder.statePath}.new`;
  writeFileSync(temporary, JSON.stringify(state), { mode: 0o600 });
  renameSync(temporary, folder.statePath);
}

/** Whether the process that claimed the folder still lives. */
export function isAlive(state: Pick<RunState, 'pid' | 'startTime'>): boolean {
  return processStartTime(state.pid) === state.startTime;
}

/** Start time of a process, field 22 of /proc/PID/stat (proc(5)); undefined when there is no such process. */
export function processStartTime(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the name in parentheses and may hold anything, spaces and parentheses included.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended; only its parent has not looked yet.
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    // The process has ended.
    return undefined;
  }
}
