/** By which names a dashboard is called: a page of another site that points its own name here must not get through. */
import { isIP } from 'node:net';

/**
 * Whether the Host of a request leads here by right. Addresses and `localhost` do, as no foreign page can make them its own
 * name (DNS rebinding); other names have to be known.
 * @param names without ports, in lower case
 */
export function isAllowedHost(host: string | undefined, names: ReadonlySet<string>): boolean {
  const name = hostName(host);
  return name === 'localhost' || isIP(name) !== 0 || names.has(name);
}

/** The name of a Host header without its port, in lower case; empty when it is none. */
export function hostName(host: string | undefined): string {
  const [, bracketed, name] = /^(?:\[([0-9a-f:.]+)\]|([^:[\]/@\s]+?)\.?)(?::\d{1,5})?$/i.exec(host ?? '') ?? [];
  return (bracketed ?? name ?? '').toLowerCase();
}
