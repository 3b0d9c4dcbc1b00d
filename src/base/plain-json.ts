/** Decoded messages as JSON has them, for people who look at a program's state. */

type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** Fields of these names carry what only some may know, whatever else a configuration calls them. */
const CONFIDENTIAL = /authorization|cookie|token|secret|password|api-?key|credential-?value/i;
const MASK = '<redacted>';

/** Maps become objects, bytes text (base64 where they are none), whole numbers of any size text; what is absent, empty or false is left out. */
export function plainJson(value: unknown): Json {
  if (value === undefined || value === null) return null;
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return bytesText(value);
  if (Array.isArray(value)) return value.map(plainJson);
  if (value instanceof Map) return fieldsOf([...value].map(([name, one]) => [String(name), one]));
  if (typeof value === 'object') return fieldsOf(Object.entries(value));
  return value as string | number | boolean;
}

/** A header and its value; the value of one that carries a credential is masked. */
export function maskedHeaderValue(name: string, value: string): string {
  return isConfidential(name) ? MASK : value;
}

/** Whether what has this name, or names it in brackets as conditions do, carries a credential. */
export function isConfidential(name: string): boolean {
  return CONFIDENTIAL.test(name);
}

function fieldsOf(entries: readonly (readonly [string, unknown])[]): Json {
  const named = entries.find(([name]) => name === 'name')?.[1];
  const fields: { [key: string]: Json } = {};
  for (const [name, one] of entries) {
    if (isEmpty(one)) continue;
    const isValueOfNamed = name === 'value' && typeof one === 'string' && typeof named === 'string';
    fields[name] = isValueOfNamed ? maskedHeaderValue(named, one) : plainJson(one);
  }
  return fields;
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === false) return true;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length === 0;
  return value instanceof Map && value.size === 0;
}

function bytesText(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? text : Buffer.from(bytes).toString('base64');
}
