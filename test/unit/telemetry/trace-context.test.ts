import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readTrace, writeTrace } from '../../../src/telemetry/trace-context.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const OWN = { traceId: TRACE, spanId: '00f067aa0ba902b7', parentId: SPAN, sampled: true, state: '' };

describe('readTrace', () => {
  it('reads traceparent and tracestate', () => {
    const trace = readTrace([
      ['traceparent', `00-${TRACE}-${SPAN}-01`],
      ['tracestate', 'a=1'],
      ['tracestate', 'b=2'],
    ]);
    assert.deepEqual([trace?.traceId, trace?.spanId, trace?.sampled, trace?.state], [TRACE, SPAN, true, 'a=1,b=2']);
    assert.equal(readTrace([['traceparent', `00-${TRACE}-${SPAN}-00`]])?.sampled, false);
    assert.equal(readTrace([['traceparent', `cc-${TRACE}-${SPAN}-03-what-comes-later`]])?.sampled, true);
  });

  it('takes no traceparent that the standard forbids', () => {
    const bad = [
      `ff-${TRACE}-${SPAN}-01`,
      `00-${'0'.repeat(32)}-${SPAN}-01`,
      `00-${TRACE}-${'0'.repeat(16)}-01`,
      `00-${TRACE}-${SPAN}-01-more`,
      `00-${TRACE.toUpperCase()}-${SPAN}-01`,
      `00-${TRACE}-${SPAN}-1`,
      '',
    ];
    for (const value of bad) {
      const trace = readTrace([
        ['traceparent', value],
        ['tracestate', 'a=1'],
      ]);
      assert.deepEqual([trace?.traceId, trace?.sampled, trace?.state], [undefined, undefined, ''], value);
    }
  });

  it('takes no trace from two traceparents', () => {
    const twice = ['traceparent', `00-${TRACE}-${SPAN}-01`] as const;
    assert.equal(readTrace([twice, twice])?.traceId, undefined);
  });

  it('reads B3 in one header', () => {
    const of = (value: string) => {
      const trace = readTrace([['b3', value]]);
      return [trace?.traceId, trace?.spanId, trace?.sampled];
    };
    assert.deepEqual(of(`${TRACE}-${SPAN}-1-05e3ac9a4f6e3b90`), [TRACE, SPAN, true]);
    assert.deepEqual(of(`${TRACE}-${SPAN}-d`), [TRACE, SPAN, true]);
    assert.deepEqual(of(`${SPAN}-${SPAN}-0`), [SPAN, SPAN, false]);
    assert.deepEqual(of(`${TRACE}-${SPAN}`), [TRACE, SPAN, undefined]);
    assert.deepEqual(of('0'), [undefined, undefined, false]);
    assert.deepEqual(of('what'), [undefined, undefined, undefined]);
  });

  it('reads B3 in several headers', () => {
    const ids = [
      ['x-b3-traceid', TRACE.toUpperCase()],
      ['x-b3-spanid', SPAN],
    ] as const;
    assert.deepEqual(readTrace([...ids, ['x-b3-sampled', '0']])?.sampled, false);
    assert.deepEqual(readTrace([...ids, ['x-b3-flags', '1']])?.sampled, true);
    assert.deepEqual(readTrace(ids)?.traceId, TRACE);
    assert.deepEqual(readTrace([['x-b3-sampled', '1']])?.traceId, undefined);
  });

  it('finds nothing where there is nothing', () => {
    assert.equal(readTrace([['x-request-id', 'a']]), undefined);
  });
});

describe('writeTrace', () => {
  it('writes the wanted format in place of what was there', () => {
    const headers = [
      ['x-b3-traceid', 'old'],
      ['user-agent', 'a'],
    ] as const;
    const own = { ...OWN, parentId: undefined };
    assert.deepEqual(writeTrace(headers, own, { w3c: true, b3: false }, readTrace(headers)), [
      ['user-agent', 'a'],
      ['traceparent', `00-${TRACE}-${OWN.spanId}-01`],
      ['x-b3-traceid', TRACE],
      ['x-b3-spanid', OWN.spanId],
      ['x-b3-sampled', '1'],
    ]);
    assert.deepEqual(writeTrace([], own, { w3c: true, b3: false }, undefined), [
      ['traceparent', `00-${TRACE}-${OWN.spanId}-01`],
    ]);
  });

  it('writes every format that the request came with, too', () => {
    const incoming = readTrace([['b3', `${TRACE}-${SPAN}-1`]]);
    assert.deepEqual(writeTrace([], OWN, { w3c: true, b3: false }, incoming), [
      ['traceparent', `00-${TRACE}-${OWN.spanId}-01`],
      ['b3', `${TRACE}-${OWN.spanId}-1-${SPAN}`],
    ]);
  });

  it('pads a short id for W3C alone', () => {
    const short = writeTrace([], { ...OWN, traceId: SPAN, sampled: false }, { w3c: true, b3: true }, undefined);
    assert.deepEqual(short, [
      ['traceparent', `00-0000000000000000${SPAN}-${OWN.spanId}-00`],
      ['x-b3-traceid', SPAN],
      ['x-b3-spanid', OWN.spanId],
      ['x-b3-parentspanid', SPAN],
      ['x-b3-sampled', '0'],
    ]);
  });

  it('is read back as it was written, whatever the formats', () => {
    const hex = (length: number) =>
      fc.string({ unit: fc.constantFrom(...'123456789abcdef'), minLength: length, maxLength: length });
    fc.assert(
      fc.property(hex(32), hex(16), fc.boolean(), fc.boolean(), (traceId, spanId, sampled, w3c) => {
        const written = writeTrace([], { ...OWN, traceId, spanId, sampled }, { w3c, b3: !w3c }, undefined);
        const read = readTrace(written);
        assert.deepEqual([read?.traceId, read?.spanId, read?.sampled], [traceId, spanId, sampled]);
      }),
    );
  });
});
