/** Changes of headers that an external authorizer asks for. */

import type { HttpHeader } from '../../http/http-stream.ts';
import { isConnectionHeader } from '../../model/connection-headers.ts';

export interface HeaderEdit {
  /** In lower case. */
  readonly name: string;
  readonly value: string;
  readonly how: 'set' | 'append' | 'add-if-absent' | 'set-if-present';
}

export interface HeaderEdits {
  readonly edits: readonly HeaderEdit[];
  /** In lower case. */
  readonly remove: readonly string[];
}

export const NO_EDITS: HeaderEdits = { edits: [], remove: [] };

const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const BAD_VALUE = /[\0\r\n]|[^\0-\xff]|^[ \t]|[ \t]$/;

/** Whether somebody else than the two ends of a connection may say this. */
export function isEditable(name: string): boolean {
  return !name.startsWith(':') && !isConnectionHeader(name);
}

/** Whether it can stand in a message. */
export function isHeader([name, value]: HttpHeader): boolean {
  return NAME.test(name) && !BAD_VALUE.test(value);
}

/** The fields in place of all of the same names. */
export function replacing(fields: readonly HttpHeader[]): HeaderEdit[] {
  const seen = new Set<string>();
  return fields.map(([name, value]) => {
    const how = seen.has(name) ? 'append' : 'set';
    seen.add(name);
    return { name, value, how };
  });
}

export function applyEdits(headers: readonly HttpHeader[], { edits, remove }: HeaderEdits): readonly HttpHeader[] {
  if (edits.length === 0 && remove.length === 0) return headers;
  const kept = headers.filter(([name]) => !remove.includes(name));
  return edits.reduce<readonly HttpHeader[]>(applyEdit, kept);
}

function applyEdit(headers: readonly HttpHeader[], { name, value, how }: HeaderEdit): readonly HttpHeader[] {
  const isPresent = headers.some(([own]) => own === name);
  if (how === (isPresent ? 'add-if-absent' : 'set-if-present')) return headers;
  const others = how === 'append' ? headers : headers.filter(([own]) => own !== name);
  return [...others, [name, value]];
}
