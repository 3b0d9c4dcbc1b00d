import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HttpHeader } from '../../../src/http/http-stream.ts';
import { LOCAL_REPLIES, type LocalReply, sendLocalReply } from '../../../src/waypoint/local-reply.ts';
import { FakeHttpStream } from '../../helpers/fake-http-stream.ts';

function answer(reply: LocalReply, options: { isGrpc?: boolean; isHead?: boolean } = {}, refuses = 0): FakeHttpStream {
  const stream = new FakeHttpStream();
  let left = refuses;
  const respond = stream.respond.bind(stream);
  stream.respond = (headers: readonly HttpHeader[], endStream?: boolean) => left-- <= 0 && respond(headers, endStream);
  sendLocalReply(stream, reply, { isGrpc: false, isHead: false, nowMs: 0, ...options, change: (headers) => headers });
  return stream;
}
const header = (stream: FakeHttpStream, name: string) => stream.responses[0]?.find(([own]) => own === name)?.[1];

describe('an answer of the waypoint', () => {
  it('has its status and text, and no text for HEAD', () => {
    const stream = answer(LOCAL_REPLIES.noHealthyUpstream);
    assert.deepEqual([header(stream, ':status'), stream.written], ['503', ['no healthy upstream']]);
    assert.equal(header(stream, 'date'), 'Thu, 01 Jan 1970 00:00:00 GMT');
    assert.deepEqual(answer(LOCAL_REPLIES.noHealthyUpstream, { isHead: true }).written, []);
  });

  it('keeps the date that a provider gave it', () => {
    const stream = answer({ ...LOCAL_REPLIES.noRoute, headers: [['date', 'then']] });
    assert.deepEqual(
      stream.responses[0]?.filter(([name]) => name === 'date'),
      [['date', 'then']],
    );
  });

  it('is a status of gRPC for gRPC, its text escaped byte by byte', () => {
    const stream = answer({ status: 403, body: 'no \u{1f600} 100%', flag: '-', details: '' }, { isGrpc: true });
    assert.deepEqual([header(stream, ':status'), header(stream, 'grpc-status')], ['200', '7']);
    assert.equal(header(stream, 'grpc-message'), 'no %F0%9F%98%80 100%25');
  });

  it('has no longer message for gRPC than a header may be', () => {
    const stream = answer({ status: 403, body: 'x'.repeat(300_000), flag: '-', details: '' }, { isGrpc: true });
    assert.equal(header(stream, 'grpc-message')?.length, 1024);
  });

  it('is a plain 500 where what a route adds cannot be written, and a reset where even that cannot', () => {
    assert.deepEqual(header(answer(LOCAL_REPLIES.noRoute, {}, 1), ':status'), '500');
    assert.deepEqual(answer(LOCAL_REPLIES.noRoute, {}, 2).resets, [undefined]);
  });
});
