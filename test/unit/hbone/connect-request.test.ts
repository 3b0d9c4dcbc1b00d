import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ANSWER_TIMEOUT_MS, requestConnect } from '../../../src/hbone/connect-request.ts';
import { connectedPair, settle } from '../http2/harness.ts';

const REQUEST = { authority: '10.0.0.1:80', baggage: '', forwarded: '', traceparent: '' };

async function asked() {
  const pair = connectedPair();
  await settle();
  const timers = pair.clock.pendingTimers;
  const answers: string[] = [];
  requestConnect(pair.client, REQUEST, pair, (answer) => answers.push(answer.ok ? 'open' : answer.error.message));
  await settle();
  return { pair, answers, timersLeft: () => pair.clock.pendingTimers - timers };
}

describe('a CONNECT request', () => {
  it('is given up when a peer that answers PINGs never answers it', async () => {
    const { pair, answers } = await asked();
    pair.clock.advance(ANSWER_TIMEOUT_MS - 1);
    await settle();
    assert.deepEqual(answers, []);
    pair.clock.advance(1);
    await settle();
    assert.match(answers.join(), /^h2 failed: no answer to CONNECT in 30 s/);
    assert.equal(pair.client.openStreams, 0);
    assert.notDeepEqual(pair.accepted[0]?.handler.closed, [], 'the other end knows, too');
  });

  it('is waited for no more once it is answered, refused or lost', async () => {
    for (const end of ['200', '503', 'lost'] as const) {
      const { pair, answers, timersLeft } = await asked();
      if (end === 'lost') pair.accepted[0]?.stream.reset();
      else pair.accepted[0]?.stream.respond([[':status', end]], end !== '200');
      await settle();
      assert.equal(answers.length, 1, end);
      assert.equal(timersLeft(), 0, end);
    }
  });
});
