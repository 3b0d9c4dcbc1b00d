/** Cookies in headers of requests and responses (RFC 6265 4.1, 5.4). */

export interface NewCookie {
  readonly name: string;
  /** Without a character that would have to be quoted. */
  readonly value: string;
  /** Empty for that of the request. */
  readonly path: string;
  /** 0: it ends with the client's own session. */
  readonly maxAgeSec: number;
  /** Others, as `name=value` or a name alone. */
  readonly attributes: readonly string[];
}

/** The first of that name, without quotes. @param header the value of `cookie` */
export function cookieValue(header: string, name: string): string | undefined {
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=');
    if (equals < 0 || pair.slice(0, equals).trim() !== name) continue;
    const value = pair.slice(equals + 1).trim();
    return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
  }
  return undefined;
}

/** The value of a `set-cookie` header. */
export function setCookieText({ name, value, path, maxAgeSec, attributes }: NewCookie): string {
  const parts = [`${name}="${value}"`];
  if (maxAgeSec > 0) parts.push(`Max-Age=${maxAgeSec}`);
  if (path !== '') parts.push(`Path=${path}`);
  parts.push(...attributes, 'HttpOnly');
  // A configured name or path cannot end the header, or begin another one.
  return parts.join('; ').replace(/[^\x20-\x7e]/g, '');
}
