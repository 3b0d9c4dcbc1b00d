/** Parameters of a request target, which may carry tokens: found, taken out, hidden from logs. */

const HIDDEN = '[hidden]';

/** The values of a parameter, decoded, in order. */
export function paramValues(target: string, name: string): string[] {
  const at = target.indexOf('?');
  if (at < 0) return [];
  return target
    .slice(at + 1)
    .split('&')
    .filter((piece) => nameOf(piece) === name)
    .map((piece) => decoded(piece.slice(nameLength(piece) + 1)));
}

/** The target without these parameters. */
export function withoutParams(target: string, names: readonly string[]): string {
  const at = target.indexOf('?');
  if (at < 0 || names.length === 0) return target;
  const pieces = target.slice(at + 1).split('&');
  const kept = pieces.filter((piece) => !names.includes(nameOf(piece)));
  if (kept.length === pieces.length) return target;
  return kept.length === 0 ? target.slice(0, at) : `${target.slice(0, at)}?${kept.join('&')}`;
}

/** The target with these parameters made unreadable, also where a server might split it in other ways. */
export function hideParams(target: string, names: readonly string[]): string {
  if (names.length === 0 || !target.includes('?')) return target;
  return target
    .split(/([?&;#])/)
    .map((piece) =>
      nameLength(piece) < piece.length && names.includes(nameOf(piece))
        ? `${piece.slice(0, nameLength(piece))}=${HIDDEN}`
        : piece,
    )
    .join('');
}

function nameLength(piece: string): number {
  const at = piece.indexOf('=');
  return at < 0 ? piece.length : at;
}

function nameOf(piece: string): string {
  return decoded(piece.slice(0, nameLength(piece)));
}

function decoded(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    // A broken escape stands for itself.
    return text;
  }
}
