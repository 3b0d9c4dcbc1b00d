/** What shared mode cannot do without, asked of the kernel before any pod depends on it (facts ztunnel-wire 1.5). */
import { closeSync, openSync } from 'node:fs';
import { AmbitError, errorText } from '../base/errors.ts';
import { closeFd, openTcpSocket } from '../native/sockets.ts';

const OWN_NETNS = '/proc/self/ns/net';

/**
 * Enters the own network namespace and marks a socket, as it is done for every pod.
 * @param mark the packet mark; undefined asks only about namespaces
 * @throws AmbitError MISSING_PRIVILEGE that names the missing capability
 */
export function checkPrivileges(mark: number | undefined): void {
  const netnsFd = openSync(OWN_NETNS, 'r');
  try {
    tryOut('open sockets in the network namespaces of pods', 'CAP_SYS_ADMIN', { netnsFd });
    if (mark !== undefined) tryOut(`mark its packets with ${mark}`, 'CAP_NET_ADMIN or CAP_NET_RAW', { mark });
  } finally {
    closeSync(netnsFd);
  }
}

function tryOut(
  what: string,
  capability: string,
  options: { readonly netnsFd?: number; readonly mark?: number },
): void {
  try {
    closeFd(openTcpSocket({ family: 4, ...options }));
  } catch (cause) {
    const reason = errorText(cause);
    const message = `ztunnel cannot ${what}: it needs ${capability} (in Kubernetes: securityContext.capabilities.add): ${reason}`;
    throw new AmbitError('MISSING_PRIVILEGE', message, { cause });
  }
}
