/** Host names and patterns of host names in the custom resources (facts l7-and-control 1.1, 4.7). */
import { parseIpAddress } from '../address.ts';
import { isHostname } from '../manifest/hostname.ts';
import { quoted } from './value-rules.ts';

const MAX_LENGTH = 253;
const WILDCARD_LABEL = /^\*(-[a-z0-9]([-a-z0-9]*[a-z0-9])?)?$/i;

/** Whether the text is a DNS name, `*`, or a DNS name whose left-most label is or starts with a wildcard. */
export function isHostPattern(text: string): boolean {
  if (text === '*') return true;
  if (text.length > MAX_LENGTH + 1) return false;
  const name = text.endsWith('.') ? text.slice(0, -1) : text;
  if (!name.startsWith('*')) return isHostname(name, false);
  const dot = name.indexOf('.');
  return dot > 0 && WILDCARD_LABEL.test(name.slice(0, dot)) && isHostname(name.slice(dot + 1), false);
}

/** What is wrong with a host name, pattern or IP address; undefined when it is right. */
export function hostProblem(text: string): string | undefined {
  if (isHostPattern(text) || parseIpAddress(text) !== undefined) return undefined;
  const wildcard = text.includes('*') ? ': a wildcard is the whole left-most label, as in *.example.com' : '';
  return `${quoted(text)} is not a host name${wildcard}`;
}

/** Patterns of host names; what covers a name is found in time that depends on the name alone. */
export class HostPatterns {
  readonly #names = new Set<string>();
  readonly #suffixes = new Set<string>();

  constructor(patterns: Iterable<string>) {
    for (const pattern of patterns) {
      const host = pattern.toLowerCase();
      if (host.startsWith('*')) this.#suffixes.add(host.slice(1));
      else this.#names.add(host);
    }
  }

  /** Whether the host or pattern is one of the patterns or within one. */
  covers(host: string): boolean {
    const name = host.toLowerCase();
    const isKnown = name.startsWith('*') ? this.#suffixes.has(name.slice(1)) : this.#names.has(name);
    return isKnown || this.wider(name) !== undefined;
  }

  /** A pattern that covers the host or pattern and is not the same. */
  wider(host: string): string | undefined {
    const name = host.toLowerCase();
    if (name.length > MAX_LENGTH || name === '*') return undefined;
    for (let start = name.startsWith('*') ? 2 : 1; start < name.length; start++) {
      const isBoundary = name[start] === '.' || name[start] === '-';
      if (isBoundary && this.#suffixes.has(name.slice(start))) return `*${name.slice(start)}`;
    }
    return this.#suffixes.has('') ? '*' : undefined;
  }
}
