import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Header } from '../../../src/http2/header.ts';
import { HpackDecoder } from '../../../src/http2/hpack-decoder.ts';
import { HpackEncoder } from '../../../src/http2/hpack-encoder.ts';
import { Http2Code } from '../../../src/http2/http2-error.ts';
import { block } from './harness.ts';

const LIMITS = { maxHeaderListBytes: 65_536, maxHeaders: 256 };

function decodeHex(decoder: HpackDecoder, hex: string): readonly Header[] {
  const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
  const result = decoder.decode(bytes, 0, bytes.length);
  assert.ok(result.ok);
  return result.value.headers;
}

const REQUESTS: Header[][] = [
  [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', 'www.example.com'],
  ],
  [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', 'www.example.com'],
    ['cache-control', 'no-cache'],
  ],
  [
    [':method', 'GET'],
    [':scheme', 'https'],
    [':path', '/index.html'],
    [':authority', 'www.example.com'],
    ['custom-key', 'custom-value'],
  ],
];

test('literal forms of RFC 7541 C.2', () => {
  const decoder = new HpackDecoder(LIMITS);
  assert.deepEqual(decodeHex(decoder, '400a637573746f6d2d6b65790d637573746f6d2d686561646572'), [
    ['custom-key', 'custom-header'],
  ]);
  assert.equal(decoder.tableBytes, 55);
  assert.deepEqual(decodeHex(decoder, '040c2f73616d706c652f70617468'), [[':path', '/sample/path']]);
  assert.deepEqual(decodeHex(decoder, '100870617373776f726406736563726574'), [['password', 'secret']]);
  assert.deepEqual(decodeHex(decoder, '82'), [[':method', 'GET']]);
});

test('request sequences of RFC 7541 C.3 and C.4 with the dynamic table', () => {
  for (const blocks of [
    [
      '828684410f7777772e6578616d706c652e636f6d',
      '828684be58086e6f2d6361636865',
      '828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565',
    ],
    [
      '828684418cf1e3c2e5f23a6ba0ab90f4ff',
      '828684be5886a8eb10649cbf',
      '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf',
    ],
  ]) {
    const decoder = new HpackDecoder(LIMITS);
    for (const [index, hex] of blocks.entries()) assert.deepEqual(decodeHex(decoder, hex), REQUESTS[index]);
    assert.equal(decoder.tableBytes, 164);
  }
});

test('response sequences of RFC 7541 C.5 and C.6 with eviction from a table of 256 bytes', () => {
  const first = [
    '4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d',
    '488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3',
  ];
  const second = ['4803333037c1c0bf', '4883640effc1c0bf'];
  for (const index of [0, 1]) {
    const decoder = new HpackDecoder({ ...LIMITS, maxTableBytes: 256 });
    const expected: Header[] = [
      [':status', '302'],
      ['cache-control', 'private'],
      ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'],
      ['location', 'https://www.example.com'],
    ];
    assert.deepEqual(decodeHex(decoder, first[index]!), expected);
    assert.equal(decoder.tableBytes, 222);
    expected[0] = [':status', '307'];
    assert.deepEqual(decodeHex(decoder, second[index]!), expected);
    assert.equal(decoder.tableBytes, 222);
  }
});

test('sequences of header lists survive encoder and decoder, whatever the table size and coding', () => {
  const name = fc.constantFrom(
    'baggage',
    'x-a',
    'x-b',
    'cookie',
    'accept',
    'server',
    ':authority',
    'x-long-header-name',
  );
  const value = fc.oneof(
    fc.constantFrom('', '1', 'gzip', 'value'),
    fc.string({ unit: 'binary-ascii', maxLength: 300 }),
  );
  const list = fc.array(fc.tuple(name, value), { maxLength: 12 });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(list, fc.option(fc.integer({ min: 0, max: 4096 })))),
      fc.boolean(),
      (lists, huffman) => {
        const encoder = new HpackEncoder({ huffman });
        const decoder = new HpackDecoder(LIMITS);
        for (const [headers, tableBytes] of lists) {
          if (tableBytes !== null) encoder.setPeerMaxTableBytes(tableBytes);
          const bytes = block(headers, encoder);
          const result = decoder.decode(bytes, 0, bytes.length);
          assert.ok(result.ok);
          assert.deepEqual(result.value.headers, headers);
        }
      },
    ),
    { numRuns: 200 },
  );
});

test('a list above the limit is cut and reported, and the table stays in step', () => {
  const decoder = new HpackDecoder({ maxHeaderListBytes: 100, maxHeaders: 10 });
  const encoder = new HpackEncoder();
  const large = block(
    [
      ['x-a', 'a'.repeat(50)],
      ['x-b', 'b'.repeat(50)],
    ],
    encoder,
  );
  const result = decoder.decode(large, 0, large.length);
  assert.ok(result.ok && result.value.overLimit);
  assert.equal(result.value.headers.length, 1);
  const next = block([['x-b', 'b'.repeat(50)]], encoder);
  const after = decoder.decode(next, 0, next.length);
  assert.ok(after.ok);
  assert.deepEqual(after.value.headers, [['x-b', 'b'.repeat(50)]]);
});

test('a small block that expands to a huge list (cookie bomb) is a fault', () => {
  const decoder = new HpackDecoder(LIMITS);
  const seed = block([['x-crumb', 'c'.repeat(250)]]);
  const bomb = Buffer.concat([seed, Buffer.alloc(4096, 0x80 | 62)]);
  const result = decoder.decode(bomb, 0, bomb.length);
  assert.ok(!result.ok);
  assert.equal(result.error.code, Http2Code.ENHANCE_YOUR_CALM);
});

test('broken blocks are compression faults', () => {
  for (const hex of [
    '80',
    'ff',
    'ffffffffffffff',
    'be',
    '00',
    '0005',
    '4005abcd',
    '3fe21f',
    '823f01',
    '0081ff00',
    '7fffffffff7f',
  ]) {
    const bytes = Buffer.from(hex, 'hex');
    const result = new HpackDecoder(LIMITS).decode(bytes, 0, bytes.length);
    assert.ok(!result.ok, hex);
    assert.equal(result.error.code, Http2Code.COMPRESSION_ERROR, hex);
  }
});
