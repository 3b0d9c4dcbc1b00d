/** A small form that a page sent. */
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../base/clock.ts';

const MAX_BYTES = 32 * 1024;
const TIMEOUT_MS = 10_000;

/** Its fields; undefined when it is too large, too slow, or no form. */
export async function readForm(request: IncomingMessage, clock: Clock): Promise<URLSearchParams | undefined> {
  const { 'content-type': type = '' } = request.headers;
  if (type.split(';', 1)[0]?.trim().toLowerCase() !== 'application/x-www-form-urlencoded') return undefined;
  const chunks: Buffer[] = [];
  let bytes = 0;
  const late = clock.after(TIMEOUT_MS, () => request.destroy());
  try {
    // What is too much is answered: the connection stays.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MAX_BYTES) return undefined;
      chunks.push(chunk);
    }
    return new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
  } catch {
    // The sender went, or took too long: there is nobody to tell.
    return undefined;
  } finally {
    late.cancel();
  }
}
