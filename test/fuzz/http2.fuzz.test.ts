/** Random bytes into the frame reader, the HPACK decoder and a whole connection: nothing may throw or grow. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HpackDecoder } from '../../src/http2/hpack-decoder.ts';
import { block, CONNECT, frame, PREFACE, Recorder, rawPeer, settle, word } from '../unit/http2/harness.ts';

const FUZZ_MS = Number(process.env['FUZZ_MS'] ?? 2000);

/** A small generator with a seed, so that a failure can be repeated. */
function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function randomBytes(random: (below: number) => number, max: number): Buffer {
  const bytes = Buffer.alloc(random(max));
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = random(256);
  return bytes;
}

test('HPACK: any block is decoded or a fault, within the limits', () => {
  const untilMs = performance.now() + FUZZ_MS / 2;
  for (let seed = 1; performance.now() < untilMs; seed += 1) {
    const random = generator(seed);
    const decoder = new HpackDecoder({ maxHeaderListBytes: 4096, maxHeaders: 50 });
    for (let blocks = 0; blocks < 5; blocks += 1) {
      const bytes = randomBytes(random, 200);
      const result = decoder.decode(bytes, 0, bytes.length);
      assert.ok(decoder.tableBytes <= 4096, `seed ${seed}`);
      if (!result.ok) break;
      assert.ok(result.value.headers.length <= 50, `seed ${seed}`);
    }
  }
});

test('connection: any sequence of frames ends well', async () => {
  const untilMs = performance.now() + FUZZ_MS / 2;
  const headers = block(CONNECT);
  for (let seed = 1; performance.now() < untilMs; seed += 1) {
    const random = generator(seed);
    const role = random(2) === 0 ? 'client' : 'server';
    const peer = rawPeer(role, {}, random(10) > 0);
    const parts: Buffer[] = [];
    for (let count = random(40); count > 0; count -= 1) {
      const id = random(12);
      const kinds = [
        () => frame(random(12), random(256), id, randomBytes(random, 40)),
        () => frame(1, 4 + random(2), id, headers),
        () => frame(0, random(2), id, randomBytes(random, 300)),
        () => frame(8, 0, id, word(random(2 ** 32))),
        () => frame(3, 0, id, word(random(14))),
        () => frame(4, 0, 0, Buffer.concat([Buffer.from([0, random(8)]), word(random(70_000))])),
        () => frame(7, 0, 0, Buffer.concat([word(id), word(random(14))])),
        () => randomBytes(random, 30),
        () => PREFACE,
      ];
      parts.push((kinds[random(kinds.length)] ?? (() => PREFACE))());
      if (role === 'client') peer.connection.request(CONNECT, new Recorder());
      for (const one of peer.accepted) if (random(8) === 0) one.stream.write(randomBytes(random, 5000));
    }
    const bytes = Buffer.concat(parts);
    for (let at = 0; at < bytes.length; ) {
      const take = 1 + random(100);
      peer.send(bytes.subarray(at, at + take));
      at += take;
    }
    await settle(2);
    peer.connection.destroy();
    await settle(2);
    assert.equal(peer.closed.length, 1, `seed ${seed}`);
    assert.equal(peer.connection.openStreams, 0, `seed ${seed}`);
    for (const one of peer.accepted) assert.equal(one.handler.closed.length, 1, `seed ${seed}`);
  }
});
