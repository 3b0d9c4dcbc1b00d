/** The programs that write the probe rules on the node: iptables with ipset, or nft. */
import { AmbitError } from '../../base/errors.ts';
import type { IpFamily } from '../in-pod-rules.ts';
import type { CommandResult, RunCommand } from '../run-command.ts';
import {
  familyOf,
  hostIptablesRemoval,
  hostIptablesScript,
  ipsetAddScript,
  ipsetScript,
  NFT_HOST_REMOVAL,
  nftAddScript,
  nftDeleteScript,
  nftHostScript,
  type ProbeEntries,
  parsePostrouting,
  probeSet,
} from './probe-rules.ts';

export interface HostRuleOptions {
  readonly sourceV4: string;
  readonly sourceV6: string;
  readonly families: readonly IpFamily[];
  readonly kubeletUid: number;
}

/** Every call throws AmbitError HOST_RULES when a program fails. */
export interface HostBackend {
  readonly name: 'iptables' | 'nft';
  /** Puts rules and set in place, with exactly these entries. Running connections are not disturbed. */
  install(entries: ProbeEntries): Promise<void>;
  /** Whether the rules are still where they were put. */
  isInPlace(): Promise<boolean>;
  add(ip: string, uid: string): Promise<void>;
  /** An entry that is not there is no error. */
  delete(ip: string): Promise<void>;
  /** Removes everything, also when only parts are there. */
  remove(): Promise<void>;
}

async function require(run: RunCommand, program: string, args: readonly string[], input?: string): Promise<string> {
  let result: CommandResult;
  try {
    result = await run(program, args, input);
  } catch (cause) {
    throw new AmbitError('HOST_RULES', `probe rules of the node: cannot run ${program}`, { cause });
  }
  if (result.status === 0) return result.stdout;
  const text = result.stderr.trim() || 'no message';
  throw new AmbitError(
    'HOST_RULES',
    `probe rules of the node: ${program} ${args.join(' ')} failed with status ${result.status}: ${text}; it needs CAP_NET_ADMIN, hostNetwork, and netfilter in the kernel`,
  );
}

/** iptables and ipset (facts ztunnel-wire 2.3). */
export function iptablesBackend(options: HostRuleOptions, run: RunCommand): HostBackend {
  const source = (family: IpFamily) => (family === 4 ? options.sourceV4 : options.sourceV6);
  const program = (family: IpFamily, name: string) => `${family === 4 ? 'ip' : 'ip6'}tables-${name}`;
  const saved = async (family: IpFamily) => {
    const text = await require(run, program(family, 'save'), ['-t', 'nat']);
    return parsePostrouting(text, family, source(family));
  };
  const restore = (family: IpFamily, text: string) =>
    text === '' ? Promise.resolve('') : require(run, program(family, 'restore'), ['--noflush', '--wait'], text);
  const ipset = (text: string) => require(run, 'ipset', ['restore', '-exist'], text);
  return {
    name: 'iptables',
    async install(entries) {
      for (const family of options.families) {
        await ipset(ipsetScript(family, entries));
        await restore(family, hostIptablesScript(family, source(family), (await saved(family)).jumps));
      }
    },
    async isInPlace() {
      for (const family of options.families) if (!(await saved(family)).isInPlace) return false;
      return true;
    },
    async add(ip, uid) {
      if (options.families.includes(familyOf(ip))) await ipset(ipsetAddScript(ip, uid));
    },
    async delete(ip) {
      if (!options.families.includes(familyOf(ip))) return;
      await require(run, 'ipset', ['del', probeSet(familyOf(ip)), ip, '-exist']);
    },
    async remove() {
      for (const family of options.families) {
        await restore(family, hostIptablesRemoval(await saved(family)));
        const { status } = await run('ipset', ['list', '-n', probeSet(family)]);
        if (status === 0) await require(run, 'ipset', ['destroy', probeSet(family)]);
      }
    },
  };
}

/** Native nftables (facts ztunnel-wire 2.4). */
export function nftBackend(options: HostRuleOptions, run: RunCommand): HostBackend {
  const nft = async (text: string) => void (await require(run, 'nft', ['-f', '-'], text));
  return {
    name: 'nft',
    install: (entries) => nft(nftHostScript({ ...options, entries })),
    async isInPlace() {
      const { status } = await run('nft', ['list', 'set', 'inet', 'istio-ambient-host', probeSet(4)]);
      return status === 0;
    },
    async add(ip, uid) {
      if (options.families.includes(familyOf(ip))) await nft(nftAddScript(ip, uid));
    },
    async delete(ip) {
      if (options.families.includes(familyOf(ip))) await nft(nftDeleteScript(ip));
    },
    remove: () => nft(NFT_HOST_REMOVAL),
  };
}
