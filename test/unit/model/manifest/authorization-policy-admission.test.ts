import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readObject } from '../../../../src/model/manifest/read-object.ts';

/** The problems of a policy, as `field: reason`. */
function problems(spec: object, annotations: Record<string, string> = {}): string[] {
  const object = {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name: 'p', namespace: 'demo', annotations },
    spec,
  };
  const reading = readObject(object, () => ({ file: '', line: 0, column: 0 }));
  return reading.kind === 'refused' ? reading.problems.map(({ field, reason }) => `${field}: ${reason}`) : [];
}

const service = { kind: 'Service', group: '', name: 'web' };
const rules = [{ to: [{ operation: { ports: ['80'] } }] }];
const custom = { action: 'CUSTOM', provider: { name: 'ext' } };

describe('an AuthorizationPolicy', () => {
  it('targets Services, ServiceEntries, Gateways and GatewayClasses of its own namespace, and nothing else', () => {
    assert.deepEqual(problems({ targetRefs: [service], rules }), []);
    assert.deepEqual(
      problems({ targetRef: { ...service, kind: 'Gateway', group: 'gateway.networking.k8s.io' }, rules }),
      [],
    );
    assert.match(
      problems({ targetRefs: [{ ...service, kind: 'Deployment', group: 'apps' }], rules })[0] ?? '',
      /targetRefs\[0\]\.kind: "apps\/Deployment" cannot be a target/,
    );
    assert.match(
      problems({ targetRefs: [{ ...service, namespace: 'other' }], rules })[0] ?? '',
      /namespace: must not be set/,
    );
    assert.match(problems({ targetRefs: [{ kind: 'Service' }], rules })[0] ?? '', /name: is required/);
    assert.match(problems({ targetRef: service, targetRefs: [service], rules })[0] ?? '', /cannot be combined/);
    assert.match(problems({ targetRefs: Array(17).fill(service), rules })[0] ?? '', /more than 16/);
  });

  it('asks a provider when it is CUSTOM, and only then', () => {
    assert.deepEqual(problems({ ...custom, rules }), []);
    assert.match(problems({ action: 'CUSTOM', rules })[0] ?? '', /provider: is required/);
    assert.match(
      problems({ action: 'ALLOW', provider: { name: 'ext' }, rules })[0] ?? '',
      /provider: is for CUSTOM only/,
    );
  });

  it('cannot ask for identities in CUSTOM rules', () => {
    const from = (source: object) => problems({ ...custom, rules: [{ from: [{ source }] }] });
    for (const field of [
      'principals',
      'notNamespaces',
      'serviceAccounts',
      'requestPrincipals',
      'notRequestPrincipals',
      'trustDomains',
    ]) {
      assert.ok(
        from({ [field]: ['x'] }).some((problem) => problem.includes(`${field}: cannot be used with CUSTOM`)),
        field,
      );
    }
    assert.deepEqual(from({ ipBlocks: ['10.0.0.0/8'], remoteIpBlocks: ['10.0.0.0/8'] }), []);
    const when = (key: string) => problems({ ...custom, rules: [{ when: [{ key, values: ['10.0.0.1'] }] }] });
    assert.match(when('request.auth.claims[x]')[0] ?? '', /cannot be used with CUSTOM/);
    assert.deepEqual(when('source.ip'), []);
  });

  it('is tried out by annotation only when it is ALLOW or DENY', () => {
    const dryRun = { 'istio.io/dry-run': 'true' };
    assert.deepEqual(problems({ action: 'DENY', rules }, dryRun), []);
    assert.match(problems({ ...custom, rules }, dryRun)[0] ?? '', /action: CUSTOM cannot be tried out/);
    assert.match(problems({ action: 'AUDIT', rules }, dryRun)[0] ?? '', /action: AUDIT cannot be tried out/);
  });

  it('has addresses where addresses belong, L7 ones too', () => {
    assert.match(
      problems({ rules: [{ from: [{ source: { remoteIpBlocks: ['nowhere'] } }] }] })[0] ?? '',
      /remoteIpBlocks: "nowhere"/,
    );
    assert.match(
      problems({ rules: [{ when: [{ key: 'remote.ip', values: ['x'] }] }] })[0] ?? '',
      /"x" is not an IP address/,
    );
  });

  it('has paths whose templates are whole segments', () => {
    const path = (text: string) => problems({ rules: [{ to: [{ operation: { paths: [text] } }] }] });
    for (const good of ['/a', '/a/*', '*/a', '/{x}', '/a/{*}/b', '/a/{**}', '/{*}/{**}'])
      assert.deepEqual(path(good), [], good);
    for (const bad of ['/a{*}', '/{**}/b', '/{*}/{x}', '/{*}/b*'])
      assert.match(path(bad)[0] ?? '', /is no template/, bad);
  });
});
