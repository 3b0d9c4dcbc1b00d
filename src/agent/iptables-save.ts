/** Reads the mesh's part of `iptables-save` output: to compare it with what should be there, and to remove it. */
import { MESH_CHAINS, type TableRules } from './in-pod-rules.ts';

/** Per table, per chain: the rules that belong to the mesh, in order. */
export type SavedRules = ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;

function isMeshChain(name: string): boolean {
  return MESH_CHAINS.some((chain) => chain === name);
}

/** The chain a rule jumps to, or an empty string. */
function jumpTarget(rule: string): string {
  return /(?:^| )-j (\S+)/.exec(rule)?.[1] ?? '';
}

/** The mesh's chains, and the jumps to them, of `iptables-save` output. Rules of others are left out. */
export function parseSavedRules(text: string): SavedRules {
  const tables = new Map<string, Map<string, string[]>>();
  let chains = new Map<string, string[]>();
  const chainRules = (name: string) => {
    const rules = chains.get(name) ?? [];
    chains.set(name, rules);
    return rules;
  };
  for (const line of text.split('\n')) {
    const [word = '', chain = '', ...rest] = line.trim().split(' ');
    if (word.startsWith('*')) {
      chains = new Map();
      tables.set(word.slice(1), chains);
    } else if (word.startsWith(':') && isMeshChain(word.slice(1))) {
      chainRules(word.slice(1));
    } else if (word === '-A' && (isMeshChain(chain) || isMeshChain(jumpTarget(rest.join(' '))))) {
      chainRules(chain).push(rest.join(' '));
    }
  }
  return new Map([...tables].filter(([, found]) => found.size > 0));
}

/**
 * What the mesh has in a namespace: chains that redirect, chains that no longer do (a pod that was about to leave), or
 * nothing. ISTIO_OUTPUT alone is of a sidecar, and not the mesh's.
 */
export type RulesFound = 'capturing' | 'emptied' | 'none';

/** Judges what `parseSavedRules` found. */
export function rulesFound(saved: SavedRules): RulesFound {
  const isOurs = [...saved.values()].some((chains) => chains.has('ISTIO_PRERT'));
  if (!isOurs) return 'none';
  const nat = [...(saved.get('nat')?.values() ?? [])].flat();
  return nat.some((rule) => jumpTarget(rule) === 'REDIRECT') ? 'capturing' : 'emptied';
}

/** A rule as a set of words: versions of iptables differ in the order, and in whether they name the protocol match. */
function normalised(rule: string): string {
  const words = rule.replaceAll(/ ?-m (?:tcp|udp)(?= |$)/g, '').split(' ');
  return words
    .filter((word) => word !== '')
    .sort()
    .join(' ');
}

/** How what is there compares with what should be there. */
export type RuleComparison =
  | { readonly kind: 'same' }
  | { readonly kind: 'absent' }
  /** `countsMatch`: only the spelling differs, as between versions of iptables. */
  | { readonly kind: 'different'; readonly where: string; readonly countsMatch: boolean };

/** Compares the rules of the mesh in a namespace with those that should be there. */
export function compareRules(saved: SavedRules, wanted: readonly TableRules[]): RuleComparison {
  if (saved.size === 0) return { kind: 'absent' };
  let different = '';
  const wantedTables = new Set<string>(wanted.map(({ table }) => table));
  for (const table of saved.keys()) {
    if (!wantedTables.has(table)) return { kind: 'different', where: `table ${table}`, countsMatch: false };
  }
  for (const { table, chains } of wanted) {
    for (const { chain, rules } of chains) {
      const found = saved.get(table)?.get(chain) ?? [];
      const where = `table ${table} chain ${chain}`;
      if (found.length !== rules.length) return { kind: 'different', where, countsMatch: false };
      if (rules.some((rule, index) => normalised(rule) !== normalised(found[index] ?? ''))) different ||= where;
    }
  }
  return different === '' ? { kind: 'same' } : { kind: 'different', where: different, countsMatch: true };
}

function jumpRemovals(chains: ReadonlyMap<string, readonly string[]>): string[] {
  const jumps = [...chains].filter(([chain]) => !isMeshChain(chain));
  return jumps.flatMap(([chain, rules]) => rules.map((rule) => `-D ${chain} ${rule}`));
}

function removalLines(table: string, chains: ReadonlyMap<string, readonly string[]>): string[] {
  const own = [...chains.keys()].filter(isMeshChain);
  return [
    `*${table}`,
    ...jumpRemovals(chains),
    ...own.map((chain) => `-F ${chain}`),
    ...own.map((chain) => `-X ${chain}`),
    'COMMIT',
  ];
}

function asInput(lines: readonly string[]): string {
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

/** The input of `iptables-restore --noflush` that removes what was found, and nothing else. */
export function removalText(saved: SavedRules): string {
  return asInput([...saved].flatMap(([table, chains]) => removalLines(table, chains)));
}

/**
 * The input of `iptables-restore --noflush` that puts the wanted rules in the place of those that were found. Each table
 * changes in one step, so no connection sees half of it.
 */
export function replacementText(saved: SavedRules, wanted: readonly TableRules[]): string {
  const wantedTables = new Set<string>(wanted.map(({ table }) => table));
  const left = [...saved].filter(([table]) => !wantedTables.has(table));
  return asInput([
    ...wanted.flatMap(({ table, chains }) => [
      `*${table}`,
      // Creates the chain, or empties it.
      ...MESH_CHAINS.map((chain) => `:${chain} - [0:0]`),
      ...jumpRemovals(saved.get(table) ?? new Map()),
      ...chains.flatMap(({ chain, rules }) => rules.map((rule) => `-A ${chain} ${rule}`)),
      'COMMIT',
    ]),
    ...left.flatMap(([table, chains]) => removalLines(table, chains)),
  ]);
}
