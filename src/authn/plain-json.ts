/** Whether JSON that nobody vouches for means one thing only, and is no work to walk over. */

/**
 * Looks before anything is parsed: no value is deeper than that, and no object has a name twice, of which one reader takes
 * the first and another the last (RFC 8259 4, RFC 7519 4). Text that is no JSON may pass: its parser says so.
 */
export function isPlainJson(json: string, maxDepth: number): boolean {
  /** Names of the objects that are open; undefined for a list. */
  const open: (Set<string> | undefined)[] = [];
  for (let at = 0; at < json.length; at++) {
    const character = json[at];
    if (character === '{' || character === '[') {
      if (open.push(character === '{' ? new Set() : undefined) > maxDepth) return false;
    } else if (character === '}' || character === ']') open.pop();
    else if (character === '"') {
      const end = textEnd(json, at);
      const names = open.at(-1);
      if (names !== undefined && isName(json, end) && !isNew(names, json.slice(at, end))) return false;
      at = end - 1;
    }
  }
  return true;
}

/** Behind the closing quote. */
function textEnd(json: string, start: number): number {
  for (let at = start + 1; at < json.length; at++) {
    if (json[at] === '\\') at++;
    else if (json[at] === '"') return at + 1;
  }
  return json.length;
}

function isName(json: string, end: number): boolean {
  let at = end;
  while (json[at] === ' ' || json[at] === '\t' || json[at] === '\n' || json[at] === '\r') at++;
  return json[at] === ':';
}

function isNew(names: Set<string>, quoted: string): boolean {
  const name = quoted.includes('\\') ? unescaped(quoted) : quoted.slice(1, -1);
  if (names.has(name)) return false;
  names.add(name);
  return true;
}

/** `"\u0069ss"` is `iss`. */
function unescaped(quoted: string): string {
  try {
    return JSON.parse(quoted);
  } catch {
    // No JSON: whoever parses all of it will say so.
    return quoted;
  }
}
