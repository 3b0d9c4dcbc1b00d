/** Whether ztunnel still carries connections of a pod: the sockets of its listeners in the pod's namespace. */
import { INBOUND_HBONE_PORT, INBOUND_PLAINTEXT_PORT, OUTBOUND_PORT } from './in-pod-rules.ts';
import type { RunCommand } from './run-command.ts';

/** States of /proc/net/tcp in which bytes may still pass: established, both FIN_WAITs, CLOSE_WAIT, LAST_ACK, CLOSING. */
const OPEN_STATES: ReadonlySet<string> = new Set(['01', '04', '05', '08', '09', '0B']);
const PORTS: ReadonlySet<string> = new Set(
  [OUTBOUND_PORT, INBOUND_PLAINTEXT_PORT, INBOUND_HBONE_PORT].map((port) =>
    port.toString(16).toUpperCase().padStart(4, '0'),
  ),
);

/** @param netnsPath of the pod. Resolves to true when the namespace cannot be looked at */
export async function hasProxiedConnections(netnsPath: string, run: RunCommand): Promise<boolean> {
  // /proc/net shows the namespace of whoever reads it. A kernel without IPv6 lacks the second file.
  const files = ['/proc/net/tcp', '/proc/net/tcp6'];
  const { stdout } = await run('nsenter', [`--net=${netnsPath}`, 'cat', ...files]).catch(() => ({ stdout: '' }));
  return stdout === '' || hasOpenProxySocket(stdout);
}

/** Whether a table such as /proc/net/tcp names an open connection of one of ztunnel's listeners. */
export function hasOpenProxySocket(table: string): boolean {
  return table.split('\n').some((line) => {
    const [, local = '', , state = ''] = line.trim().split(/\s+/);
    return OPEN_STATES.has(state) && PORTS.has(local.slice(local.lastIndexOf(':') + 1));
  });
}
