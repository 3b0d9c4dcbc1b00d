/**
 * A manifest file: YAML documents (JSON is YAML), each one object or a List.
 *
 * Invariants:
 * - Never throws, whatever the bytes are; size, nesting and alias expansion are bounded.
 * - A broken document or object is refused alone; all others of the file are read.
 */
import { type Document, isCollection, isPair, isScalar, LineCounter, parseAllDocuments } from 'yaml';
import { errorText } from '../../base/errors.ts';
import { isRecord } from './field-reader.ts';
import type { ManifestObject } from './manifest-object.ts';
import type { FieldPath, ManifestProblem, SourcePosition } from './manifest-problem.ts';
import { type LocateField, type ObjectReading, readObject } from './read-object.ts';

export interface ParsedObject {
  readonly key: string;
  readonly object: ManifestObject;
  readonly position: SourcePosition;
  /** The same text for the same content, wherever it stands. */
  readonly content: string;
}

export interface ParsedManifest {
  /** Valid objects in the order of the file. */
  readonly objects: readonly ParsedObject[];
  /** Keys of objects that are named but not valid. */
  readonly refusedKeys: readonly string[];
  /** Whether something in the file could not even be named: objects that were there before may be meant. */
  readonly unreadable: boolean;
  readonly problems: readonly ManifestProblem[];
}

export const MAX_MANIFEST_BYTES = 16 * 1024 * 1024;
const MAX_DEPTH = 100;
const MAX_ALIASES = 1000;
const MAX_PROBLEMS = 200;
const HOLDS_SECRETS = /\bSecret\b/;

/** Reads a file. @param file its name, for positions */
export function parseManifest(text: string, file: string): ParsedManifest {
  const collector = new Collector(file, HOLDS_SECRETS.test(text));
  if (Buffer.byteLength(text) > MAX_MANIFEST_BYTES) {
    collector.unreadableAt({ file, line: 1, column: 1 }, `the file is larger than ${MAX_MANIFEST_BYTES} bytes`);
    return collector.result();
  }
  const tooDeep = findExcessiveNesting(text);
  if (tooDeep !== undefined) {
    collector.unreadableAt({ file, ...tooDeep }, `brackets are nested deeper than ${MAX_DEPTH}`);
    return collector.result();
  }
  const lines = new LineCounter();
  for (const document of parseDocuments(text, lines, collector)) collector.addDocument(document, lines);
  return collector.result();
}

function parseDocuments(text: string, lineCounter: LineCounter, collector: Collector): readonly Document.Parsed[] {
  try {
    const documents = parseAllDocuments(text, {
      lineCounter,
      prettyErrors: false,
      uniqueKeys: true,
      logLevel: 'silent',
    });
    return Array.isArray(documents) ? documents : [];
  } catch (error) {
    // The parser recurses: what nests too deeply in block style ends here.
    collector.unreadableAt({ file: collector.file, line: 1, column: 1 }, `not readable as YAML: ${String(error)}`);
    return [];
  }
}

/** Gathers the outcome of a file. */
class Collector {
  readonly file: string;
  readonly #holdsSecrets: boolean;
  readonly #objects: ParsedObject[] = [];
  readonly #refusedKeys: string[] = [];
  readonly #problems: ManifestProblem[] = [];
  #unreadable = false;

  /** @param holdsSecrets whether messages of the parser, which may quote the text, are not for the log */
  constructor(file: string, holdsSecrets: boolean) {
    this.file = file;
    this.#holdsSecrets = holdsSecrets;
  }

  addDocument(document: Document.Parsed, lines: LineCounter): void {
    const [error] = document.errors;
    if (error !== undefined) {
      const reason = this.#holdsSecrets ? error.code : firstLine(error.message);
      this.unreadableAt(positionAt(this.file, lines, error.pos[0]), `not valid YAML: ${reason}`);
      return;
    }
    const locate: LocateField = (path) => positionAt(this.file, lines, offsetOf(document, path));
    const value = this.#toValue(document, locate);
    if (value !== undefined && value !== null) this.#addValue(value, [], locate, 0);
  }

  unreadableAt(position: SourcePosition, reason: string): void {
    this.#unreadable = true;
    this.#addProblem({ severity: 'error', object: '', field: '', reason, position });
  }

  result(): ParsedManifest {
    return {
      objects: this.#objects,
      refusedKeys: this.#refusedKeys,
      unreadable: this.#unreadable,
      problems: this.#problems,
    };
  }

  #toValue(document: Document.Parsed, locate: LocateField): unknown {
    try {
      const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES });
      // Serialising bounds what aliases expand to and finds cycles before anything walks the value.
      if (JSON.stringify(value ?? null).length > MAX_MANIFEST_BYTES * 4)
        throw new RangeError('it expands to too much data');
      return value;
    } catch (error) {
      const reason = this.#holdsSecrets ? 'too large, or cyclic' : firstLine(errorText(error));
      this.unreadableAt(locate([]), `not usable: ${reason}`);
      return undefined;
    }
  }

  #addValue(value: unknown, path: FieldPath, locate: LocateField, listDepth: number): void {
    const items = listItems(value);
    if (items === undefined || listDepth > 2) {
      const at: LocateField = (field) => locate([...path, ...field]);
      this.#addReading(readObject(value, at), value, at);
      return;
    }
    for (const [index, item] of items.entries()) this.#addValue(item, [...path, 'items', index], locate, listDepth + 1);
  }

  #addReading(reading: ObjectReading, value: unknown, locate: LocateField): void {
    if (reading.kind === 'ignored') {
      this.#addProblem(reading.note);
    } else if (reading.kind === 'refused') {
      for (const problem of reading.problems) this.#addProblem(problem);
      if (reading.key === undefined) this.#unreadable = true;
      else this.#refusedKeys.push(reading.key);
    } else {
      const { key, object } = reading;
      this.#objects.push({ key, object, position: locate([]), content: JSON.stringify(value) });
    }
  }

  #addProblem(problem: ManifestProblem): void {
    if (this.#problems.length < MAX_PROBLEMS) this.#problems.push(problem);
  }
}

/** The entries of a List object (`kind: List`, `PodList`, ...). */
function listItems(value: unknown): readonly unknown[] | undefined {
  if (!isRecord(value)) return undefined;
  const { kind, items } = value;
  return typeof kind === 'string' && kind.endsWith('List') && Array.isArray(items) ? items : undefined;
}

/** The offset of a field, or of the nearest thing around it that is in the text. */
function offsetOf(document: Document.Parsed, path: FieldPath): number {
  let node: unknown = document.contents;
  let offset = document.contents?.range?.[0] ?? document.range[0];
  for (const step of path) {
    if (!isCollection(node)) break;
    const item = childNode(node.items, step);
    if (item === undefined) break;
    offset = item.offset ?? offset;
    node = item.node;
  }
  return offset;
}

function childNode(
  items: readonly unknown[],
  step: string | number,
): { node: unknown; offset: number | undefined } | undefined {
  if (typeof step === 'number') {
    const item = items[step];
    return item === undefined ? undefined : { node: item, offset: startOf(item) };
  }
  for (const item of items) {
    if (isPair(item) && isScalar(item.key) && String(item.key.value) === step) {
      return { node: item.value, offset: startOf(item.value) ?? startOf(item.key) };
    }
  }
  return undefined;
}

function startOf(node: unknown): number | undefined {
  if (!isScalar(node) && !isCollection(node)) return undefined;
  return node.range?.[0];
}

function positionAt(file: string, lines: LineCounter, offset: number): SourcePosition {
  const { line, col } = lines.linePos(offset);
  return { file, line: Math.max(1, line), column: Math.max(1, col) };
}

/** Where flow brackets open more than MAX_DEPTH levels at once; a cheap look before the recursive parser starts. */
function findExcessiveNesting(text: string): { line: number; column: number } | undefined {
  let depth = 0;
  let line = 1;
  let lineStart = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x0a) {
      line++;
      lineStart = index + 1;
    } else if (code === 0x5b || code === 0x7b) {
      depth++;
      if (depth > MAX_DEPTH) return { line, column: index - lineStart + 1 };
    } else if (code === 0x5d || code === 0x7d) {
      depth = Math.max(0, depth - 1);
    } else if (code === 0x2d && index === lineStart && text.startsWith('---', index)) {
      depth = 0;
    }
  }
  return undefined;
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
