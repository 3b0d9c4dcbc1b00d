/** Conditions of a rule and of one that it delegates to, both of which have to hold (facts l7-and-control 1.2, delegate). */
import type {
  HttpMatchSpec,
  StringMatchesSpec,
  StringMatchSpec,
} from '../../../model/manifest/virtual-service-spec.ts';

const MAPS = ['headers', 'withoutHeaders', 'queryParams'] as const;

/** Undefined where a condition of the delegate is not within one of the root: the delegate's rule is out then. */
export function mergeMatches(
  root: readonly HttpMatchSpec[],
  leaf: readonly HttpMatchSpec[],
): readonly HttpMatchSpec[] | undefined {
  if (root.length === 0) return leaf;
  if (leaf.length === 0) return root;
  const merged: HttpMatchSpec[] = [];
  for (const inner of leaf) {
    const outer = root.filter((match) => contains(match, inner));
    if (outer.length === 0) return undefined;
    merged.push(...outer.map((match) => mergeMatch(match, inner)));
  }
  return merged;
}

/** `<root>-<delegate>`, or the one that is given. */
export function joinedName(root = '', leaf = ''): string {
  return [root, leaf].filter((name) => name !== '').join('-');
}

function mergeMatch(root: HttpMatchSpec, leaf: HttpMatchSpec): HttpMatchSpec {
  const maps: Partial<Record<(typeof MAPS)[number], StringMatchesSpec>> = {};
  for (const name of MAPS) maps[name] = { ...root[name], ...leaf[name] };
  const sourceLabels = { ...root.sourceLabels, ...leaf.sourceLabels };
  return { ...root, ...leaf, ...maps, sourceLabels, name: joinedName(root.name, leaf.name) };
}

function contains(root: HttpMatchSpec, leaf: HttpMatchSpec): boolean {
  return (
    (root.ignoreUriCase ?? false) === (leaf.ignoreUriCase ?? false) &&
    (['uri', 'scheme', 'method', 'authority'] as const).every((name) => containsText(root[name], leaf[name])) &&
    containsMap(root.headers, leaf.headers) &&
    containsMap(root.queryParams, leaf.queryParams) &&
    // Who may exclude less than the root does would match more.
    containsMap(leaf.withoutHeaders, root.withoutHeaders) &&
    isSame(root.port, leaf.port) &&
    isSame(root.sourceNamespace, leaf.sourceNamespace) &&
    containsGateways(root.gateways, leaf.gateways) &&
    containsLabels(root.sourceLabels, leaf.sourceLabels)
  );
}

/** What only one of them says does not contradict the other. Of regular expressions nobody knows what is within them. */
function containsText(root: StringMatchSpec | undefined, leaf: StringMatchSpec | undefined): boolean {
  if (root === undefined || leaf === undefined || isPresence(root)) return true;
  if (isPresence(leaf)) return false;
  if (root.regex !== undefined || leaf.regex !== undefined) return false;
  if (root.exact !== undefined) return root.exact === leaf.exact;
  return (leaf.exact ?? leaf.prefix ?? '').startsWith(root.prefix ?? '');
}

function isPresence(match: StringMatchSpec): boolean {
  return Object.keys(match).length === 0;
}

function containsMap(root: StringMatchesSpec = {}, leaf: StringMatchesSpec = {}): boolean {
  return Object.entries(leaf).every(([name, match]) => !Object.hasOwn(root, name) || containsText(root[name], match));
}

function isSame<T extends string | number>(root: T | undefined, leaf: T | undefined): boolean {
  return !root || !leaf || root === leaf;
}

function containsGateways(root: readonly string[] = [], leaf: readonly string[] = []): boolean {
  return root.length === 0 || leaf.every((name) => root.includes(name));
}

function containsLabels(
  root: Readonly<Record<string, string>> = {},
  leaf: Readonly<Record<string, string>> = {},
): boolean {
  return Object.entries(leaf).every(([name, value]) => !Object.hasOwn(root, name) || root[name] === value);
}
