import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { LogFilter } from '../../../src/telemetry/log-filter.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';

function capture(format: 'plain' | 'json', directives = 'trace') {
  const lines: string[] = [];
  const filter = new LogFilter(directives);
  const logger = createLogger({ format, filter, destination: { write: (line) => void lines.push(line) } });
  return { lines, logger, filter };
}

const nasty = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({
    unit: fc.constantFrom('\r', '\n', '\t', '\0', '\u001b[31m', '\u007f', '\u0085', '\u2028', '"', '\\', 'a', '='),
  }),
);
const FIELDS = ['src.addr', 'dst.hbone_addr', 'src.workload', 'error'] as const;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029]/;

describe('a line of text', () => {
  it('stays one line without control characters, whatever its parts hold', () => {
    fc.assert(
      fc.property(nasty, fc.constantFrom(...FIELDS), nasty, (message, field, value) => {
        const { lines, logger } = capture('plain');
        logger.scope('access').error(message, { [field]: value, bytes_sent: 1 });
        assert.equal(lines.length, 1);
        const line = lines[0] ?? '';
        assert.ok(line.endsWith('\n'));
        assert.doesNotMatch(line.slice(0, -1), CONTROL);
        assert.match(line, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\terror\taccess\t/);
      }),
      { numRuns: 1000 },
    );
  });

  it('quotes texts, prints addresses and numbers bare, leaves out what is undefined', () => {
    const { lines, logger } = capture('plain');
    logger.scope('access').info('connection complete', {
      'src.addr': '10.0.0.1:1',
      'src.workload': 'web "1"',
      'dst.service': undefined,
      bytes_sent: 11,
    });
    assert.match(
      lines[0] ?? '',
      /\tinfo\taccess\tconnection complete\tsrc\.addr=10\.0\.0\.1:1 src\.workload="web \\"1\\"" bytes_sent=11\n$/,
    );
  });

  it('cannot be made to look like two fields by a bare value', () => {
    const { lines, logger } = capture('plain');
    logger.info('m', { 'dst.hbone_addr': 'x error="forged"' });
    assert.doesNotMatch(lines[0] ?? '', / error="forged"/);
  });
});

describe('a line of JSON', () => {
  it('is valid, one line, and keeps every value', () => {
    fc.assert(
      fc.property(nasty, fc.constantFrom(...FIELDS), nasty, (message, field, value) => {
        const { lines, logger } = capture('json');
        logger.scope('dns').warn(message, { [field]: value });
        assert.equal(lines.length, 1);
        const line = (lines[0] ?? '').slice(0, -1);
        assert.doesNotMatch(line, /[\r\n]/);
        const parsed = JSON.parse(line);
        assert.deepEqual([parsed.level, parsed.scope, parsed.message], ['warn', 'dns', message]);
        assert.equal(parsed[field], value);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('levels', () => {
  it('decide by scope, and a filter that changes counts at once', () => {
    const { lines, logger, filter } = capture('plain', 'info,access=debug,dns=off');
    logger.debug('no');
    logger.scope('access').debug('yes');
    logger.scope('dns').error('no');
    filter.update('access=warn');
    logger.scope('access').info('no');
    assert.equal(logger.scope('access').enabled('info'), false);
    assert.equal(lines.length, 1);
  });
});
