import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import type { HttpHeader } from '../../src/http/http-stream.ts';
import { grpcWebRequest } from '../../src/waypoint/grpc-web/grpc-web-request.ts';
import { GrpcWebStream } from '../../src/waypoint/grpc-web/grpc-web-stream.ts';
import { FakeHttpStream } from '../helpers/fake-http-stream.ts';

const FUZZ_MS = Number(process.env['FUZZ_MS'] ?? 2000);
const IGNORE = () => undefined;

it('requests and answers of gRPC-Web with any bytes, in any pieces, never throw, and every byte gets its credit', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 30 }),
    fc.base64String({ maxLength: 40 }).map((text) => Buffer.from(text)),
  );
  const type = fc.constantFrom('application/grpc', 'application/grpc+x', 'text/html');
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.boolean(),
      type,
      fc.array(bytes),
      fc.array(bytes),
      (isText, wantsText, answer, up, down) => {
        const stream = new FakeHttpStream();
        const web = new GrpcWebStream(stream, { isText, wantsText });
        stream.setHandler(web);
        web.setHandler({
          onHeaders: IGNORE,
          onData: (own, chunk) => own.consume(chunk.length),
          onEnd: IGNORE,
          onClosed: IGNORE,
          onWritable: IGNORE,
        });
        for (const chunk of up) stream.handler?.onData(stream, Buffer.from(chunk));
        const receivedBytes = up.reduce((sum, { length }) => sum + length, 0);
        // The last quantum may not be whole.
        if (web.state !== 'closed') assert.ok(receivedBytes - stream.creditBytes < 4);
        assert.ok(stream.creditBytes <= receivedBytes);
        stream.finish();
        web.respond([
          [':status', '200'],
          ['content-type', answer],
        ]);
        for (const chunk of down) web.write(chunk);
        web.sendTrailers([['grpc-status', '0']]);
        stream.close({ kind: 'normal' });
      },
    ),
    { numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: FUZZ_MS },
  );
});

it('headers of any content are a request of gRPC-Web or not, without an error', () => {
  const text = fc.string({ unit: fc.constantFrom('application/', 'grpc-web', '-text', '+proto', ';', ',', ' ', 'x') });
  fc.assert(
    fc.property(text, text, (contentType, accept) => {
      const headers: HttpHeader[] = [
        ['content-type', contentType],
        ['accept', accept],
      ];
      const request = grpcWebRequest(headers);
      if (request !== undefined) assert.match(contentType, /^\s*application\/grpc-web/);
    }),
    { numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: FUZZ_MS },
  );
});
