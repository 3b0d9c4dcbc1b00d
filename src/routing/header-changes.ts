/** Changes of headers by routes (facts l7-and-control 1.2): what is removed goes first, so that `set` and `add` win. */
import type { HttpHeader } from '../http/http-stream.ts';
import type { HeaderChanges, HeaderValue } from '../proto/gen/ambit.ts';

/** @param clientAddress `ip:port` of the client, which a value may ask for */
export type HeaderChange = (headers: readonly HttpHeader[], clientAddress: string) => readonly HttpHeader[];

/** What no header value may hold: a header with it is left out. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones meant
const CONTROL = /[\0-\x08\x0a-\x1f\x7f]/;
const OPERATOR = /%DOWNSTREAM_REMOTE_ADDRESS(_WITHOUT_PORT)?%/g;

/** What belongs to one connection is the proxy's business, not a route's. */
const UNTOUCHABLE: ReadonlySet<string> = new Set([
  'connection',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'content-length',
  'upgrade',
]);

/** One change out of several, the first ones first; undefined when they change nothing. */
export function compileHeaderChanges(...changes: readonly (HeaderChanges | undefined)[]): HeaderChange | undefined {
  const steps = changes.flatMap((change) => (change === undefined ? [] : stepsOf(change)));
  if (steps.length === 0) return undefined;
  return (headers, clientAddress) => steps.reduce((list, step) => step(list, clientAddress), headers);
}

function stepsOf({ set, add, remove }: HeaderChanges): HeaderChange[] {
  const overwritten = new Map(fieldsOf(set));
  const added = fieldsOf(add);
  const dropped = new Set([...remove.map((name) => name.toLowerCase()).filter(isTouchable), ...overwritten.keys()]);
  if (dropped.size === 0 && added.length === 0) return [];
  return [
    (headers, clientAddress) => [
      ...headers.filter(([name]) => name.startsWith(':') || !dropped.has(name)),
      ...[...overwritten, ...added].map((field) => filledIn(field, clientAddress)),
    ],
  ];
}

function filledIn(field: HttpHeader, clientAddress: string): HttpHeader {
  const [name, value] = field;
  if (!value.includes('%')) return field;
  const ip = clientAddress.slice(0, clientAddress.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1');
  return [name, value.replace(OPERATOR, (_found, withoutPort) => (withoutPort === undefined ? clientAddress : ip))];
}

function fieldsOf(values: readonly HeaderValue[]): HttpHeader[] {
  return values
    .map(({ name, value }): HttpHeader => [name.toLowerCase(), onTheWire(value)])
    .filter(([name, value]) => isTouchable(name) && !CONTROL.test(value));
}

/** Text of a configuration as its UTF-8 bytes, one character each. */
function onTheWire(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

function isTouchable(name: string): boolean {
  return name !== '' && !name.startsWith(':') && !UNTOUCHABLE.has(name);
}
