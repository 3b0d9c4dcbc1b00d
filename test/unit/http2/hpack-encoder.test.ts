import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HpackEncoder } from '../../../src/http2/hpack-encoder.ts';
import { block } from './harness.ts';

test('a tunnel response is one byte', () => {
  assert.equal(block([[':status', '200']]).toString('hex'), '88');
});

test('what differs per tunnel is not put into the table', () => {
  const encoder = new HpackEncoder();
  const headers = [
    [':authority', '10.0.0.1:80'],
    ['baggage', 'a=b'],
    ['forwarded', 'for="1"'],
    ['traceparent', '00-1'],
  ] as const;
  assert.deepEqual(block(headers, encoder), block(headers, encoder));
});

test('other fields cost one byte from the second time on', () => {
  const encoder = new HpackEncoder();
  const first = block([['x-team', 'payments']], encoder);
  const second = block([['x-team', 'payments']], encoder);
  assert.ok(first.length > 10);
  assert.equal(second.length, 1);
});

test('credentials are marked never indexed', () => {
  assert.equal(block([['authorization', 'Basic x']])[0]! & 0xf0, 0x10);
});

test('a smaller table is announced at the start of the next block', () => {
  const encoder = new HpackEncoder();
  encoder.setPeerMaxTableBytes(0);
  encoder.setPeerMaxTableBytes(1024);
  assert.equal(block([[':status', '200']], encoder).toString('hex'), '203fe10788');
  assert.equal(block([[':status', '200']], encoder).toString('hex'), '88');
});
