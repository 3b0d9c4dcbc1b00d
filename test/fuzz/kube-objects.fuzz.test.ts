import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { KubeIntake } from '../../src/control/kube-intake.ts';
import { DEFAULT_MESH_OPTIONS } from '../../src/control/mesh-options.ts';
import { ModelBuilder } from '../../src/control/model-builder.ts';
import { ObservedConditions } from '../../src/control/observed-conditions.ts';
import { slimPod, slimToMetadata, slimToSpec } from '../../src/control/slim-object.ts';
import { wantedConditions } from '../../src/control/wanted-conditions.ts';
import { asKubeObject, withoutManagedFields } from '../../src/kube/kube-object.ts';
import { AUTHORIZATION_POLICIES, GATEWAYS, PODS, SERVICE_ENTRIES, SERVICES } from '../../src/kube/resource-kind.ts';
import { ObjectStore } from '../../src/manifests/object-store.ts';
import { authorizationPolicy, pod, service } from '../helpers/manifests.ts';

const budgetMs = Number(process.env['FUZZ_MS'] ?? 2000);
const KINDS = [
  { resource: PODS, kind: 'Pod', slim: slimPod, good: pod({ name: 'a', ip: '10.0.0.1' }) },
  { resource: SERVICES, kind: 'Service', slim: slimToSpec, good: service('a', { clusterIP: '10.96.0.1' }) },
  {
    resource: AUTHORIZATION_POLICIES,
    kind: 'AuthorizationPolicy',
    slim: slimToSpec,
    good: authorizationPolicy('a', { rules: [{ to: [{ operation: { ports: ['80'] } }] }] }),
  },
  { resource: SERVICE_ENTRIES, kind: 'ServiceEntry', slim: slimToSpec, good: { spec: { hosts: ['a.example'] } } },
  { resource: GATEWAYS, kind: 'Gateway', slim: slimToMetadata, good: { spec: { listeners: [] } } },
] as const;
const FIELDS = ['metadata', 'spec', 'status', 'labels', 'annotations', 'conditions', 'targetRefs', 'rules', 'podIPs'];
const damage = fc.record({ field: fc.constantFrom(...FIELDS), inside: fc.boolean(), value: fc.jsonValue() });

test('objects of the API server of any shape neither stop the intake nor the model', () => {
  fc.assert(
    fc.property(fc.nat(KINDS.length - 1), fc.array(damage, { maxLength: 4 }), (index, damages) => {
      const kind = KINDS[index] ?? KINDS[0];
      const raw = structuredClone(kind.good) as Record<string, unknown>;
      for (const { field, inside, value } of damages) {
        const place = inside ? (raw['spec'] ?? raw) : raw;
        if (typeof place === 'object' && place !== null) (place as Record<string, unknown>)[field] = value;
      }
      const object = asKubeObject(raw);
      if (object === undefined) return;
      const store = new ObjectStore();
      const intake = new KubeIntake(
        { revision: 'default', alwaysSelected: [] },
        { clock: systemClock, logger: silentLogger, store },
      );
      const model = new ModelBuilder(store, DEFAULT_MESH_OPTIONS);
      const observed = new ObservedConditions();
      observed.note(kind.kind, object, false);
      intake.upsert(kind, kind.slim(withoutManagedFields(object)));
      for (const key of store.keys()) {
        const held = store.getByKey(key);
        if (held !== undefined) wantedConditions(store, DEFAULT_MESH_OPTIONS, held);
      }
      intake.remove(kind, object);
      intake.flush();
      assert.equal(store.size, 0);
      intake.stop();
      model.stop();
    }),
    { interruptAfterTimeLimit: budgetMs, numRuns: Number.MAX_SAFE_INTEGER, markInterruptAsFailure: false },
  );
});
