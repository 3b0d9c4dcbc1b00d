/** Opens a pod's network namespace and makes sure that it is one, and the pod's (facts ztunnel-wire 3.6). */
import { closeSync, openSync, statSync } from 'node:fs';
import { AmbitError, systemErrorCode } from '../base/errors.ts';
import { parseIpAddress } from '../model/address.ts';
import { type AgentPod, podText } from '../model/agent-pod.ts';
import { type NetnsId, netnsId } from '../native/sockets.ts';
import type { RunCommand } from './run-command.ts';

export type NetnsErrorCode = 'NETNS_NOT_FOUND' | 'NETNS_IS_HOST' | 'NETNS_NOT_OF_POD' | 'NETNS_IN_USE';

/** An open network namespace. Whoever holds it closes the descriptor. */
export interface PodNetns {
  readonly fd: number;
  readonly id: NetnsId;
}

/** The namespaces no pod may be in: the agent's own, and that of the machine's first process. */
const HOST_NETNS_PATHS = ['/proc/self/ns/net', '/proc/1/ns/net'];

/** A path to an open namespace that other programs can use, whatever happens to the path it was opened by. */
export function netnsPath(fd: number): string {
  return `/proc/${process.pid}/fd/${fd}`;
}

export function sameNetns(a: NetnsId, b: NetnsId): boolean {
  return a.ino === b.ino && a.dev === b.dev;
}

/**
 * Opens and checks the namespace of a pod.
 * @throws AmbitError NETNS_NOT_FOUND, NETNS_IS_HOST, NETNS_NOT_OF_POD
 */
export async function openPodNetns(pod: AgentPod, run: RunCommand): Promise<PodNetns> {
  const fd = openNetns(pod);
  try {
    const id = netnsId(fd);
    refuseHost(pod, id);
    await requirePodAddress(pod, fd, run);
    return { fd, id };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function openNetns(pod: AgentPod): number {
  try {
    return openSync(pod.netns, 'r');
  } catch (cause) {
    throw new AmbitError<NetnsErrorCode>(
      'NETNS_NOT_FOUND',
      `pod ${podText(pod)}: cannot open its network namespace ${pod.netns} (${systemErrorCode(cause)}): has the pod ended, or does the agent not see the path?`,
      { side: 'downstream', cause },
    );
  }
}

/** Whether a namespace is the agent's own, or the machine's. */
export function isHostNetns(id: NetnsId): boolean {
  for (const path of HOST_NETNS_PATHS) {
    let host: NetnsId;
    try {
      host = statSync(path, { bigint: true });
    } catch {
      // Another process's namespace may be hidden from the agent; then the pod cannot have it either.
      continue;
    }
    if (sameNetns(host, id)) return true;
  }
  return false;
}

function refuseHost(pod: AgentPod, id: NetnsId): void {
  if (isHostNetns(id)) {
    throw new AmbitError<NetnsErrorCode>(
      'NETNS_IS_HOST',
      `pod ${podText(pod)}: ${pod.netns} is the network namespace of the host; pods with hostNetwork cannot join the mesh`,
      { side: 'downstream' },
    );
  }
}

async function requirePodAddress(pod: AgentPod, fd: number, run: RunCommand): Promise<void> {
  const { status, stdout, stderr } = await run('nsenter', [`--net=${netnsPath(fd)}`, 'ip', '-j', 'addr', 'show']);
  const refuse = (reason: string) =>
    new AmbitError<NetnsErrorCode>('NETNS_NOT_OF_POD', `pod ${podText(pod)}: ${pod.netns} ${reason}`, {
      side: 'downstream',
    });
  if (status !== 0) throw refuse(`is no network namespace that can be entered: ${stderr.trim()}`);
  const addresses = addressesOf(stdout);
  const wanted = pod.ips.map((ip) => parseIpAddress(ip));
  if (wanted.some((ip) => ip !== undefined && addresses.has(ip))) return;
  throw refuse(`holds none of the pod's addresses (${pod.ips.join(', ')}): it belongs to another pod`);
}

interface IpLink {
  readonly addr_info?: readonly { readonly local?: string }[];
}

/** The addresses in the output of `ip -j addr`. */
export function addressesOf(json: string): ReadonlySet<string> {
  const links = JSON.parse(json) as readonly IpLink[];
  const texts = links.flatMap(({ addr_info = [] }) => addr_info.map(({ local = '' }) => local));
  return new Set(texts.map((text) => parseIpAddress(text) ?? ''));
}
