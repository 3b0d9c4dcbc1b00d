/**
 * Finds the network namespaces of pods that run already, by their processes (facts ztunnel-wire 3.6).
 *
 * Invariants:
 * - one pass over /proc serves all pods that are looked for at a time;
 * - a pass is bounded, and yields to other work between batches;
 * - a descriptor that is returned was opened while its process still belonged to the pod.
 */
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { type NetnsId, netnsId } from '../../native/sockets.ts';
import { processIds } from '../process-ids.ts';

const BATCH = 100;
/** Namespaces of one pod that are tried: containers in containers have their own. */
const MAX_NAMESPACES = 8;
/** `pod<uid>` in a cgroup path: cgroupfs writes dashes, systemd underscores; a static pod has 32 digits without any. */
const POD_UID = /pod([0-9a-f]{8}[-_]?[0-9a-f]{4}[-_]?[0-9a-f]{4}[-_]?[0-9a-f]{4}[-_]?[0-9a-f]{12})(?![0-9a-f])/;
/** What stands before the uid with systemd: `kubepods-besteffort-pod<uid>.slice`. */
const KUBEPODS = /kubepods|\/\.\.\/|^\/?pod/;

interface PodProcess {
  readonly pid: string;
  /** Ticks since the machine started. */
  readonly startTicks: number;
}

/** An open namespace. The receiver closes the descriptor. */
export interface FoundNetns {
  readonly fd: number;
}

/** The pod uid that /proc/PID/cgroup names, with dashes; undefined for processes outside of pods. */
export function podUidOfCgroup(text: string): string | undefined {
  for (const line of text.split('\n')) {
    // `<number>:<controllers>:<path>`, in version 2 of cgroups `0::<path>`.
    const path = line.slice(line.indexOf(':', line.indexOf(':') + 1) + 1);
    const uid = KUBEPODS.test(path) ? POD_UID.exec(path)?.[1] : undefined;
    if (uid !== undefined) return uid.replaceAll('_', '-');
  }
  return undefined;
}

/** The start time in /proc/PID/stat (proc(5), field 22); the name before it may hold anything. */
export function startTicksOf(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[19] ?? Number.NaN);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The process has ended meanwhile.
    return '';
  }
}

/** The processes of the pods with these uids, or of all pods, oldest first. @param procRoot the host's /proc */
async function processesOf(
  uids: ReadonlySet<string> | undefined,
  procRoot: string,
): Promise<ReadonlyMap<string, PodProcess[]>> {
  const found = new Map<string, PodProcess[]>();
  for (const [index, pid] of processIds(procRoot).entries()) {
    if (index % BATCH === BATCH - 1) await new Promise((resolve) => setImmediate(resolve));
    const uid = podUidOfCgroup(read(`${procRoot}/${pid}/cgroup`));
    if (uid === undefined || uids?.has(uid) === false) continue;
    const startTicks = startTicksOf(read(`${procRoot}/${pid}/stat`));
    if (Number.isNaN(startTicks)) continue;
    const processes = found.get(uid) ?? [];
    processes.push({ pid, startTicks });
    found.set(uid, processes);
  }
  for (const processes of found.values()) processes.sort((a, b) => a.startTicks - b.startTicks);
  return found;
}

/** Opens the namespaces of a pod's processes, that of the oldest first, each once. */
function openNamespaces(uid: string, processes: readonly PodProcess[], procRoot: string): FoundNetns[] {
  const seen = new Set<string>();
  const opened: FoundNetns[] = [];
  for (const { pid, startTicks } of processes) {
    if (opened.length >= MAX_NAMESPACES) break;
    try {
      const { ino, dev } = statSync(`${procRoot}/${pid}/ns/net`, { bigint: true });
      if (seen.has(`${dev}:${ino}`)) continue;
      const fd = openSync(`${procRoot}/${pid}/ns/net`, 'r');
      // The number may have gone to another process since.
      const isSame =
        podUidOfCgroup(read(`${procRoot}/${pid}/cgroup`)) === uid &&
        startTicksOf(read(`${procRoot}/${pid}/stat`)) === startTicks;
      if (!isSame) {
        closeSync(fd);
        continue;
      }
      const id: NetnsId = netnsId(fd);
      seen.add(`${id.dev}:${id.ino}`);
      opened.push({ fd });
    } catch {
      // The process has ended meanwhile; another one may tell.
    }
  }
  return opened;
}

/**
 * Looks for the namespaces of pods, best candidate first; pods without a process are missing in the answer.
 * @param uids as cgroup paths name them
 * @param procRoot the host's /proc
 */
export async function findPodNamespaces(
  uids: ReadonlySet<string>,
  procRoot: string,
): Promise<ReadonlyMap<string, readonly FoundNetns[]>> {
  const processes = await processesOf(uids, procRoot);
  return new Map([...processes].map(([uid, list]) => [uid, openNamespaces(uid, list, procRoot)]));
}

/** The open namespaces of all pods of the node. The caller closes them. @param procRoot the host's /proc */
export async function allPodNamespaces(procRoot: string): Promise<readonly FoundNetns[]> {
  const processes = await processesOf(undefined, procRoot);
  return [...processes].flatMap(([uid, list]) => openNamespaces(uid, list, procRoot));
}

interface Waiting {
  readonly uids: readonly string[];
  readonly resolve: (found: readonly FoundNetns[]) => void;
  readonly reject: (error: unknown) => void;
}

/** Looks pods up; whoever asks while a pass is under way is served by the next one, together with the others. */
export class NetnsFinder {
  readonly #procRoot: string;
  #waiting: Waiting[] = [];
  #running = false;

  /** @param procRoot the host's /proc */
  constructor(procRoot: string) {
    this.#procRoot = procRoot;
  }

  /** The open namespaces of a pod, best candidate first; empty when it has no process. The caller closes them. */
  find(uids: readonly string[]): Promise<readonly FoundNetns[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ uids, resolve, reject });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length > 0) {
      // Those who ask in the same moment come along.
      await new Promise((resolve) => setImmediate(resolve));
      const batch = this.#waiting;
      this.#waiting = [];
      await this.#serve(batch);
    }
    this.#running = false;
  }

  async #serve(batch: readonly Waiting[]): Promise<void> {
    try {
      const found = await findPodNamespaces(new Set(batch.flatMap(({ uids }) => uids)), this.#procRoot);
      for (const { uids, resolve } of batch) resolve(uids.flatMap((uid) => found.get(uid) ?? []));
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}
