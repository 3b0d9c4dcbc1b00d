import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { parseAuthority } from '../../src/hbone/authority.ts';

const FUZZ_MS = Number(process.env['FUZZ_MS'] ?? 2000);

it('an authority of any content is read without an error, and what is accepted means one place only', () => {
  const pieces = fc.constantFrom(
    '10.0.0.1',
    '::1',
    '[',
    ']',
    ':',
    '80',
    '0',
    '65535',
    'a.b',
    '*',
    '@',
    '/',
    '%',
    ' ',
    '\0',
    '-',
    '.',
  );
  const text = fc.oneof(fc.string({ unit: pieces, maxLength: 8 }), fc.string({ unit: 'binary' }));
  fc.assert(
    fc.property(text, (authority) => {
      const parsed = parseAuthority(authority);
      if (parsed === undefined) return;
      assert.ok(parsed.port >= 1 && parsed.port <= 65535);
      const host =
        parsed.kind === 'address' ? (parsed.ip.includes(':') ? `[${parsed.ip}]` : parsed.ip) : parsed.hostname;
      const again = parseAuthority(`${host}:${parsed.port}`);
      assert.deepEqual({ ...again, text: '' }, { ...parsed, text: '' });
    }),
    { numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: FUZZ_MS },
  );
});
