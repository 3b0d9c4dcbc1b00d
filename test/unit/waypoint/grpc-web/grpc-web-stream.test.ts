import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { HttpCloseReason, HttpHeader, HttpStream, HttpStreamHandler } from '../../../../src/http/http-stream.ts';
import { Base64Decoder } from '../../../../src/waypoint/grpc-web/base64-decoder.ts';
import { FrameEncoder } from '../../../../src/waypoint/grpc-web/frame-encoder.ts';
import { grpcWebRequest } from '../../../../src/waypoint/grpc-web/grpc-web-request.ts';
import { GrpcWebStream } from '../../../../src/waypoint/grpc-web/grpc-web-stream.ts';
import { FakeHttpStream } from '../../../helpers/fake-http-stream.ts';

const GRPC: HttpHeader = ['content-type', 'application/grpc'];
const OK: HttpHeader = [':status', '200'];

function frameOf(message: Uint8Array): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}

/** The bytes in pieces of these lengths, again and again. */
function* pieces(bytes: Buffer, lengths: readonly number[]): Iterable<Buffer> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const end = at + (lengths[turn % lengths.length] ?? bytes.length);
    yield bytes.subarray(at, end);
    at = end;
  }
}

const lengths = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 });

describe('a request of gRPC-Web', () => {
  it('is known by its content type, whatever stands behind it', () => {
    for (const [type, grpc, isText] of [
      ['application/grpc-web', 'application/grpc', false],
      ['Application/gRPC-Web+proto ; x=y', 'application/grpc+proto', false],
      ['application/grpc-web-text', 'application/grpc', true],
      ['application/grpc-web-text+proto', 'application/grpc+proto', true],
    ] as const) {
      const request = grpcWebRequest([
        ['content-type', type],
        ['content-length', '7'],
        ['x-a', 'b'],
      ]);
      assert.deepEqual(request?.headers, [
        ['x-a', 'b'],
        ['content-type', grpc],
        ['te', 'trailers'],
      ]);
      assert.deepEqual([request?.isText, request?.wantsText], [isText, isText]);
    }
  });

  it('is no other', () => {
    for (const type of ['application/grpc', 'application/grpc+proto', 'application/grpc-webx', 'text/plain', '']) {
      assert.equal(grpcWebRequest([['content-type', type]]), undefined, type);
    }
    assert.equal(grpcWebRequest([]), undefined);
  });

  it('gets the form of answer that it names first', () => {
    const wants = (type: string, accept: string) =>
      grpcWebRequest([
        ['content-type', type],
        ['accept', accept],
      ])?.wantsText;
    assert.equal(wants('application/grpc-web-text', '*/*'), true);
    assert.equal(wants('application/grpc-web-text', 'application/grpc-web+proto, */*'), false);
    assert.equal(wants('application/grpc-web', 'text/html, application/grpc-web-text'), true);
  });
});

describe('base64 in pieces', () => {
  it('is decoded whatever the pieces, with padding in the middle', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), lengths, (segments, sizes) => {
        const text = Buffer.from(segments.map((segment) => Buffer.from(segment).toString('base64')).join(''));
        const decoder = new Base64Decoder();
        const decoded = [...pieces(text, sizes)].map((piece) => decoder.decode(piece) ?? assert.fail());
        assert.deepEqual(Buffer.concat(decoded), Buffer.concat(segments));
        assert.equal(decoder.isPartial, false);
      }),
    );
  });

  it('is refused where it is none', () => {
    for (const text of ['!!!!', 'ab-_', 'a===', '====', 'ab=c', 'a b ', 'abcd=abc']) {
      assert.equal(new Base64Decoder().decode(Buffer.from(text)), undefined, text);
    }
  });

  it('is partial until its last quantum is whole', () => {
    const decoder = new Base64Decoder();
    assert.deepEqual(decoder.decode(Buffer.from('abcde')), Buffer.from('abcd', 'base64'));
    assert.equal(decoder.isPartial, true);
  });
});

describe('frames as base64', () => {
  it('are segments of their own, whatever the pieces', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), lengths, (messages, sizes) => {
        const frames = messages.map(frameOf);
        const encoder = new FrameEncoder();
        const text = [...pieces(Buffer.concat(frames), sizes)].map((piece) => encoder.encode(piece)).join('');
        assert.equal(text, frames.map((frame) => frame.toString('base64')).join(''));
        assert.equal(encoder.flush(), '');
      }),
    );
  });

  it('that are cut end with what is there', () => {
    const encoder = new FrameEncoder();
    const cut = frameOf(Buffer.from('hello')).subarray(0, 7);
    assert.equal(encoder.encode(cut) + encoder.flush(), cut.toString('base64'));
  });
});

class Engine implements HttpStreamHandler {
  received = '';
  ended = false;
  writable = 0;
  closed: HttpCloseReason | undefined;
  onHeaders(): void {
    // Requests in these tests have no trailers.
  }
  onData(_stream: HttpStream, chunk: Buffer): void {
    this.received += chunk.toString();
  }
  onEnd(): void {
    this.ended = true;
  }
  onWritable(): void {
    this.writable += 1;
  }
  onClosed(_stream: HttpStream, reason: HttpCloseReason): void {
    this.closed = reason;
  }
}

function open(isText: boolean) {
  const stream = new FakeHttpStream();
  const web = new GrpcWebStream(stream, { isText, wantsText: isText });
  const engine = new Engine();
  stream.setHandler(web);
  web.setHandler(engine);
  return { stream, web, engine };
}

describe('a stream of gRPC-Web', () => {
  it('gives credit for all that came when the engine took all of it', () => {
    const { stream, web, engine } = open(true);
    const text = Buffer.from('hello').toString('base64');
    for (const character of text) stream.data(character);
    assert.deepEqual([engine.received, stream.creditBytes], ['hello', 3]);
    web.consume(2);
    web.consume(3);
    assert.equal(stream.creditBytes, text.length);
  });

  it('puts trailers into the body', () => {
    const { stream, web } = open(false);
    assert.ok(web.respond([OK, GRPC, ['content-length', '3'], ['x-a', 'b']]));
    assert.ok(
      web.sendTrailers([
        ['grpc-status', '0'],
        ['x-b', 'c'],
      ]),
    );
    assert.deepEqual(stream.responses, [[OK, ['content-type', 'application/grpc-web+proto'], ['x-a', 'b']]]);
    assert.deepEqual(stream.written, ['\ufffd\0\0\0\x16grpc-status:0\r\nx-b:c\r\n']);
    assert.equal(stream.ended, true);
  });

  it('passes on answers that are not gRPC, and interim ones', () => {
    const { stream, web } = open(true);
    const plain: HttpHeader[] = [
      [':status', '415'],
      ['content-type', 'text/plain'],
      ['content-length', '2'],
    ];
    web.respond([
      [':status', '103'],
      ['link', 'x'],
    ]);
    web.respond(plain);
    web.write(Buffer.from('no'));
    web.sendTrailers([['x-a', 'b']]);
    assert.deepEqual(stream.responses, [
      [
        [':status', '103'],
        ['link', 'x'],
      ],
      plain,
      [['x-a', 'b']],
    ]);
    assert.deepEqual(stream.written, ['no']);
  });

  it('leaves a status without a body where it is', () => {
    const { stream, web } = open(true);
    web.respond([OK, GRPC, ['grpc-status', '7']], true);
    assert.deepEqual(stream.responses, [
      [OK, ['content-type', 'application/grpc-web-text+proto'], ['grpc-status', '7']],
    ]);
    assert.equal(stream.ended, true);
  });

  it('says that it is blocked also where a piece brings nothing to write', () => {
    const { stream, web, engine } = open(true);
    web.respond([OK, GRPC]);
    stream.takesMore = false;
    assert.equal(web.write(Buffer.from([0, 0, 0])), false);
    assert.equal(web.write(Buffer.from([0])), false);
    assert.deepEqual(stream.written, ['AAAA']);
    stream.takesMore = true;
    stream.handler?.onWritable(stream);
    assert.equal(engine.writable, 1);
    assert.equal(web.write(Buffer.from([9])), true);
  });

  for (const [what, feed] of [
    ['is no base64', (stream: FakeHttpStream) => stream.data('!!!!')],
    [
      'ends within a quantum',
      (stream: FakeHttpStream) => {
        stream.data('ab');
        stream.finish();
      },
    ],
  ] as const) {
    it(`that ${what} is answered and over for the engine, which sees nothing more`, () => {
      const { stream, web, engine } = open(true);
      feed(stream);
      assert.equal(stream.responses[0]?.find(([name]) => name === 'grpc-status')?.[1], '13');
      assert.deepEqual([engine.closed?.kind, engine.received, engine.ended], ['reset', '', false]);
      assert.deepEqual(
        [web.state, web.canSend, web.write(Buffer.from('x')), web.respond([OK])],
        ['closed', false, false, false],
      );
      stream.data('aGVsbG8=');
      stream.close({ kind: 'normal' });
      assert.deepEqual([engine.received, stream.written], ['', []]);
    });
  }

  it('that turns out to be none after its answer began is cut', () => {
    const { stream, web } = open(true);
    web.respond([OK, GRPC]);
    stream.data('!!!!');
    assert.deepEqual([stream.responses.length, stream.resets.length], [1, 1]);
  });
});
