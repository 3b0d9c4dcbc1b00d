import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseInstallValues, setValue } from '../../../src/install/install-values.ts';
import type { PlainNode } from '../../../src/install/template.ts';

function set(...assignments: string[]): { [key: string]: PlainNode } {
  const values: { [key: string]: PlainNode } = {};
  for (const assignment of assignments) setValue(values, assignment);
  return values;
}

describe('install values', () => {
  it('are the defaults when nothing is given', () => {
    const values = parseInstallValues({});
    assert.equal(values.control.replicas, 2);
    assert.equal(values.ztunnel.terminationGracePeriodSeconds, 30);
    assert.equal(values.missingWaypoint, 'closed');
  });

  it('take single values and keep the other defaults', () => {
    const values = parseInstallValues(set('control.replicas=1', 'imagePullSecrets={}'));
    assert.equal(values.control.replicas, 1);
    assert.equal(values.control.certTtl, '24h');
    assert.deepEqual(values.imagePullSecrets, []);
  });

  it('name every wrong value in one error', () => {
    assert.throws(
      () => parseInstallValues(set('control.replicas=0', 'missingWaypoint=maybe', 'no.such=1')),
      (error: Error) =>
        /control\.replicas/.test(error.message) && /missingWaypoint/.test(error.message) && /"no"/.test(error.message),
    );
  });

  it('are lists, booleans and numbers where Helm reads them so', () => {
    assert.deepEqual(set('a={x,1,true}', 'b=false', 'c=12', 'd=0123', 'e=a=b'), {
      a: ['x', 1, true],
      b: false,
      c: 12,
      d: '0123',
      e: 'a=b',
    });
  });

  it('understand a key with a dot in it', () => {
    assert.deepEqual(set('agent.nodeSelector.kubernetes\\.io/os=linux'), {
      agent: { nodeSelector: { 'kubernetes.io/os': 'linux' } },
    });
  });

  for (const assignment of ['', 'x', '=1', 'a..b=1', '__proto__.polluted=1']) {
    it(`refuse --set ${assignment || '(nothing)'}`, () => {
      assert.throws(() => set(assignment), /expected path=value/);
      assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
    });
  }
});
