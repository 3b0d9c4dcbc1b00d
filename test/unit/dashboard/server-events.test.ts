import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { describe, it } from 'node:test';
import { openEvents } from '../../../src/dashboard/server-events.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

/** The text of an answer, whose server does what is told. */
async function answered(respond: (response: ServerResponse) => void): Promise<string> {
  const server = createServer((_, response) => respond(response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  try {
    return await (await fetch(`http://127.0.0.1:${port}/`)).text();
  } finally {
    server.close();
  }
}

describe('events to a browser', () => {
  it('end after a while, so that it asks again and its viewer is looked at again', async () => {
    const clock = new ManualClock();
    const text = await answered((response) => {
      const sink = openEvents(response, clock);
      sink.send('record', { n: 1 });
      sink.signal.addEventListener('abort', () => response.end());
      clock.advance(300_000);
    });
    assert.equal(text, 'retry: 500\n\nevent: record\ndata: {"n":1}\n\n');
  });
});
