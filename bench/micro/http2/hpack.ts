/** Header blocks: plain and with Huffman coding, the first of a connection and those for which the table is filled. */
import assert from 'node:assert/strict';
import type { Header } from '../../../src/http2/header.ts';
import { checkRequest } from '../../../src/http2/header-rules.ts';
import { HpackDecoder } from '../../../src/http2/hpack-decoder.ts';
import { HpackEncoder } from '../../../src/http2/hpack-encoder.ts';
import type { MicroBench } from '../suite.ts';
import { BROWSER, GRPC, RESPONSE, TUNNEL } from './header-lists.ts';

const LISTS: Readonly<Record<string, readonly Header[]>> = {
  'a tunnel': TUNNEL,
  'a browser': BROWSER,
  gRPC: GRPC,
  'a response': RESPONSE,
};
const LIMITS = { maxHeaderListBytes: 65_536, maxHeaders: 256 };
const target = Buffer.alloc(8192);

function block(encoder: HpackEncoder, headers: readonly Header[]): Buffer {
  return Buffer.from(target.subarray(0, encoder.encode(headers, target, 0)));
}

function listBenches(name: string, headers: readonly Header[], huffman: boolean): readonly MicroBench[] {
  const coding = huffman ? ', Huffman' : '';
  const first = block(new HpackEncoder({ huffman }), headers);
  const used = new HpackEncoder({ huffman });
  const decoder = new HpackDecoder(LIMITS);
  const taken = decoder.decode(block(used, headers), 0, first.length);
  assert.deepEqual(taken.ok && taken.value.headers, headers);
  const later = block(used, headers);
  return [
    { name: `encode ${name}${coding}`, run: () => used.encode(headers, target, 0) },
    {
      name: `encode ${name}${coding}, first of a connection`,
      run: () => new HpackEncoder({ huffman }).encode(headers, target, 0),
    },
    { name: `decode ${name}${coding}`, run: () => decoder.decode(later, 0, later.length) },
    {
      name: `decode ${name}${coding}, first of a connection`,
      run: () => new HpackDecoder(LIMITS).decode(first, 0, first.length),
    },
  ];
}

export function benches(): readonly MicroBench[] {
  const rules = { name: 'rules of a request, a browser', run: () => checkRequest(BROWSER) };
  const lists = Object.entries(LISTS);
  return [
    rules,
    ...[false, true].flatMap((huffman) => lists.flatMap(([name, list]) => listBenches(name, list, huffman))),
  ];
}
