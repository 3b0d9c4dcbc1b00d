/**
 * The Huffman code of HPACK (RFC 7541 5.2, Appendix B).
 *
 * Invariants
 * - The code is canonical: codes of one length ascend with the symbol, so the lengths alone define it.
 * - The decoder walks a state machine four bits at a time; a state is an inner node of the code tree.
 * - A decode never yields more than 8/5 of its input, plus one byte.
 */

/** Code length in bits of the symbols 0..255, then EOS. */
const CODE_LENGTHS = Uint8Array.of(
  ...[13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28],
  ...[28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28],
  ...[6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6],
  ...[5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10],
  ...[13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7],
  ...[7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6],
  ...[15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5],
  ...[6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28],
  ...[20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23],
  ...[24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24],
  ...[22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23],
  ...[21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23],
  ...[26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25],
  ...[19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27],
  ...[20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23],
  ...[26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26],
  30,
);
const EOS = 256;
const MAX_CODE_BITS = 30;

/** A transition: next state in the low 16 bits, the symbol in bits 16-23, and these flags. */
const EMIT = 1 << 24;
const INVALID = 1 << 25;

function canonicalCodes(): Uint32Array {
  const codes = new Uint32Array(CODE_LENGTHS.length);
  let next = 0;
  for (let bits = 1; bits <= MAX_CODE_BITS; bits += 1) {
    next *= 2;
    for (let symbol = 0; symbol < codes.length; symbol += 1) {
      if (CODE_LENGTHS[symbol] === bits) codes[symbol] = next++;
    }
  }
  return codes;
}

const CODES = canonicalCodes();

interface Node {
  readonly state: number;
  /** Whether the bits so far are all ones and fewer than eight: what padding looks like. */
  readonly padding: boolean;
  readonly children: [Node | number | undefined, Node | number | undefined];
}

function codeTree(): Node[] {
  const root: Node = { state: 0, padding: true, children: [undefined, undefined] };
  const nodes = [root];
  for (let symbol = 0; symbol < CODES.length; symbol += 1) {
    const bits = CODE_LENGTHS[symbol] ?? 0;
    const code = CODES[symbol] ?? 0;
    let node = root;
    for (let depth = bits - 1; depth > 0; depth -= 1) {
      const bit = (code >>> depth) & 1;
      let child = node.children[bit];
      if (typeof child !== 'object') {
        const padding = node.padding && bit === 1 && bits - depth < 8;
        child = { state: nodes.length, padding, children: [undefined, undefined] };
        node.children[bit] = child;
        nodes.push(child);
      }
      node = child;
    }
    node.children[code & 1] = symbol;
  }
  return nodes;
}

function transition(root: Node, from: Node, nibble: number): number {
  let node = from;
  let emitted = 0;
  for (let depth = 3; depth >= 0; depth -= 1) {
    const child = node.children[(nibble >>> depth) & 1];
    if (child === undefined || child === EOS) return INVALID;
    if (typeof child === 'number') {
      emitted = EMIT | (child << 16);
      node = root;
    } else {
      node = child;
    }
  }
  return emitted | node.state;
}

function machine(nodes: readonly Node[]): Uint32Array {
  const table = new Uint32Array(nodes.length * 16);
  const [root] = nodes;
  if (root === undefined) return table;
  for (const node of nodes) {
    for (let nibble = 0; nibble < 16; nibble += 1) table[node.state * 16 + nibble] = transition(root, node, nibble);
  }
  return table;
}

const NODES = codeTree();
const TRANSITIONS = machine(NODES);
const ACCEPTING = Uint8Array.from(NODES, (node) => (node.padding ? 1 : 0));

/**
 * Decodes `bytes[start, end)` into `target` from its beginning.
 * @returns the decoded length, or -1 when the code is invalid (EOS, wrong padding) or `target` is too small
 */
export function huffmanDecode(bytes: Uint8Array, start: number, end: number, target: Uint8Array): number {
  let state = 0;
  let length = 0;
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at] ?? 0;
    const high = TRANSITIONS[state * 16 + (byte >>> 4)] ?? INVALID;
    if (high >= INVALID) return -1;
    if (high >= EMIT) target[length++] = high >>> 16;
    const low = TRANSITIONS[(high & 0xffff) * 16 + (byte & 15)] ?? INVALID;
    if (low >= INVALID) return -1;
    if (low >= EMIT) target[length++] = low >>> 16;
    state = low & 0xffff;
  }
  return ACCEPTING[state] === 1 && length <= target.length ? length : -1;
}

/** The bytes `text` takes when encoded. Characters are bytes (latin1). */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let at = 0; at < text.length; at += 1) bits += CODE_LENGTHS[text.charCodeAt(at) & 0xff] ?? 0;
  return (bits + 7) >>> 3;
}

/** Encodes `text` (latin1) into `target` at `at`, which must have room, and returns the position behind it. */
export function huffmanEncode(text: string, target: Uint8Array, at: number): number {
  let position = at;
  let held = 0;
  let heldBits = 0;
  for (let index = 0; index < text.length; index += 1) {
    const symbol = text.charCodeAt(index) & 0xff;
    let bits = CODE_LENGTHS[symbol] ?? 0;
    const code = CODES[symbol] ?? 0;
    // At most 7 bits are held over, so a code goes in in steps that keep the sum within 31 bits.
    while (bits > 0) {
      const step = Math.min(bits, 16);
      bits -= step;
      held = (held << step) | ((code >>> bits) & ((1 << step) - 1));
      heldBits += step;
      while (heldBits >= 8) {
        heldBits -= 8;
        target[position++] = held >>> heldBits;
      }
      held &= 0xff;
    }
  }
  if (heldBits > 0) target[position++] = (held << (8 - heldBits)) | (0xff >>> heldBits);
  return position;
}
