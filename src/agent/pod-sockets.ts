/**
 * The open TCP connections in a pod's network namespace: which of them ztunnel carries, and which were there before the
 * pod joined the mesh. Read from /proc/net/tcp and ended by `ss -K`, which needs INET_DIAG_DESTROY in the kernel.
 */
import { INBOUND_HBONE_PORT, INBOUND_PLAINTEXT_PORT, OUTBOUND_PORT } from './in-pod-rules.ts';
import type { RunCommand } from './run-command.ts';

/** One end of a connection, in this namespace. */
export interface PodSocket {
  /** `10.0.0.1:80` or `[fd00::1]:80`. */
  readonly local: string;
  readonly remote: string;
  readonly localPort: number;
  /** Tells a socket from a later one with the same addresses. */
  readonly inode: string;
}

/** States of /proc/net/tcp in which bytes may still pass: established, both FIN_WAITs, CLOSE_WAIT, LAST_ACK, CLOSING. */
const OPEN_STATES: ReadonlySet<string> = new Set(['01', '04', '05', '08', '09', '0B']);
const PROXY_PORTS: ReadonlySet<number> = new Set([OUTBOUND_PORT, INBOUND_PLAINTEXT_PORT, INBOUND_HBONE_PORT]);
const LOOPBACK = /^(?:127\.|\[::1\]|\[::ffff:127\.)/;
/** Connections of one pod that are remembered. */
const MAX_SOCKETS = 10_000;
/** Arguments of one call. */
const MAX_CUT_AT_ONCE = 100;

/** Undefined when the namespace cannot be looked at. @param netnsPath of the pod */
export async function readPodSockets(netnsPath: string, run: RunCommand): Promise<readonly PodSocket[] | undefined> {
  // /proc/net shows the namespace of whoever reads it. A busy pod has thousands of sockets that have ended: only open ones
  // are let through. 1 means that there are none; 2 is a kernel without IPv6, which lacks the second file.
  const filter = `^ *[0-9]+: [0-9A-F:]+ [0-9A-F:]+ (${[...OPEN_STATES].join('|')}) `;
  const files = ['/proc/net/tcp', '/proc/net/tcp6'];
  const args = [`--net=${netnsPath}`, 'grep', '-shE', filter, ...files];
  const result = await run('nsenter', args).catch(() => undefined);
  const isComplete = result !== undefined && result.status >= 0 && result.status <= 2 && result.stderr === '';
  return isComplete ? parseSocketTable(result.stdout) : undefined;
}

/** Whether ztunnel still carries connections of the pod. True when nobody can tell. */
export async function hasProxiedConnections(netnsPath: string, run: RunCommand): Promise<boolean> {
  const sockets = await readPodSockets(netnsPath, run);
  return sockets === undefined || sockets.some(({ localPort }) => PROXY_PORTS.has(localPort));
}

/** The pod's own connections to and from others, while ztunnel carries none of them yet. */
export async function connectionsOfPod(netnsPath: string, run: RunCommand): Promise<readonly PodSocket[]> {
  const sockets = (await readPodSockets(netnsPath, run)) ?? [];
  return sockets.filter(({ local, localPort }) => !PROXY_PORTS.has(localPort) && !LOOPBACK.test(local));
}

/**
 * Ends those of the connections that are still open: both ends get a reset.
 * @returns how many are still open afterwards, because the kernel does not do it
 */
export async function cutConnections(
  netnsPath: string,
  sockets: readonly PodSocket[],
  run: RunCommand,
): Promise<{ readonly found: number; readonly left: number }> {
  const open = await stillOpen(netnsPath, sockets, run);
  for (let start = 0; start < open.length; start += MAX_CUT_AT_ONCE) {
    const filter = open
      .slice(start, start + MAX_CUT_AT_ONCE)
      .map(({ local, remote }) => `( src ${local} and dst ${remote} )`)
      .join(' or ');
    await run('nsenter', [`--net=${netnsPath}`, 'ss', '-K', '-t', '-n', ...filter.split(' ')]);
  }
  const left = open.length === 0 ? [] : await stillOpen(netnsPath, open, run);
  return { found: open.length, left: left.length };
}

async function stillOpen(netnsPath: string, sockets: readonly PodSocket[], run: RunCommand) {
  const now = new Set(((await readPodSockets(netnsPath, run)) ?? []).map(identity));
  return sockets.filter((socket) => now.has(identity(socket)));
}

function identity({ local, remote, inode }: PodSocket): string {
  return `${local} ${remote} ${inode}`;
}

/** The open connections of a table such as /proc/net/tcp, or of both after one another. */
export function parseSocketTable(table: string): readonly PodSocket[] {
  const sockets: PodSocket[] = [];
  for (const line of table.split('\n')) {
    const fields = line.trim().split(/\s+/);
    const [, local = '', remote = '', state = ''] = fields;
    if (!OPEN_STATES.has(state) || sockets.length === MAX_SOCKETS) continue;
    const [localText, localPort] = endpointOf(local);
    const [remoteText] = endpointOf(remote);
    sockets.push({ local: localText, remote: remoteText, localPort, inode: fields[9] ?? '' });
  }
  return sockets;
}

/** `0100007F:1F90` is 127.0.0.1:8080: every 32-bit word of the address is in the byte order of the machine. */
function endpointOf(text: string): readonly [string, number] {
  const [hex = '', port = ''] = text.split(':');
  const bytes = Buffer.from(hex, 'hex');
  // The machines that this runs on are little-endian.
  bytes.swap32();
  const number = Number.parseInt(port, 16);
  if (bytes.length === 4) return [`${bytes.join('.')}:${number}`, number];
  const mapped = bytes.subarray(0, 12).toString('hex') === '00000000000000000000ffff';
  if (mapped) return [`[::ffff:${bytes.subarray(12).join('.')}]:${number}`, number];
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16));
  return [`[${groups.join(':')}]:${number}`, number];
}
