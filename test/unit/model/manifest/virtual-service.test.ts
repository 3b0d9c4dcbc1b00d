import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findProblems } from '../../../../src/control/webhook/configuration-findings.ts';
import { parseManifest } from '../../../../src/model/manifest/parse-manifest.ts';
import { readObject } from '../../../../src/model/manifest/read-object.ts';
import { CLASSIC_CONFIGURATIONS } from '../../../helpers/classic-configurations.ts';
import { TYPICAL_SPECS } from '../../../helpers/typical-specs.ts';

const ROUTE = [{ destination: { host: 'web' } }];
const NOWHERE = { file: '', line: 0, column: 0 };

function manifest(spec: unknown, version = 'v1'): Record<string, unknown> {
  const metadata = { name: 'sample', namespace: 'demo' };
  return { apiVersion: `networking.istio.io/${version}`, kind: 'VirtualService', metadata, spec };
}

/** `<field>: <reason>`, sorted. */
function problemsOf(spec: unknown): string[] {
  const reading = readObject(manifest(spec), () => NOWHERE);
  return reading.kind === 'refused' ? reading.problems.map(({ field, reason }) => `${field}: ${reason}`).sort() : [];
}

function specOf(spec: unknown, version?: string) {
  const reading = readObject(manifest(spec, version), () => NOWHERE);
  assert.ok(reading.kind === 'accepted' && reading.object.kind === 'VirtualService', JSON.stringify(reading));
  return reading.object.spec;
}

describe('a VirtualService', () => {
  for (const version of ['v1', 'v1beta1', 'v1alpha3']) {
    it(`is read in ${version}, as it is written`, () => {
      const classic = CLASSIC_CONFIGURATIONS.filter(([kind]) => kind === 'VirtualService').map(([, , spec]) => spec);
      for (const spec of [...classic, TYPICAL_SPECS['VirtualService']]) assert.deepEqual(specOf(spec, version), spec);
    });
  }

  it('of another version is refused', () => {
    assert.equal(
      readObject(manifest({ hosts: ['web'], http: [{ route: ROUTE }] }, 'v2'), () => NOWHERE).kind,
      'refused',
    );
  });

  it('has no more regular expressions than a waypoint keeps, which is told before any is compiled', () => {
    const http = (count: number, more: string) =>
      Array.from({ length: count }, (_, index) => ({ match: [{ uri: { regex: `/${index}${more}` } }], route: ROUTE }));
    assert.deepEqual(problemsOf({ hosts: ['web'], http: http(1000, '.*') }), []);
    const [problem = '', ...others] = problemsOf({ hosts: ['web'], http: http(20_000, '.*') });
    assert.match(problem, /^spec\.http\[1000\]\.match\[0\]\.uri\.regex: is one of more than 1000 regular/);
    assert.deepEqual(others, []);
    assert.match(problemsOf({ hosts: ['web'], http: http(100, 'a{900}') })[0] ?? '', /^spec\.http\[2\d\]/);
  });

  it('is read without nulls, but for conditions that would be lost with them', () => {
    const http = [{ match: [{ headers: { 'x-a': null }, method: null }], route: ROUTE, timeout: null }];
    assert.deepEqual(specOf({ hosts: ['web'], http, gateways: null }), {
      hosts: ['web'],
      http: [{ match: [{ headers: { 'x-a': {} } }], route: ROUTE }],
    });
  });

  it('is refused for what its schema and its rules refuse, each field once', () => {
    const http = [{ route: [{ destination: { host: 'w b' } }], timeout: 5, retires: {}, fault: {} }];
    assert.deepEqual(problemsOf({ hosts: ['*'], http }), [
      'spec.hosts: "*" is for gateways only: in the mesh it would take all traffic. Name the gateways',
      'spec.http[0].fault: needs delay or abort',
      'spec.http[0].retires: is not a known field',
      'spec.http[0].route[0].destination.host: "w b" is not a host name',
      'spec.http[0].timeout: must be a string',
    ]);
  });

  it('is refused without a spec, or with one of another shape', () => {
    for (const spec of [undefined, null, {}, [], 'x', 1, { http: {} }, { hosts: [1], http: [null] }]) {
      assert.ok(problemsOf(spec).length > 0, JSON.stringify(spec));
    }
  });

  it('has in a folder the problems that the webhook finds, each where it is', () => {
    const spec = { hosts: ['web'], http: [{ route: ROUTE, redirect: { uri: '/a' } }, { match: [{ nmae: 'x' }] }] };
    const text = `---\n${JSON.stringify(manifest(spec), undefined, 2)}\n`;
    const { problems } = parseManifest(text, 'a.yaml');
    const line = (part: string) => text.split('\n').findIndex((one) => one.includes(part)) + 1;
    assert.deepEqual(
      problems.map(({ field, position }) => [field, position.line]),
      [
        ['spec.http[1].match[0].nmae', line('nmae')],
        ['spec.http[0].redirect', line('"redirect"')],
        ['spec.http[1]', line('"match"') - 1],
      ],
    );
    const found = problems.map(({ field, reason }) =>
      reason === 'is not a known field' ? `unknown field "${field}"` : `${field}: ${reason}`,
    );
    assert.deepEqual(findProblems(manifest(spec)).errors, found);
  });
});
