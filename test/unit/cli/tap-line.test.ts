import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { tapLine } from '../../../src/cli/tap-line.ts';

const TIME = '2026-01-02T03:04:05.678Z';

describe('a line of ambit tap', () => {
  it('says who asked whom for what, and how it ended', () => {
    const ends = { 'src.workload': 'web', 'src.namespace': 'shop', 'dst.workload': 'cart-1', 'dst.namespace': 'shop' };
    const answer = { response_code: 503, response_flags: 'UF', duration: 12 };
    assert.equal(
      tapLine(TIME, 'request', 'shop/gate', { ...ends, method: 'GET', authority: 'cart', path: '/a', ...answer }),
      '03:04:05.678  web.shop > cart-1.shop  GET  cart/a  503  UF  12ms  @shop/gate',
    );
    const refused = { response_code: 400, response_flags: 'DPE', error: 'no Host' };
    assert.equal(
      tapLine(TIME, 'request', 'shop/gate', { ...refused, 'src.workload': 'web', 'src.namespace': 'shop' }),
      '03:04:05.678  web.shop > unknown  400  DPE  error="no Host"  @shop/gate',
    );
    assert.equal(
      tapLine(TIME, 'connection', 'istio-system/z', {
        ...ends,
        direction: 'inbound',
        bytes_sent: 1,
        bytes_recv: 2,
        duration: '3ms',
      }),
      '03:04:05.678  web.shop > cart-1.shop  inbound  plaintext  sent=1B recv=2B  3ms  @istio-system/z',
    );
  });

  it('says of a connection that found no way neither that it was safe nor that it went in plaintext', () => {
    const refused = { 'src.addr': '10.0.0.1:1', 'dst.addr': '10.0.0.2:80', error: 'unknown waypoint' };
    assert.equal(
      tapLine(TIME, 'connection', 'z', { ...refused, direction: 'outbound' }),
      '03:04:05.678  10.0.0.1:1 > 10.0.0.2:80  outbound  error="unknown waypoint"  @z',
    );
    assert.match(tapLine(TIME, 'connection', 'z', { ...refused, direction: 'inbound' }), /inbound {2}plaintext/);
  });

  it('lets no text of a client reach the terminal as it is', () => {
    const line = tapLine(TIME, 'request', 'p', { method: 'GET', path: '/\u001b[2J\n\u202e', authority: 'a\u0000' });
    assert.match(line, /a\\x00\/\\x1b\[2J\\x0a\\u202e/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is the question
    assert.doesNotMatch(line, /[\u0000-\u001f]/);
  });
});
