import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { parseBaggage } from '../../src/telemetry/baggage.ts';
import { forwardedHost } from '../../src/telemetry/forwarded.ts';

const FUZZ_MS = Number(process.env['FUZZ_MS'] ?? 2000);

it('baggage and forwarded headers of any content are read without an error and stay bounded', () => {
  const pieces = fc.constantFrom(
    'k8s.pod.name',
    'service.name',
    '=',
    ',',
    ';',
    ' ',
    'host',
    'for',
    '"',
    'a'.repeat(300),
  );
  const header = fc.oneof(fc.string({ unit: pieces }), fc.string({ unit: 'binary' }));
  fc.assert(
    fc.property(header, (text) => {
      for (const value of Object.values(parseBaggage(text))) assert.ok(value.length <= 256);
      const host = forwardedHost(text);
      assert.ok(host === undefined || (host.length > 0 && host.length <= 255));
    }),
    { numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: FUZZ_MS },
  );
});
