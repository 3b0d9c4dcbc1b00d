/** Events to a browser that go on until it leaves (server-sent events of HTML). */
import type { ServerResponse } from 'node:http';
import { SAFE_HEADERS } from './http-answers.ts';
import type { EventSink } from './live-tap.ts';

/** Begins with the first event: until then the answer can still be a refusal. */
export function openEvents(response: ServerResponse): EventSink {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  return {
    signal: gone.signal,
    send: (event, data) => {
      if (response.destroyed || response.writableNeedDrain) return false;
      if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream', ...SAFE_HEADERS });
      response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
      return true;
    },
  };
}
