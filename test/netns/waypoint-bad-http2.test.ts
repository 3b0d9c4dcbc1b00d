/**
 * Bad HTTP/2 for a waypoint, frame by frame through a real one (facts performance-and-reliability B.2 rows 8 and 10). After
 * each case the same process serves a sibling, and nothing escaped its handlers.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Header } from '../../src/http2/header.ts';
import { AttackedWaypoint, request } from '../helpers/attacked-waypoint.ts';
import { block, frame, PREFACE, parseFrames } from '../unit/http2/harness.ts';

const waypoint = new AttackedWaypoint();

before(() => waypoint.up());
after(() => waypoint[Symbol.asyncDispose]());

describe('a waypoint that gets bad HTTP/2', { timeout: 110_000 }, () => {
  const GET: readonly Header[] = [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':authority', 'site'],
    [':path', '/h2'],
  ];
  const replace = (name: string, value: string) =>
    GET.map((header): Header => (header[0] === name ? [name, value] : header));
  /** Sends each list on a stream of its own; tells what became of each: `answered`, `refused`, or nothing. */
  const ask = async (...lists: readonly (readonly Header[])[]) => {
    const requests = lists.map((list, index) => frame(1, 5, 2 * index + 1, block(list)));
    const answer = await waypoint.ask(Buffer.concat([PREFACE, frame(4, 0, 0), ...requests]));
    const frames = parseFrames(Buffer.from(answer, 'latin1'));
    return lists.map((_, index) => {
      const own = frames.filter(({ id }) => id === 2 * index + 1);
      if (own.some(({ type }) => type === 3)) return 'refused';
      return own.some(({ type }) => type === 1)
        ? 'answered'
        : frames.some(({ type }) => type === 7)
          ? 'gone'
          : 'nothing';
    });
  };

  it('refuses line ends and NULs in every field, each alone (row 10)', async () => {
    const bad = ['a\rb', 'a\nb', 'a\r\nx-evil: b', 'a\0b'];
    const fields = [':method', ':path', ':scheme', ':authority'].flatMap((name) =>
      bad.map((value) => replace(name, name === ':path' ? `/${value}` : value)),
    );
    const more = ['x-a', 'cookie', 'user-agent', 'baggage', 'host', 'x-forwarded-for'].flatMap((name) =>
      bad.map((value): readonly Header[] => [...GET, [name, value]]),
    );
    const names = ['x a', 'x\r\nb', 'X-Upper', 'x\0', '', ':late'].map((name): readonly Header[] => [
      ...GET,
      [name, 'v'],
    ]);
    const others: (readonly Header[])[] = [
      [...GET, [':path', '/two']],
      [['x-first', 'a'], ...GET],
      GET.slice(1),
      GET.filter(([name]) => name !== ':path'),
      replace(':path', ''),
      replace(':path', 'no-slash'),
      [...GET, ['connection', 'close']],
      [...GET, ['transfer-encoding', 'chunked']],
      [...GET, ['content-length', '5']],
      [...GET, ['content-length', 'x']],
    ];
    const all = [...fields, ...more, ...names, ...others];
    const outcomes: string[] = [];
    for (let at = 0; at < all.length; at += 20) outcomes.push(...(await ask(...all.slice(at, at + 20), GET)));
    const wrong = all.filter((_, index) => outcomes[index + Math.floor(index / 20)] === 'answered');
    // Where a field is well-formed and its meaning is not, the answer is 400.
    assert.deepEqual(
      wrong.filter((list) => !list.some(([name, value]) => name === ':path' && value === 'no-slash')),
      [],
    );
    assert.doesNotMatch(waypoint.mesh.log(/_site/), /x-evil|no-slash/);
    await waypoint.withstood();
  });

  it('refuses headers that are too long or too many, and serves the next request', async () => {
    const long: Header = ['x-long', 'a'.repeat(10_000)];
    const many = Array.from({ length: 3000 }, (_, index): Header => [`x-${index}`, 'a']);
    for (const list of [
      [...GET, ...Array(8).fill(long)],
      [...GET, ...many],
    ]) {
      const bytes = block(list);
      const pieces: Buffer[] = [];
      for (let at = 0; at < bytes.length; at += 16_384) {
        const isLast = at + 16_384 >= bytes.length;
        pieces.push(frame(at === 0 ? 1 : 9, (at === 0 ? 1 : 0) | (isLast ? 4 : 0), 1, bytes.subarray(at, at + 16_384)));
      }
      const answer = await waypoint.ask(Buffer.concat([PREFACE, frame(4, 0, 0), ...pieces]));
      const frames = parseFrames(Buffer.from(answer, 'latin1'));
      assert.ok(!answer.includes('"url"'), 'the endpoint does not see it');
      assert.ok(
        frames.some(({ type, id }) => type === 7 || id === 1),
        'and the client hears of it',
      );
      await waypoint.withstood();
    }
  });

  it('holds bodies to the length that they say, so that nothing becomes a second request (row 8)', async () => {
    const smuggled = request('GET', '/smuggled-by-length');
    const rows: readonly (readonly [lengths: readonly string[], body: string])[] = [
      [['3'], `abc${smuggled}`],
      [['0'], smuggled],
      [['300'], 'abc'],
      [['3', '4'], 'abcd'],
      [['3', '300'], `abc${smuggled}`],
      [['+3'], 'abc'],
      [['3, 300'], `abc${smuggled}`],
      [['0x3'], 'abc'],
      [['99999999999999999999'], 'abc'],
    ];
    for (const [lengths, body] of rows) {
      const head = [...replace(':method', 'POST'), ...lengths.map((length): Header => ['content-length', length])];
      const bytes = [PREFACE, frame(4, 0, 0), frame(1, 4, 1, block(head)), frame(0, 1, 1, Buffer.from(body))];
      assert.doesNotMatch(await waypoint.ask(Buffer.concat(bytes)), /"url"/, lengths.join());
    }
    assert.doesNotMatch(waypoint.mesh.log(/_site/), /smuggled-by-length/);
    await waypoint.withstood();
  });

  it('says in its log who broke the protocol, and how', async () => {
    await waypoint.ask(Buffer.concat([PREFACE, frame(4, 0, 0), frame(0, 0, 0, Buffer.from('no stream'))]));
    const line = await waypoint.line('response_flags="DPE"');
    assert.match(
      line,
      /warn\taccess\tbad request\t.* response_code_details="http2.codec_error" .*error="HTTP\/2 peer violated/,
    );
    await waypoint.withstood();
  });

  it('gives trailers only as far as they may go, and refuses those that are requests (row 8)', async () => {
    const post = [...replace(':method', 'POST')];
    const withTrailers = (trailers: readonly Header[]) => [
      frame(1, 4, 1, block(post)),
      frame(0, 0, 1, Buffer.from('abc')),
      frame(1, 5, 1, block(trailers)),
    ];
    const open = Buffer.concat([PREFACE, frame(4, 0, 0)]);
    const good = await waypoint.ask(
      Buffer.concat([
        open,
        ...withTrailers([
          ['x-sum', 'd'],
          ['x-forwarded-client-cert', 'a'],
        ]),
      ]),
    );
    assert.match(good, /"trailers":\["x-sum","d"\]/);
    const bad = await waypoint.ask(Buffer.concat([open, ...withTrailers([[':path', '/smuggled']])]));
    assert.doesNotMatch(bad, /"url"/);
    await waypoint.withstood();
  });
});
