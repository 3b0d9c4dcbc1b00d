/** How the dashboard answers over HTTP: nothing is cached, nothing of other sites is loaded or may frame it. */
import type { ServerResponse } from 'node:http';
import type { Answer } from './viewer.ts';

export const SAFE_HEADERS = {
  'content-security-policy':
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  // With no referrer at all browsers would not say either that a form is sent by a page of this site.
  'referrer-policy': 'same-origin',
  'cache-control': 'no-store',
};

export function send(response: ServerResponse, { status, headers = {}, body }: Answer): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...SAFE_HEADERS, ...headers }).end(body);
}

export function sendJson(response: ServerResponse, value: object): void {
  response.writeHead(200, { 'content-type': 'application/json', ...SAFE_HEADERS }).end(JSON.stringify(value));
}
