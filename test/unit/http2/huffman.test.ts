import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { huffmanDecode, huffmanEncode, huffmanLength } from '../../../src/http2/huffman.ts';

function encode(text: string): Buffer {
  const target = Buffer.alloc(huffmanLength(text));
  assert.equal(huffmanEncode(text, target, 0), target.length);
  return target;
}

function decode(bytes: Uint8Array): string | undefined {
  const target = Buffer.alloc(bytes.length * 2);
  const length = huffmanDecode(bytes, 0, bytes.length, target);
  return length < 0 ? undefined : target.toString('latin1', 0, length);
}

test('strings of RFC 7541 C.4 and C.6 encode to the bytes given there', () => {
  assert.equal(encode('www.example.com').toString('hex'), 'f1e3c2e5f23a6ba0ab90f4ff');
  assert.equal(encode('no-cache').toString('hex'), 'a8eb10649cbf');
  assert.equal(encode('custom-key').toString('hex'), '25a849e95ba97d7f');
  assert.equal(encode('custom-value').toString('hex'), '25a849e95bb8e8b4bf');
  assert.equal(encode('Mon, 21 Oct 2013 20:13:21 GMT').toString('hex'), 'd07abe941054d444a8200595040b8166e082a62d1bff');
});

test('any byte string survives a round trip', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const text = Buffer.from(bytes).toString('latin1');
      assert.equal(decode(encode(text)), text);
    }),
  );
});

test('padding of eight bits or with a zero, and EOS, are invalid', () => {
  assert.equal(decode(Buffer.from('1fff', 'hex')), undefined);
  assert.equal(decode(Buffer.from('18', 'hex')), undefined);
  assert.equal(decode(Buffer.from('ffffffff', 'hex')), undefined);
  assert.equal(decode(Buffer.from('1f', 'hex')), 'a');
});
