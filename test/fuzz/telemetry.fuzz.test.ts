import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { compileExpression } from '../../src/expression/compile-expression.ts';
import { compileJsonLine, compileLine } from '../../src/format/line-format.ts';
import { readTrace, writeTrace } from '../../src/telemetry/trace-context.ts';
import { formatContext } from '../helpers/format-context.ts';

const FUZZ_MS = Number(process.env['FUZZ_MS'] ?? 2000);
const options = { numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: FUZZ_MS };

const NAMES = ['traceparent', 'tracestate', 'b3', 'x-b3-traceid', 'x-b3-spanid', 'x-b3-sampled', 'x-b3-flags', 'x'];
const hex = fc.string({ unit: fc.constantFrom(...'0123456789abcdefABCDEF-'), maxLength: 60 });
const header = fc.tuple(fc.constantFrom(...NAMES), fc.oneof(hex, fc.string({ unit: 'binary' })));

it('trace headers of anybody give ids of the right form, or none', () => {
  fc.assert(
    fc.property(fc.array(header), (headers) => {
      const trace = readTrace(headers);
      if (trace?.traceId !== undefined) assert.match(trace.traceId, /^(?:[0-9a-f]{16}){1,2}$/);
      if (trace?.spanId !== undefined) assert.match(trace.spanId, /^[0-9a-f]{16}$/);
      const own = { traceId: trace?.traceId ?? 'a'.repeat(32), spanId: 'b'.repeat(16), parentId: trace?.spanId };
      const written = writeTrace(headers, { ...own, sampled: true, state: '' }, { w3c: true, b3: true }, trace);
      const again = readTrace(written);
      assert.equal(again?.traceId, own.traceId.padStart(32, '0'));
      assert.equal(again?.sampled, true);
    }),
    options,
  );
});

it('expressions of anybody are understood or refused', () => {
  const words = [
    'request.host',
    'response.code',
    "'a'",
    '(',
    ')',
    '[',
    ']',
    '&&',
    '||',
    '!',
    '==',
    ' in ',
    '?',
    ':',
    '.',
  ];
  const piece = fc.oneof(fc.constantFrom(...words, 'has', 'matches', '+', ',', '-1'), fc.string({ maxLength: 5 }));
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const compiled = compileExpression(pieces.join(''));
      if (compiled.ok) compiled.value.evaluate({ attribute: () => undefined, header: () => 'a' });
      else assert.notEqual(compiled.error, '');
    }),
    options,
  );
});

it('formats of anybody make lines of what anybody sends', () => {
  const piece = fc.oneof(
    fc.constantFrom('%', '%%', '%REQ(X)%', '%START_TIME(%s)%', '%GRPC_STATUS(', ')%'),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(piece), fc.string({ unit: 'binary' }), (pieces, value) => {
      const request = formatContext({ requestHeaders: [['x', value]] });
      const text = pieces.join('').replace(/\s/g, ' ');
      assert.doesNotMatch(compileLine(text, { omitEmptyValues: false }).fill(request), /[\r\n]/);
      JSON.parse(compileJsonLine({ a: text }, { omitEmptyValues: true }).fill(request));
    }),
    options,
  );
});
