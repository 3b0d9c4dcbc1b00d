import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LogFilter } from '../../../src/telemetry/log-filter.ts';

describe('a log filter', () => {
  it('has a level for all and levels by scope', () => {
    const filter = new LogFilter('warn,access=info');
    assert.equal(filter.enabled('xds', 'info'), false);
    assert.equal(filter.enabled('xds', 'warn'), true);
    assert.equal(filter.enabled('access', 'info'), true);
    assert.equal(filter.enabled('access', 'debug'), false);
  });

  it('adds directives and goes back to its start', () => {
    const filter = new LogFilter('info');
    assert.equal(filter.update('debug,dns=off'), undefined);
    assert.equal(filter.toString(), 'debug,dns=off');
    filter.reset();
    assert.equal(filter.toString(), 'info');
  });

  it('names the first directive that it does not understand, and takes the others', () => {
    const filter = new LogFilter('info');
    for (const bad of ['access', 'loud', 'access=loud', 'access:debug', '=', 'a=b=c']) {
      assert.equal(filter.update(`${bad},dns=error`), bad);
      assert.equal(filter.enabled('dns', 'warn'), false);
    }
  });

  it('starts whatever the environment says', () => {
    for (const text of ['', ',,', 'nonsense', 'hickory_server::server=off,info']) {
      assert.equal(new LogFilter(text).enabled('access', 'info'), true);
    }
  });
});
