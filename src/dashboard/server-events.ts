/** Events to a browser that go on until it leaves (server-sent events of HTML), or its time is over. */
import type { ServerResponse } from 'node:http';
import { type Clock, systemClock } from '../base/clock.ts';
import { SAFE_HEADERS } from './http-answers.ts';
import type { EventSink } from './live-tap.ts';

/** Then the browser asks again, and what it follows is opened anew with the rights of then. */
const MAX_STREAM_MS = 300_000;
/** How soon the browser asks again. */
const RETRY_MS = 500;

/** Begins with the first event: until then the answer can still be a refusal. */
export function openEvents(response: ServerResponse, clock: Clock = systemClock): EventSink {
  const gone = new AbortController();
  const ended = clock.after(MAX_STREAM_MS, () => gone.abort());
  response.once('close', () => {
    ended.cancel();
    gone.abort();
  });
  return {
    signal: gone.signal,
    send: (event, data) => {
      if (response.destroyed || response.writableNeedDrain) return false;
      if (!response.headersSent) {
        response.writeHead(200, { 'content-type': 'text/event-stream', ...SAFE_HEADERS });
        response.write(`retry: ${RETRY_MS}\n\n`);
      }
      response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
      return true;
    },
  };
}
