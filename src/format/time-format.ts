/** Times in the words of strftime, in UTC (facts l7-and-control 8.4: `%START_TIME(...)%`). */

/** @param ms since the epoch */
export type TimeFormat = (ms: number) => string;

type Specifier = (time: Date) => string | number;

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const SHORT_NAME = 3;
const MS_PER_DAY = 86_400_000;
const NANOSECOND_DIGITS = 9;

const two = (value: number) => String(value).padStart(2, '0');
const spaced = (value: number) => String(value).padStart(2, ' ');
const hour12 = (time: Date) => time.getUTCHours() % 12 || 12;
const date = (time: Date) => `${time.getUTCFullYear()}-${two(time.getUTCMonth() + 1)}-${two(time.getUTCDate())}`;
const minutes = (time: Date) => `${two(time.getUTCHours())}:${two(time.getUTCMinutes())}`;
const clock = (time: Date) => `${minutes(time)}:${two(time.getUTCSeconds())}`;
const dayOfYear = (time: Date) => Math.floor((time.getTime() - Date.UTC(time.getUTCFullYear(), 0, 1)) / MS_PER_DAY) + 1;
const dayName = (time: Date) => DAYS[time.getUTCDay()] ?? '';
const monthName = (time: Date) => MONTHS[time.getUTCMonth()] ?? '';

const SPECIFIERS: ReadonlyMap<string, Specifier> = new Map<string, Specifier>([
  ['Y', (time) => time.getUTCFullYear()],
  ['y', (time) => two(time.getUTCFullYear() % 100)],
  ['C', (time) => two(Math.floor(time.getUTCFullYear() / 100))],
  ['m', (time) => two(time.getUTCMonth() + 1)],
  ['d', (time) => two(time.getUTCDate())],
  ['e', (time) => spaced(time.getUTCDate())],
  ['j', (time) => String(dayOfYear(time)).padStart(3, '0')],
  ['H', (time) => two(time.getUTCHours())],
  ['I', (time) => two(hour12(time))],
  ['M', (time) => two(time.getUTCMinutes())],
  ['S', (time) => two(time.getUTCSeconds())],
  ['p', (time) => (time.getUTCHours() < 12 ? 'AM' : 'PM')],
  ['a', (time) => dayName(time).slice(0, SHORT_NAME)],
  ['A', dayName],
  ['b', (time) => monthName(time).slice(0, SHORT_NAME)],
  ['h', (time) => monthName(time).slice(0, SHORT_NAME)],
  ['B', monthName],
  ['u', (time) => time.getUTCDay() || 7],
  ['w', (time) => time.getUTCDay()],
  ['s', (time) => Math.floor(time.getTime() / 1000)],
  ['D', (time) => `${two(time.getUTCMonth() + 1)}/${two(time.getUTCDate())}/${two(time.getUTCFullYear() % 100)}`],
  ['F', date],
  ['T', clock],
  ['R', minutes],
  ['z', () => '+0000'],
  ['Ez', () => '+00:00'],
  ['Z', () => 'UTC'],
  ['n', () => '\n'],
  ['t', () => '\t'],
  ['%', () => '%'],
]);

/** `%3f` is milliseconds, `%f` nanoseconds. */
const SPECIFIER = /%(?:([1-9]?)f|(E?[A-Za-z]|%))/g;

/** Undefined for a specifier that is not known here. */
export function compileTimeFormat(format: string): TimeFormat | undefined {
  const pieces: (string | Specifier)[] = [];
  let at = 0;
  for (const { 0: found, 1: digits, 2: letter, index } of format.matchAll(SPECIFIER)) {
    const specifier = letter === undefined ? fraction(Number(digits) || NANOSECOND_DIGITS) : SPECIFIERS.get(letter);
    const before = format.slice(at, index);
    if (specifier === undefined || before.includes('%')) return undefined;
    pieces.push(before, specifier);
    at = index + found.length;
  }
  const rest = format.slice(at);
  if (rest.includes('%')) return undefined;
  pieces.push(rest);
  return (ms) => {
    const time = new Date(ms);
    let text = '';
    for (const piece of pieces) text += typeof piece === 'string' ? piece : piece(time);
    return text;
  };
}

function fraction(digits: number): Specifier {
  return (time) => String(time.getUTCMilliseconds()).padStart(3, '0').padEnd(NANOSECOND_DIGITS, '0').slice(0, digits);
}
