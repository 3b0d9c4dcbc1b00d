/**
 * Changes of headers by routes (facts l7-and-control 1.2): what is removed goes first, so that `set` and `add` win.
 *
 * Invariants:
 * - A value of a client that is filled in ends no header and begins none.
 * - A header that is set never keeps the value that came: where there is nothing to fill in, it is not there.
 */
import { compileFormat, type Format } from '../format/compile-format.ts';
import type { FormatContext } from '../format/format-context.ts';
import type { HttpHeader } from '../http/http-stream.ts';
import { isConnectionHeader } from '../model/connection-headers.ts';
import type { HeaderChanges, HeaderValue } from '../proto/gen/ambit.ts';

/** What values are filled in from, while the message that is changed has these headers. */
export type ContextOf = (headers: readonly HttpHeader[]) => FormatContext;

export type HeaderChange = (headers: readonly HttpHeader[], contextOf: ContextOf) => readonly HttpHeader[];

/** What no header value may hold: a header with it is left out. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones meant
const CONTROL = /[\0-\x08\x0a-\x1f\x7f]/;
/** As `CONTROL`, and what is no byte: not taken over from what is filled in. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones meant
const NOT_A_BYTE_OF_A_VALUE = /[\0-\x08\x0a-\x1f\x7f]|[^\0-\xff]/g;

/** Counts the tries of a request, so it is written with each of them. */
export const ATTEMPT_COUNT_HEADER = 'x-envoy-attempt-count';

/** A header whose value is known, or is filled in for each message. */
type Field = readonly [name: string, value: string | Format];

/** One change out of several, the first ones first; undefined when they change nothing. */
export function compileHeaderChanges(...changes: readonly (HeaderChanges | undefined)[]): HeaderChange | undefined {
  const steps = changes.flatMap((change) => (change === undefined ? [] : stepsOf(change)));
  if (steps.length === 0) return undefined;
  return (headers, contextOf) => steps.reduce((list, step) => step(list, contextOf), headers);
}

function stepsOf({ set, add, remove }: HeaderChanges): HeaderChange[] {
  const overwritten = new Map(fieldsOf(set));
  // What is newer than this waypoint is not filled in, and does not keep the value that came.
  const own = set.map(({ name }) => name.toLowerCase());
  const added = fieldsOf(add);
  const removed = new Set(
    [...remove.map((name) => name.toLowerCase()), ...own.filter((name) => !overwritten.has(name))].filter(isTouchable),
  );
  if (removed.size === 0 && overwritten.size === 0 && added.length === 0) return [];
  const fields: readonly Field[] = [...overwritten, ...added];
  const isFilled = fields.some(([, value]) => typeof value !== 'string');
  return [
    (headers, contextOf) => {
      const left = removed.size === 0 ? headers : headers.filter(([name]) => !removed.has(name));
      const context = isFilled ? contextOf(left) : undefined;
      return [
        ...left.filter(([name]) => !overwritten.has(name)),
        ...fields.flatMap((field) => headerOf(field, context)),
      ];
    },
  ];
}

function headerOf([name, value]: Field, context: FormatContext | undefined): readonly HttpHeader[] {
  if (typeof value === 'string') return [[name, value]];
  const text = context === undefined ? '' : value.fill(context).replace(NOT_A_BYTE_OF_A_VALUE, '').trim();
  return text === '' ? [] : [[name, text]];
}

function fieldsOf(values: readonly HeaderValue[]): Field[] {
  return values.flatMap(({ name, value, isFormat }): Field[] => {
    const text = onTheWire(value);
    if (!isTouchable(name.toLowerCase()) || CONTROL.test(text)) return [];
    if (isFormat !== true) return [[name.toLowerCase(), text]];
    // The control plane passes on what it could read; what is newer than this waypoint is left out as a whole.
    const format = compileFormat(text);
    return format.ok ? [[name.toLowerCase(), format.value.literal ?? format.value]] : [];
  });
}

/** Text of a configuration as its UTF-8 bytes, one character each. */
function onTheWire(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

function isTouchable(name: string): boolean {
  return name !== '' && !name.startsWith(':') && name !== ATTEMPT_COUNT_HEADER && !isConnectionHeader(name);
}
