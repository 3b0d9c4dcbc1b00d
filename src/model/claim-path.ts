/** Conditions on claims of a token among those on headers, as routes write them (facts l7-and-control 1.2). */

const PREFIX = '@request.auth.claims';
const DOTTED = /^(?:\.[^.[\]]+)+$/;
const BRACKETED = /^(?:\[[^[\]]+\])+$/;

/** Whether the key means a claim and no header. */
export function isClaimKey(key: string): boolean {
  return key.startsWith(PREFIX);
}

/** `@request.auth.claims.a.b` or `@request.auth.claims[a][b]` as names from the outside in; undefined for what is neither. */
export function claimPath(key: string): readonly string[] | undefined {
  if (!isClaimKey(key)) return undefined;
  const rest = key.slice(PREFIX.length);
  if (BRACKETED.test(rest)) return rest.slice(1, -1).split('][');
  return DOTTED.test(rest) ? rest.slice(1).split('.') : undefined;
}
