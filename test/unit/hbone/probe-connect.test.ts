import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { probeConnect } from '../../../src/hbone/probe-connect.ts';
import { connectedPair, settle } from '../http2/harness.ts';

const REQUEST = { authority: '10.0.0.1:80', baggage: '', forwarded: '', traceparent: '' };

describe('a CONNECT that only tries', () => {
  it('leaves no tunnel behind when it is never answered', async () => {
    const pair = connectedPair();
    await settle();
    const answer = probeConnect(pair.client, REQUEST, pair.clock);
    await settle();
    pair.clock.advance(12_000);
    const { ok } = await answer;
    await settle();
    assert.equal(ok, false);
    assert.equal(pair.clientTransport.destroyed, true);
    assert.notDeepEqual(pair.accepted[0]?.handler.closed, [], 'the other end knows, too');
  });

  it('leaves none when it is refused', async () => {
    const pair = connectedPair();
    await settle();
    const answer = probeConnect(pair.client, REQUEST, pair.clock);
    await settle();
    pair.accepted[0]?.stream.respond([[':status', '503']], true);
    const result = await answer;
    await settle();
    assert.match(result.ok ? '' : result.error.message, /503/);
    assert.equal(pair.clientTransport.destroyed, true);
  });

  it('says goodbye to a program that took it, and leaves when it does not answer that', async () => {
    const pair = connectedPair();
    await settle();
    const answer = probeConnect(pair.client, REQUEST, pair.clock);
    await settle();
    pair.accepted[0]?.stream.respond([[':status', '200']], false);
    assert.equal((await answer).ok, true);
    await settle();
    assert.equal(pair.accepted[0]?.handler.ended, 1);
    assert.equal(pair.clientTransport.ended, false);
    pair.clock.advance(1000);
    await settle();
    assert.equal(pair.clientTransport.ended, true);
  });
});
