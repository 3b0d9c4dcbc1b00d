import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { silentLogger } from '../../../src/base/logger.ts';
import { type IntakeKind, KubeIntake } from '../../../src/control/kube-intake.ts';
import type { KubeObject } from '../../../src/kube/kube-object.ts';
import { AUTHORIZATION_POLICIES, NAMESPACES, PODS } from '../../../src/kube/resource-kind.ts';
import { ObjectStore } from '../../../src/manifests/object-store.ts';
import { authorizationPolicy, pod } from '../../helpers/manifests.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

const POD: IntakeKind = { resource: PODS, kind: 'Pod' };
const NAMESPACE: IntakeKind = { resource: NAMESPACES, kind: 'Namespace' };
const POLICY: IntakeKind = { resource: AUTHORIZATION_POLICIES, kind: 'AuthorizationPolicy' };

const namespace = (name: string, labels = {}) =>
  ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } }) as KubeObject;
const podOf = (name: string, fields: object = {}) => pod({ name, ip: '10.0.0.1', ...fields }) as unknown as KubeObject;
const policyOf = (name: string, spec: unknown, meta = {}) =>
  authorizationPolicy(name, spec, meta) as unknown as KubeObject;
const PROD = [[{ key: 'env', operator: 'In', values: ['prod'] }]] as const;

describe('KubeIntake', () => {
  let clock: ManualClock;
  let store: ObjectStore;
  let intake: KubeIntake;
  let batches: string[][];

  beforeEach(() => {
    clock = new ManualClock();
    store = new ObjectStore();
    intake = new KubeIntake(
      { revision: 'default', alwaysSelected: ['istio-system'] },
      { clock, logger: silentLogger, store },
    );
    batches = [];
    store.subscribe((changes) => batches.push(changes.map(({ key }) => key)));
  });

  const keys = () => [...store.keys()].sort();

  it('takes away what a new list no longer has', () => {
    intake.replace(POD, [podOf('a'), podOf('b')]);
    intake.replace(POD, [podOf('b')]);
    assert.deepEqual(keys(), ['Pod/demo/b']);
  });

  it('passes an object on once as long as nothing that counts changes in it', () => {
    intake.upsert(POD, podOf('a'));
    intake.upsert(POD, podOf('a'));
    intake.replace(POD, [podOf('a')]);
    assert.deepEqual(batches, [['Pod/demo/a']]);
    assert.deepEqual(intake.counts.get('Pod'), { added: 1, updated: 0, deleted: 0 });
  });

  it('merges changes while applying them takes half of the time', () => {
    store.subscribe(() => clock.advance(40));
    intake.upsert(POD, podOf('a'));
    intake.upsert(POD, podOf('b'));
    intake.upsert(POD, podOf('c'));
    intake.remove(POD, podOf('b'));
    assert.deepEqual(batches, [['Pod/demo/a']]);
    clock.advance(40);
    assert.deepEqual(batches.slice(1), [['Pod/demo/c']]);
  });

  it('keeps the last good version of a broken object until it is deleted', () => {
    intake.upsert(POLICY, policyOf('p', { action: 'DENY', rules: [{}] }));
    intake.upsert(POLICY, policyOf('p', { action: 'DENIED', rules: [{}] }));
    const held = store.get('AuthorizationPolicy', 'demo', 'p');
    assert.equal(held?.action, 'DENY');
    assert.equal(intake.problems().length, 1);
    assert.equal(intake.accepted().find(({ key }) => key.endsWith('/p'))?.stale, true);
    intake.remove(POLICY, policyOf('p', {}));
    assert.deepEqual(keys(), []);
    assert.deepEqual(intake.problems(), []);
  });

  it('ignores Istio objects of another revision, and no pods', () => {
    const canary = { labels: { 'istio.io/rev': 'canary' } };
    intake.upsert(POLICY, policyOf('p', {}, canary));
    intake.upsert(POD, podOf('a', { labels: { 'istio.io/rev': 'canary' } }));
    assert.deepEqual(keys(), ['Pod/demo/a']);
  });

  it('looks at the same objects whatever comes first: selectors, namespace or objects', () => {
    const steps = [
      () => intake.setSelectors(PROD),
      () => intake.upsert(NAMESPACE, namespace('demo', { env: 'prod' })),
      () => intake.upsert(NAMESPACE, namespace('other')),
      () => intake.upsert(POD, podOf('a')),
      () => intake.upsert(POD, podOf('b', { namespace: 'other' })),
      () => intake.upsert(POD, podOf('c', { namespace: 'istio-system' })),
    ];
    for (let shift = 0; shift < steps.length; shift++) {
      store = new ObjectStore();
      intake = new KubeIntake(
        { revision: 'default', alwaysSelected: ['istio-system'] },
        { clock, logger: silentLogger, store },
      );
      for (let i = 0; i < steps.length; i++) steps[(i + shift) % steps.length]?.();
      const pods = keys().filter((key) => key.startsWith('Pod/'));
      assert.deepEqual(pods, ['Pod/demo/a', 'Pod/istio-system/c'], `starting with step ${shift}`);
    }
  });

  it('moves objects when a namespace changes its labels, also those that changed while hidden', () => {
    intake.setSelectors(PROD);
    intake.upsert(NAMESPACE, namespace('demo', { env: 'prod' }));
    intake.upsert(POD, podOf('a'));
    intake.upsert(POD, podOf('b'));
    intake.upsert(NAMESPACE, namespace('demo'));
    assert.deepEqual(keys(), ['Namespace//demo']);
    intake.remove(POD, podOf('b'));
    intake.upsert(POD, podOf('a', { node: 'node-z' }));
    intake.upsert(NAMESPACE, namespace('demo', { env: 'prod' }));
    assert.deepEqual(keys(), ['Namespace//demo', 'Pod/demo/a']);
    assert.equal(store.get('Pod', 'demo', 'a')?.spec.nodeName, 'node-z');
  });
});
