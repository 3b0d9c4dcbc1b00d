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

  for (const [assignment, message] of [
    ['control.certTtl=bla', /control\.certTtl: a duration such as/],
    ['control.certTtl=0s', /control\.certTtl: it has to be longer than 0/],
    ['agent.joinDrain=xx', /agent\.joinDrain: a duration/],
    ['agent.leaveDrain=5', /agent\.leaveDrain/],
    ['logLevel=nonsense', /logLevel: "nonsense" is no log level: trace, debug/],
    ['logLevel=xds=loud', /logLevel: "xds=loud"/],
    ['revision=Not_a_name', /revision: a name of/],
    ['meshConfig.trustDomain=5', /meshConfig: trustDomain is not a domain name/],
    ['meshConfig.discoverySelectors=all', /meshConfig: discoverySelectors is no list/],
    ['agent.resources.limits.memory=lots', /agent\.resources\.limits\.memory: a quantity/],
  ] as const) {
    it(`refuse ${assignment}, which a role could not read`, () => {
      assert.throws(() => parseInstallValues(set(assignment)), { code: 'INSTALL_VALUES_INVALID', message });
    });
  }

  it('take what the roles can read', () => {
    const values = set(
      'control.certTtl=1h30m',
      'agent.joinDrain=0s',
      'meshConfig.trustDomain=example.org',
      'ztunnel.resources.limits.cpu=2',
      'ztunnel.resources.limits.memory=1.5Gi',
      'revision=next-1',
    );
    assert.equal(parseInstallValues({ ...values, logLevel: 'INFO,xds=debug' }).control.certTtl, '1h30m');
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
