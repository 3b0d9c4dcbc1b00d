/**
 * Typed access to the fields of an untrusted object. Every field of the wrong type or value is reported with its path,
 * and reading goes on, so that one pass finds all problems of an object.
 */
import { type IpAddress, parseIpAddress } from '../address.ts';
import type { FieldPath } from './manifest-problem.ts';

/** Receives each problem. */
export type ReportProblem = (path: FieldPath, reason: string) => void;

type Fields = Readonly<Record<string, unknown>>;

const NO_FIELDS: Fields = {};

/** A view of one object at a path. */
export class FieldReader {
  readonly path: FieldPath;
  /** Whether the object is in the manifest at all. */
  readonly isPresent: boolean;
  /** All of it, unchecked. */
  readonly fields: Fields;
  readonly #report: ReportProblem;

  /** @param value anything; reported when it is neither an object nor absent */
  constructor(value: unknown, path: FieldPath, report: ReportProblem) {
    this.path = path;
    this.#report = report;
    this.isPresent = value !== undefined && value !== null;
    this.fields = isRecord(value) ? value : NO_FIELDS;
    if (this.isPresent && !isRecord(value)) report(path, `must be an object, is ${describe(value)}`);
  }

  /** Whether a field is given; null counts as absent, as in Kubernetes. */
  has(name: string): boolean {
    return this.#get(name) !== undefined;
  }

  /** The names of the fields that are given. */
  names(): string[] {
    return Object.keys(this.fields).filter((name) => this.has(name));
  }

  /** Reports a problem of a field, or of the object itself. */
  report(name: string | undefined, reason: string): void {
    this.#report(name === undefined ? this.path : [...this.path, name], reason);
  }

  /** Reports a problem of any place of the object. */
  reportAt(path: FieldPath, reason: string): void {
    this.#report(path, reason);
  }

  /** Reports every field that is not in the list: a misspelt restriction must not widen what is allowed. */
  onlyKnown(known: readonly string[]): void {
    for (const name of this.names()) if (!known.includes(name)) this.report(name, 'is not a known field');
  }

  child(name: string): FieldReader {
    return new FieldReader(this.#get(name), [...this.path, name], this.#report);
  }

  /** The objects of a list. */
  children(name: string): FieldReader[] {
    return this.#list(name).map((item, index) => {
      const path = [...this.path, name, index];
      if (item === null) this.#report(path, 'must not be null');
      return new FieldReader(item, path, this.#report);
    });
  }

  string(name: string): string | undefined {
    const value = this.#get(name);
    if (value === undefined || typeof value === 'string') return value;
    this.report(name, `must be a string, is ${describe(value)}`);
    return undefined;
  }

  /** A string that must be given and not be empty; '' after reporting. */
  required(name: string): string {
    const before = this.#get(name);
    const value = this.string(name) ?? '';
    if (value === '' && (before === undefined || before === '')) this.report(name, 'is required');
    return value;
  }

  boolean(name: string): boolean | undefined {
    const value = this.#get(name);
    if (value === undefined || typeof value === 'boolean') return value;
    this.report(name, `must be true or false, is ${describe(value)}`);
    return undefined;
  }

  integer(name: string, min: number, max: number): number | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
    this.report(name, `must be a whole number from ${min} to ${max}, is ${describe(value)}`);
    return undefined;
  }

  /** One of the given strings; undefined when absent or reported. */
  oneOf<T extends string>(name: string, values: readonly T[]): T | undefined {
    const value = this.string(name);
    if (value === undefined) return undefined;
    const known = values.find((candidate) => candidate === value);
    if (known === undefined) this.report(name, `must be one of ${values.join(', ')}, is "${value}"`);
    return known;
  }

  strings(name: string): string[] {
    const texts: string[] = [];
    for (const [index, item] of this.#list(name).entries()) {
      if (typeof item === 'string') texts.push(item);
      else this.#report([...this.path, name, index], `must be a string, is ${describe(item)}`);
    }
    return texts;
  }

  /** Like `strings`, and no entry may be empty. */
  nonEmptyStrings(name: string): string[] {
    const texts = this.strings(name);
    for (const [index, text] of texts.entries()) {
      if (text === '') this.#report([...this.path, name, index], 'must not be empty');
    }
    return texts;
  }

  stringMap(name: string): Map<string, string> {
    const map = new Map<string, string>();
    const child = this.child(name);
    for (const key of child.names()) {
      const value = child.string(key);
      if (value !== undefined) map.set(key, value);
    }
    return map;
  }

  /** IP addresses, in canonical text. */
  addresses(name: string): IpAddress[] {
    const addresses: IpAddress[] = [];
    for (const [index, text] of this.strings(name).entries()) {
      const address = parseIpAddress(text);
      if (address !== undefined) addresses.push(address);
      else this.#report([...this.path, name, index], `"${text}" is not an IP address`);
    }
    return addresses;
  }

  /** The field as it is; undefined when absent or null. */
  raw(name: string): unknown {
    return this.#get(name);
  }

  #list(name: string): readonly unknown[] {
    const value = this.#get(name);
    if (value === undefined) return [];
    if (Array.isArray(value)) return value;
    this.report(name, `must be a list, is ${describe(value)}`);
    return [];
  }

  #get(name: string): unknown {
    const value = Object.hasOwn(this.fields, name) ? this.fields[name] : undefined;
    return value === null ? undefined : value;
  }
}

/** Whether the value is an object with fields. */
export function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The fields of an object as parsed JSON holds it; none of anything else. */
export function fieldsOf(value: unknown): Fields {
  return isRecord(value) ? value : NO_FIELDS;
}

function describe(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'string') return `the string "${value.length > 40 ? `${value.slice(0, 40)}…` : value}"`;
  return `the ${typeof value} ${String(value)}`;
}
