/** Headers that belong to one connection, or say whom or how long a message is: nobody but its two ends changes them. */

const CONNECTION_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** @param name in lower case */
export function isConnectionHeader(name: string): boolean {
  return CONNECTION_HEADERS.has(name);
}
