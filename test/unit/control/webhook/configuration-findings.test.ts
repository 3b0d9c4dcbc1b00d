import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { findProblems } from '../../../../src/control/webhook/configuration-findings.ts';

function policy(spec: unknown): Record<string, unknown> {
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name: 'p', namespace: 'demo' },
    spec,
  };
}

describe('findProblems', () => {
  it('finds nothing in a policy that is right', () => {
    const rules = [
      { from: [{ source: { principals: ['cluster.local/ns/a/sa/b'] } }], to: [{ operation: { ports: ['80'] } }] },
    ];
    assert.deepEqual(findProblems(policy({ action: 'ALLOW', rules })), { errors: [], warnings: [] });
  });

  it('names every problem, not just the first', () => {
    const rules = [{ from: [{ source: { ipBlocks: ['300.1.1.1/99'] } }], to: [{ operation: { ports: ['99999'] } }] }];
    const { errors } = findProblems(policy({ action: 'ALLOW', ruels: [], rules }));
    assert.equal(errors.length, 3, errors.join('\n'));
    assert.ok(errors.includes('unknown field "spec.ruels"'));
    assert.ok(
      errors.some((error) => error.startsWith('spec.rules[0].from[0].source.ipBlocks') && error.includes('300.1.1.1')),
    );
    assert.ok(
      errors.some((error) => error.startsWith('spec.rules[0].to[0].operation.ports') && error.includes('99999')),
    );
  });

  it('warns of a DENY rule that denies more than it says where nothing reads HTTP', () => {
    const deny = (operation: object) =>
      findProblems(policy({ action: 'DENY', rules: [{ to: [{ operation }] }] })).warnings;
    assert.match(deny({ paths: ['/admin'] })[0] ?? '', /denies all TCP traffic/);
    assert.deepEqual(deny({ paths: ['/admin'], ports: ['80'] }), []);
    assert.deepEqual(deny({ ports: ['80'] }), []);
  });

  it('says once what has the wrong type, and nothing that follows from it', () => {
    const spec = { hosts: 'web', gateways: ['edge'], http: [null, { route: [{ destination: 1 }] }] };
    const { errors } = findProblems({
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata: { name: 'a' },
      spec,
    });
    assert.deepEqual(errors, [
      'spec.hosts: must be a list',
      'spec.http[0]: must not be null',
      'spec.http[1].route[0].destination: must be an object',
    ]);
  });

  it('leaves kinds alone that the mesh does not define', () => {
    assert.deepEqual(
      findProblems({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' }, data: { any: 'thing' } }).errors,
      [],
    );
    assert.deepEqual(
      findProblems({ apiVersion: 'networking.istio.io/v1', kind: 'Unheard', metadata: { name: 'x' } }).errors,
      [],
    );
  });

  it('never throws, whatever the object is', () => {
    const kinds = fc.constantFrom(
      'AuthorizationPolicy',
      'PeerAuthentication',
      'ServiceEntry',
      'VirtualService',
      'Telemetry',
    );
    const groups = fc.constantFrom('security.istio.io/v1', 'networking.istio.io/v1', 'telemetry.istio.io/v1', 'x', '');
    fc.assert(
      fc.property(
        kinds,
        groups,
        fc.jsonValue({ maxDepth: 6 }),
        fc.jsonValue({ maxDepth: 3 }),
        (kind, apiVersion, spec, metadata) => {
          findProblems({ apiVersion, kind, metadata, spec });
        },
      ),
      { numRuns: 500 },
    );
  });
});
