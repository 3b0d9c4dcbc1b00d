/** Values that many kinds have in common: durations, percentages, ports, header names, labels. */
import type { FieldReader } from '../manifest/field-reader.ts';
import { toPort } from '../port.ts';

const MAX_QUOTED = 60;
const NANOSECONDS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };
const DURATION = /^(?:\d+(?:\.\d+)?(?:ns|us|ms|s|m|h))+$/;
const MAX_DURATION_LENGTH = 64;
/** A token (RFC 9110 5.6.2). */
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const LABEL_NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
const LABEL_PREFIX = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;
const MAX_LABEL_LENGTH = 63;
const MAX_PREFIX_LENGTH = 253;

/** A text of the user, cut to what a message can hold. */
export function quoted(text: string): string {
  return `"${text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text}"`;
}

/** A number as it is given; undefined when it is absent or none. */
export function numberOf(reader: FieldReader, name: string): number | undefined {
  const value = reader.raw(name);
  return typeof value === 'number' ? value : undefined;
}

/** A duration in milliseconds; undefined when it is absent or none. */
export function durationMs(reader: FieldReader, name: string): number | undefined {
  return parseDurationMs(reader.raw(name));
}

/** The milliseconds of a text as `1m30s`; undefined when it is none. */
export function parseDurationMs(text: unknown): number | undefined {
  if (typeof text !== 'string' || text.length > MAX_DURATION_LENGTH || !DURATION.test(text)) return undefined;
  let nanoseconds = 0;
  for (const [, number, unit = ''] of text.matchAll(/([\d.]+)([a-z]+)/g)) {
    nanoseconds += Number(number) * (NANOSECONDS[unit] ?? 0);
  }
  return Math.round(nanoseconds) / 1e6;
}

/** A duration is 1 ms at least and whole milliseconds (facts l7-and-control, preface). @param zero whether 0s is fine too */
export function checkDuration(reader: FieldReader, name: string, zero: 'zero' | 'not zero' = 'not zero'): void {
  const ms = durationMs(reader, name);
  if (ms === undefined || (ms === 0 && zero === 'zero')) return;
  if (ms < 1) reader.report(name, `must be 1ms or more${zero === 'zero' ? ', or 0s' : ''}`);
  else if (!Number.isInteger(ms)) reader.report(name, 'must be whole milliseconds');
}

export function checkPercent(reader: FieldReader, name: string): void {
  const value = numberOf(reader, name);
  if (value !== undefined && !(value >= 0 && value <= 100)) reader.report(name, `must be from 0 to 100, is ${value}`);
}

export function checkPort(reader: FieldReader, name: string): void {
  const value = numberOf(reader, name);
  if (value !== undefined && toPort(value) === undefined) {
    reader.report(name, `must be a port from 1 to 65535, is ${value}`);
  }
}

export function checkNotNegative(reader: FieldReader, names: readonly string[]): void {
  for (const name of names) {
    const value = numberOf(reader, name);
    if (value !== undefined && value < 0) reader.report(name, `must not be negative, is ${value}`);
  }
}

/** Whether the text can name a header (RFC 9110 5.1). */
export function isHeaderName(text: string): boolean {
  return HEADER_NAME.test(text);
}

/** Where a server finds what a request is for (RFC 9110 7.2): a name, or an address in brackets, and a port. */
const AUTHORITY = /^(?:\[[\dA-Fa-f:.]+\]|[\w.~!$&'()*+,;=%-]+)(?::\d{1,5})?$/;
const LARGEST_PORT = 65_535;

/** Why requests cannot be for a host that a route sets: every one of them would be refused; undefined when they can. */
export function authorityProblem(text: string): string | undefined {
  const port = Number(/:(\d+)$/.exec(text)?.[1] ?? 0);
  if (AUTHORITY.test(text) && port <= LARGEST_PORT) return undefined;
  return `${quoted(text)} is not a host, with or without a port`;
}

/** What is wrong with the name of a header; undefined when it is right. */
export function headerNameProblem(text: string): string | undefined {
  if (text === '') return 'the name of a header must not be empty';
  return isHeaderName(text) ? undefined : `${quoted(text)} is not the name of a header`;
}

/** Labels that have to be found on workloads: wildcards cannot be. */
export function checkLabels(labels: FieldReader): void {
  for (const key of labels.names()) {
    const value = labels.string(key) ?? '';
    if (key.includes('*') || value.includes('*')) {
      labels.report(key, `${quoted(`${key}: ${value}`)}: wildcards are not supported in labels`);
    } else if (!isLabelKey(key)) labels.report(key, `${quoted(key)} is not the key of a label`);
    else if (!isLabelValue(value)) labels.report(key, `${quoted(value)} is not the value of a label`);
  }
}

function isLabelKey(key: string): boolean {
  const slash = key.indexOf('/');
  if (slash < 0) return key !== '' && isLabelValue(key);
  const prefix = key.slice(0, slash);
  const name = key.slice(slash + 1);
  return prefix.length <= MAX_PREFIX_LENGTH && LABEL_PREFIX.test(prefix) && name !== '' && isLabelValue(name);
}

function isLabelValue(value: string): boolean {
  return value === '' || (value.length <= MAX_LABEL_LENGTH && LABEL_NAME.test(value));
}
