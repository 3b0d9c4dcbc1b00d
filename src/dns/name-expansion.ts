/** The full names that a name asked by a pod may mean (facts ztunnel-wire 12, "name expansion", "search-domain strip"). */

/** One name to look for. */
export interface NameCandidate {
  readonly name: string;
  /** Found by taking a search domain off: the answer says so with a CNAME. */
  readonly stripped: boolean;
}

/**
 * The candidates in the order in which they are tried, each once.
 * @param name lower case, without a final dot
 * @param namespace of the client
 * @param domain of the cluster, lower case, `cluster.local`
 */
export function expandName(name: string, namespace: string, domain: string): NameCandidate[] {
  // Escapes stand for bytes that no host of the mesh has in its name.
  if (name === '' || name.includes('\\')) return [];
  const names = [name, ...expansions(name, namespace, domain)];
  const candidates = new Map<string, NameCandidate>();
  for (const full of names) candidates.set(full, { name: full, stripped: false });
  for (const suffix of [`.${namespace}.svc.${domain}`, `.svc.${domain}`, `.${domain}`]) {
    const rest = name.endsWith(suffix) ? name.slice(0, -suffix.length) : '';
    if (rest !== '' && !candidates.has(rest)) candidates.set(rest, { name: rest, stripped: true });
  }
  return [...candidates.values()];
}

/** The wildcard hosts that cover a name, the closest first: `*.b.c` and `*.c` for `a.b.c`. */
export function* wildcardsOf(name: string): IterableIterator<string> {
  for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) yield `*${name.slice(dot)}`;
}

function expansions(name: string, namespace: string, domain: string): string[] {
  switch (labelCount(name)) {
    case 1:
      return [`${name}.${namespace}.svc.${domain}`];
    case 2:
      return [`${name}.svc.${domain}`, `${name}.${namespace}.svc.${domain}`];
    case 3:
      return [...(name.endsWith('.svc') ? [`${name}.${domain}`] : []), `${name}.svc.${domain}`];
    case 4:
      return name.endsWith('.svc') ? [`${name}.${domain}`] : [];
    default:
      return [];
  }
}

function labelCount(name: string): number {
  let count = 1;
  for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) count++;
  return count;
}
