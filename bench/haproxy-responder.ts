/** The endpoint of the benches: HAProxy that answers every request itself, with 1 KB. */
import { writeFileSync } from 'node:fs';

/** What it answers. */
export const BODY = 'a'.repeat(1024);

/** Writes its configuration into a file. @returns the command */
export function haproxyResponder(port: number, file: string, spoken: 'http1' | 'http2' = 'http1'): string[] {
  const text = `global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout client 120s
  timeout server 5s
  timeout connect 5s
frontend f
  bind :${port}${spoken === 'http2' ? ' proto h2' : ''}
  http-request return status 200 content-type text/plain string "${BODY}"
`;
  writeFileSync(file, text);
  return ['haproxy', '-db', '-q', '-f', file];
}
