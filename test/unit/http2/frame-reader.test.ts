import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FrameReader, type FrameSink } from '../../../src/http2/frame-reader.ts';
import { Http2Code } from '../../../src/http2/http2-error.ts';
import { frame, PREFACE, word } from './harness.ts';

const LIMITS = { maxFrameBytes: 20_000, maxHeaderBlockBytes: 4096, maxContinuations: 4 };

/** Writes calls down as text, with the pieces of one DATA frame joined. */
function record(): { log: string[]; sink: FrameSink } {
  const log: string[] = [];
  let data = '';
  const sink: FrameSink = {
    onDataFrame: (id, flow, bytes, end) => {
      log.push(`data ${id} ${flow} ${bytes} ${end}`);
      data = '';
      return undefined;
    },
    onDataBytes: (chunk) => {
      assert.ok(chunk.length > 0);
      data += chunk.toString('hex');
    },
    onDataFrameEnd: () => {
      log.push(`bytes ${data}`);
      return undefined;
    },
    onHeaderBlock: (id, end, bytes, from, to) => note(`headers ${id} ${end} ${bytes.toString('hex', from, to)}`),
    onPriority: (id, length) => note(`priority ${id} ${length}`),
    onRstStream: (id, code) => note(`rst ${id} ${code}`),
    onSettings: (ack, bytes, from, to) => note(`settings ${ack} ${bytes.toString('hex', from, to)}`),
    onPing: (ack, bytes, at) => note(`ping ${ack} ${bytes.toString('hex', at, at + 8)}`),
    onGoaway: (last, code) => note(`goaway ${last} ${code}`),
    onWindowUpdate: (id, increment) => note(`window ${id} ${increment}`),
    onUnknownFrame: (type) => note(`unknown ${type}`),
  };
  function note(line: string): undefined {
    log.push(line);
    return undefined;
  }
  return { log, sink };
}

function read(bytes: Buffer, cuts: readonly number[]): { log: string[]; code: number | undefined } {
  const { log, sink } = record();
  const reader = new FrameReader(sink, LIMITS, true);
  let fault = reader.receive(PREFACE.subarray(0, 10)) ?? reader.receive(PREFACE.subarray(10));
  let at = 0;
  for (const cut of [...cuts.map((one) => one % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]) {
    fault = reader.receive(bytes.subarray(at, cut)) ?? fault;
    at = cut;
  }
  return { log, code: fault?.code };
}

const SETTINGS = frame(4, 0, 0);
const payload = (max: number) => fc.uint8Array({ maxLength: max });
const id = fc.integer({ min: 0, max: 9 });
const anyFrame = fc.oneof(
  fc.tuple(fc.constantFrom(0, 1, 8, 9, 1, 5), payload(60)).map(([flags, bytes]) => frame(0, flags, 1, bytes)),
  fc.tuple(id, payload(40)).map(([stream, bytes]) => frame(1, 4, stream, bytes)),
  fc.tuple(payload(20), payload(20)).map(([a, b]) => Buffer.concat([frame(1, 1, 3, a), frame(9, 4, 3, b)])),
  fc
    .tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 255 }), id, payload(30))
    .map(([type, flags, stream, bytes]) => frame(type, flags, stream, bytes)),
  fc.constantFrom(
    frame(6, 0, 0, Buffer.alloc(8, 7)),
    frame(8, 0, 1, word(5)),
    frame(3, 0, 1, word(8)),
    frame(7, 0, 0, Buffer.alloc(12, 1)),
    SETTINGS,
    frame(200, 0, 3, Buffer.alloc(30)),
  ),
);

test('frames read the same wherever the chunks are cut', () => {
  fc.assert(
    fc.property(fc.array(anyFrame, { maxLength: 12 }), fc.array(fc.nat(), { maxLength: 30 }), (frames, cuts) => {
      const bytes = Buffer.concat([SETTINGS, ...frames]);
      const every = Array.from({ length: bytes.length }, (_, at) => at);
      const whole = read(bytes, []);
      assert.deepEqual(read(bytes, cuts), whole);
      assert.deepEqual(read(bytes, every), whole);
    }),
    { numRuns: 300 },
  );
});

function faultOf(...frames: Buffer[]): number | undefined {
  return read(Buffer.concat([SETTINGS, ...frames]), []).code;
}

test('frames that cannot be are faults with the code of RFC 9113', () => {
  const { FRAME_SIZE_ERROR, PROTOCOL_ERROR, ENHANCE_YOUR_CALM } = Http2Code;
  const cases: [string, number, Buffer[]][] = [
    ['too large', FRAME_SIZE_ERROR, [frame(0, 0, 1, Buffer.alloc(20_001))]],
    ['DATA on 0', PROTOCOL_ERROR, [frame(0, 0, 0)]],
    ['HEADERS on 0', PROTOCOL_ERROR, [frame(1, 4, 0)]],
    ['SETTINGS on 1', PROTOCOL_ERROR, [frame(4, 0, 1)]],
    ['SETTINGS length', FRAME_SIZE_ERROR, [frame(4, 0, 0, Buffer.alloc(5))]],
    ['SETTINGS ack with payload', FRAME_SIZE_ERROR, [frame(4, 1, 0, Buffer.alloc(6))]],
    ['SETTINGS of many', ENHANCE_YOUR_CALM, [frame(4, 0, 0, Buffer.alloc(6000))]],
    ['PING length', FRAME_SIZE_ERROR, [frame(6, 0, 0, Buffer.alloc(7))]],
    ['PING on 1', PROTOCOL_ERROR, [frame(6, 0, 1, Buffer.alloc(8))]],
    ['RST length', FRAME_SIZE_ERROR, [frame(3, 0, 1, Buffer.alloc(5))]],
    ['WINDOW_UPDATE length', FRAME_SIZE_ERROR, [frame(8, 0, 1, Buffer.alloc(3))]],
    ['GOAWAY length', FRAME_SIZE_ERROR, [frame(7, 0, 0, Buffer.alloc(7))]],
    ['PUSH_PROMISE', PROTOCOL_ERROR, [frame(5, 4, 1, Buffer.alloc(10))]],
    ['lone CONTINUATION', PROTOCOL_ERROR, [frame(9, 4, 1)]],
    ['interleaved', PROTOCOL_ERROR, [frame(1, 0, 1), frame(0, 0, 1)]],
    ['CONTINUATION of another', PROTOCOL_ERROR, [frame(1, 0, 1), frame(9, 0, 3)]],
    ['padding of DATA', PROTOCOL_ERROR, [frame(0, 8, 1, Buffer.from([5, 1, 2]))]],
    ['padding of HEADERS', PROTOCOL_ERROR, [frame(1, 12, 1, Buffer.from([5, 1, 2]))]],
    ['CONTINUATION flood', ENHANCE_YOUR_CALM, [frame(1, 0, 1), ...Array.from({ length: 5 }, () => frame(9, 0, 1))]],
    ['header block size', ENHANCE_YOUR_CALM, [frame(1, 0, 1, Buffer.alloc(4000)), frame(9, 0, 1, Buffer.alloc(97))]],
  ];
  for (const [name, code, frames] of cases) assert.equal(faultOf(...frames), code, name);
});

test('a wrong preface and a first frame that is not SETTINGS are faults', () => {
  const reader = new FrameReader(record().sink, LIMITS, true);
  assert.equal(reader.receive(Buffer.from('GET / HTTP/1.1\r\n'))?.code, Http2Code.PROTOCOL_ERROR);
  assert.equal(read(frame(6, 0, 0, Buffer.alloc(8)), []).code, Http2Code.PROTOCOL_ERROR);
  assert.equal(read(frame(4, 1, 0), []).code, Http2Code.PROTOCOL_ERROR);
});

test('a stopped reader ignores the rest of its chunk', () => {
  const { log, sink } = record();
  const reader = new FrameReader({ ...sink, onPing: () => void reader.stop() }, LIMITS, false);
  reader.receive(Buffer.concat([SETTINGS, frame(6, 0, 0, Buffer.alloc(8)), frame(3, 0, 1, word(1))]));
  assert.deepEqual(log, ['settings false ']);
});
