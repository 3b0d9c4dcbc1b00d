/** Decides with which programs the node's probe rules are written, and for which families. */
import { readFileSync, statSync } from 'node:fs';
import { AmbitError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { IpFamily } from '../in-pod-rules.ts';
import { processIds } from '../process-ids.ts';
import type { RuleBackend } from '../rule-applier.ts';
import type { RunCommand } from '../run-command.ts';
import { type HostBackend, type HostRuleOptions, iptablesBackend, nftBackend } from './host-backend.ts';

const KUBELETS: ReadonlySet<string> = new Set(['kubelet', 'kubelite', 'k3s', 'k3s-server', 'k3s-agent', 'rke2', 'k0s']);

export interface ChooseBackendOptions extends Pick<HostRuleOptions, 'sourceV4' | 'sourceV6'> {
  readonly backend: RuleBackend;
  readonly ipv6: boolean;
  /** The host's /proc. */
  readonly procRoot: string;
}

/**
 * Looks which programs work. `auto` prefers iptables with ipset, and takes nft when one of them is missing.
 * @throws AmbitError HOST_RULES when nothing works
 */
export async function chooseHostBackend(
  options: ChooseBackendOptions,
  { run, log }: { readonly run: RunCommand; readonly log: Logger },
): Promise<HostBackend> {
  const works = (program: string, ...args: string[]) =>
    run(program, args).then(
      ({ status }) => status === 0,
      () => false,
    );
  const { sourceV4, sourceV6, backend, procRoot } = options;
  const hasTables = backend !== 'nft' && (await works('iptables-save', '-t', 'nat'));
  const hasSets = backend !== 'nft' && (await works('ipset', 'list', '-n'));
  if (hasTables && hasSets) {
    const ipv6 = options.ipv6 && (await works('ip6tables-save', '-t', 'nat'));
    return iptablesBackend({ sourceV4, sourceV6, families: families(ipv6), kubeletUid: 0 }, run);
  }
  const missing = `${hasTables ? '' : 'iptables '}${hasSets ? '' : 'ipset'}`.trim();
  if (backend !== 'iptables' && (await works('nft', 'list', 'tables'))) {
    if (backend === 'auto') log.warn('the node has no usable iptables with ipset, nft is used', { missing });
    const kubeletUid = findKubeletUid(procRoot);
    return nftBackend({ sourceV4, sourceV6, families: families(options.ipv6), kubeletUid }, run);
  }
  const wanted =
    backend === 'nft' ? 'nft' : `${missing.replace(' ', ' and ')}${backend === 'auto' ? ', and nft,' : ''}`;
  throw new AmbitError(
    'HOST_RULES',
    `probe rules of the node: ${wanted} cannot be used: are they in the image, has the agent CAP_NET_ADMIN, and does the kernel have ip_set?`,
  );
}

function families(ipv6: boolean): readonly IpFamily[] {
  return ipv6 ? [4, 6] : [4];
}

/** The user of the kubelet, or root. */
export function findKubeletUid(procRoot: string): number {
  for (const pid of processIds(procRoot)) {
    try {
      if (KUBELETS.has(readFileSync(`${procRoot}/${pid}/comm`, 'utf8').trim()))
        return statSync(`${procRoot}/${pid}`).uid;
    } catch {
      // The process has ended meanwhile.
    }
  }
  return 0;
}
