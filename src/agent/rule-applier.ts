/**
 * Writes and removes the redirection inside a pod's network namespace.
 *
 * Invariants:
 * - applying twice leaves the same rules as applying once; removal tolerates absence;
 * - rules of others in the pod are never touched;
 * - `apply` resolves only after the rules were read back;
 * - a failed `apply` is an AmbitError RULES_*: the pod must not be handed to ztunnel then.
 */
import { AmbitError, errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { inPodNftRules, NFT_TABLES, nftRemovalText, nftScript } from './in-pod-nft.ts';
import { addRouteCommands, isAlreadyDone, removeRouteCommands } from './in-pod-routes.ts';
import { type InPodRuleOptions, type IpFamily, inPodRules } from './in-pod-rules.ts';
import {
  compareRules,
  parseSavedRules,
  type RulesFound,
  removalText,
  replacementText,
  rulesFound,
} from './iptables-save.ts';
import type { CommandResult, RunCommand } from './run-command.ts';

export type RuleErrorCode = 'RULES_TOOL_FAILED' | 'RULES_NOT_APPLIED';

/** `auto`: iptables when it is installed, else nft. */
export type RuleBackend = 'auto' | 'iptables' | 'nft';

export interface RuleApplierDeps {
  readonly run: RunCommand;
  readonly log: Logger;
}

/** Writes and removes the rules of pods. Operations on one pod must not overlap. */
export class RuleApplier {
  readonly #backend: RuleBackend;
  readonly #deps: RuleApplierDeps;
  #chosen: Promise<'iptables' | 'nft'> | undefined;

  constructor(backend: RuleBackend, deps: RuleApplierDeps) {
    this.#backend = backend;
    this.#deps = deps;
  }

  /**
   * Writes routes, then rules, and reads the rules back.
   * @param netnsPath a path of the namespace, also of the form /proc/<pid>/fd/<n>
   */
  async apply(netnsPath: string, options: InPodRuleOptions): Promise<void> {
    const families = await this.#routableFamilies(netnsPath, options.ipv6);
    for (const family of families) await this.#ip(netnsPath, addRouteCommands(family));
    if ((await this.#choose()) === 'nft') {
      await this.#applyNft(netnsPath, options);
      return;
    }
    await this.#applyIptables(netnsPath, options, 4);
    if (options.ipv6 && (await this.#ip6tablesWorks(netnsPath))) await this.#applyIptables(netnsPath, options, 6);
  }

  /** Removes rules and routes, also those of the variant that was in use before. */
  async remove(netnsPath: string): Promise<void> {
    const nft = () => this.#require(netnsPath, 'nft', ['-f', '-'], nftRemovalText());
    const iptables = async () => {
      await this.#removeIptables(netnsPath, 4);
      if (await this.#ip6tablesWorks(netnsPath)) await this.#removeIptables(netnsPath, 6);
    };
    const [chosen, other] = (await this.#choose()) === 'nft' ? [nft, iptables] : [iptables, nft];
    await chosen();
    // The other tool need not be installed; then it never wrote anything either.
    await other().catch((error: unknown) => {
      this.#deps.log.debug('the other variant of the rules cannot be looked at', { error: errorText(error) });
    });
    for (const family of [4, 6] as const) await this.#ip(netnsPath, removeRouteCommands(family));
  }

  /** What is in a namespace, whichever tool wrote it. @throws AmbitError RULES_TOOL_FAILED */
  async inspect(netnsPath: string): Promise<RulesFound> {
    const iptables = async () => rulesFound(await this.#saved(netnsPath, 4));
    const nft = () => this.#inspectNft(netnsPath);
    const [chosen, other] = (await this.#choose()) === 'nft' ? [nft, iptables] : [iptables, nft];
    const found = await chosen();
    // The other tool need not be installed; then it never wrote anything either.
    return found === 'none' ? other().catch(() => 'none' as const) : found;
  }

  async #inspectNft(netnsPath: string): Promise<RulesFound> {
    const [nat] = NFT_TABLES;
    const tables = await this.#require(netnsPath, 'nft', ['list', 'tables', 'inet']);
    if (!tables.split('\n').includes(`table inet ${nat}`)) return 'none';
    const listed = await this.#require(netnsPath, 'nft', ['list', 'table', 'inet', nat]);
    return listed.includes('redirect to') ? 'capturing' : 'emptied';
  }

  #choose(): Promise<'iptables' | 'nft'> {
    this.#chosen ??= this.#detect();
    return this.#chosen;
  }

  async #detect(): Promise<'iptables' | 'nft'> {
    if (this.#backend !== 'auto') return this.#backend;
    const works = await this.#deps.run('iptables-restore', ['--version']).then(
      ({ status }) => status === 0,
      () => false,
    );
    return works ? 'iptables' : 'nft';
  }

  #inside(netnsPath: string, program: string, args: readonly string[], input?: string): Promise<CommandResult> {
    return this.#deps.run('nsenter', [`--net=${netnsPath}`, program, ...args], input);
  }

  async #require(netnsPath: string, program: string, args: readonly string[], input?: string): Promise<string> {
    const { status, stdout, stderr } = await this.#inside(netnsPath, program, args, input);
    if (status === 0) return stdout;
    throw new AmbitError<RuleErrorCode>(
      'RULES_TOOL_FAILED',
      `${program} ${args.join(' ')} in ${netnsPath} failed with status ${status}: ${stderr.trim() || 'no message'}; it needs CAP_NET_ADMIN and CAP_SYS_ADMIN, and netfilter in the kernel`,
    );
  }

  /** IPv6 routes cannot be added where IPv6 is off on `lo`. */
  async #routableFamilies(netnsPath: string, ipv6: boolean): Promise<readonly IpFamily[]> {
    if (!ipv6) return [4];
    const { status, stdout } = await this.#inside(netnsPath, 'cat', ['/proc/sys/net/ipv6/conf/lo/disable_ipv6']);
    return status === 0 && stdout.trim() === '0' ? [4, 6] : [4];
  }

  async #ip(netnsPath: string, commands: readonly (readonly string[])[]): Promise<void> {
    for (const args of commands) {
      const { status, stderr } = await this.#inside(netnsPath, 'ip', args);
      if (status === 0 || isAlreadyDone(stderr)) continue;
      // Without IPv6 in the kernel there is nothing to remove either.
      if (args[0] === '-6' && args[2] === 'del') continue;
      throw new AmbitError<RuleErrorCode>(
        'RULES_TOOL_FAILED',
        `ip ${args.join(' ')} in ${netnsPath} failed with status ${status}: ${stderr.trim()}`,
      );
    }
  }

  async #ip6tablesWorks(netnsPath: string): Promise<boolean> {
    const { status, stderr } = await this.#inside(netnsPath, 'ip6tables-save', []).catch(() => ({
      status: -1,
      stderr: 'not installed',
    }));
    if (status !== 0) this.#deps.log.warn('no IPv6 rules: ip6tables does not work', { error: stderr.trim() });
    return status === 0;
  }

  async #applyIptables(netnsPath: string, options: InPodRuleOptions, family: IpFamily): Promise<void> {
    const wanted = inPodRules(options, family);
    const before = await this.#saved(netnsPath, family);
    if (compareRules(before, wanted).kind === 'same') return;
    await this.#restore(netnsPath, family, replacementText(before, wanted));
    const comparison = compareRules(await this.#saved(netnsPath, family), wanted);
    if (comparison.kind === 'same') return;
    const where = comparison.kind === 'absent' ? 'every table' : comparison.where;
    if (comparison.kind === 'different' && comparison.countsMatch) {
      this.#deps.log.warn('iptables-save spells the rules in its own way, they cannot be compared', { where });
      return;
    }
    throw new AmbitError<RuleErrorCode>(
      'RULES_NOT_APPLIED',
      `the IPv${family} rules of ${netnsPath} are not what was written (${where}): does another program manage this namespace?`,
    );
  }

  async #removeIptables(netnsPath: string, family: IpFamily): Promise<void> {
    await this.#restore(netnsPath, family, removalText(await this.#saved(netnsPath, family)));
  }

  async #saved(netnsPath: string, family: IpFamily) {
    const program = family === 4 ? 'iptables-save' : 'ip6tables-save';
    return parseSavedRules(await this.#require(netnsPath, program, []));
  }

  async #restore(netnsPath: string, family: IpFamily, text: string): Promise<void> {
    if (text === '') return;
    await this.#require(
      netnsPath,
      family === 4 ? 'iptables-restore' : 'ip6tables-restore',
      ['--noflush', '--wait'],
      text,
    );
  }

  async #applyNft(netnsPath: string, options: InPodRuleOptions): Promise<void> {
    await this.#require(netnsPath, 'nft', ['-f', '-'], nftScript(options));
    const wanted = inPodNftRules(options);
    for (const table of NFT_TABLES) {
      const rules = wanted.get(table);
      if (rules === undefined) continue;
      const listed = await this.#require(netnsPath, 'nft', ['-a', 'list', 'table', 'inet', table]);
      const expected = rules.prerouting.length + rules.output.length + 2;
      // Handles are printed behind rules, chains (four of them) and the table.
      const found = listed.split('\n').filter((line) => / # handle \d+$/.test(line)).length - 5;
      if (found === expected) continue;
      throw new AmbitError<RuleErrorCode>(
        'RULES_NOT_APPLIED',
        `table inet ${table} in ${netnsPath} has ${found} rules instead of ${expected}`,
      );
    }
  }
}
