import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { installationCrds } from '../../../src/install/crds.ts';
import { kindOfObject } from '../../../src/install/install-kinds.ts';

type Node = Readonly<Record<string, unknown>>;

interface Version {
  readonly name: string;
  readonly served: boolean;
  readonly storage: boolean;
  readonly subresources: { readonly status: object };
  readonly schema: {
    readonly openAPIV3Schema: { readonly properties: { readonly spec: Node; readonly status: Node } };
  };
}

interface CrdSpec {
  readonly group: string;
  readonly names: { readonly kind: string; readonly plural: string; readonly shortNames?: readonly string[] };
  readonly versions: readonly Version[];
}

const crds = installationCrds();
const specs = crds.map((crd) => crd['spec'] as CrdSpec);

function specOf(kind: string): CrdSpec {
  const spec = specs.find(({ names }) => names.kind === kind);
  assert.ok(spec !== undefined, kind);
  return spec;
}

/** All nodes of a schema with their paths; `inList` is whether there can be many of a node in one object. */
function* nodesOf(node: Node, path: string, inList = false): Generator<{ node: Node; path: string; inList: boolean }> {
  yield { node, path, inList };
  for (const [name, field] of Object.entries((node['properties'] ?? {}) as Node)) {
    yield* nodesOf(field as Node, `${path}.${name}`, inList);
  }
  for (const key of ['items', 'additionalProperties']) {
    if (node[key] !== undefined) yield* nodesOf(node[key] as Node, `${path}.${key}`, true);
  }
}

describe('installationCrds', () => {
  test('serves each kind in the versions that Istio serves, and stores one', () => {
    const versions = specs.map(({ names, versions: all }) => {
      assert.deepEqual(
        all.filter(({ storage }) => storage).map(({ name }) => name),
        [all[0]?.name],
      );
      assert.ok(all.every(({ served }) => served));
      return `${names.kind}: ${all.map(({ name }) => name).join(' ')}`;
    });
    assert.deepEqual(versions.sort(), [
      'AuthorizationPolicy: v1 v1beta1',
      'DestinationRule: v1 v1beta1 v1alpha3',
      'EnvoyFilter: v1alpha3',
      'Gateway: v1 v1beta1 v1alpha3',
      'PeerAuthentication: v1 v1beta1',
      'ProxyConfig: v1beta1',
      'RequestAuthentication: v1 v1beta1',
      'ServiceEntry: v1 v1beta1 v1alpha3',
      'Sidecar: v1 v1beta1 v1alpha3',
      'Telemetry: v1 v1alpha1',
      'VirtualService: v1 v1beta1 v1alpha3',
      'WorkloadEntry: v1 v1beta1 v1alpha3',
      'WorkloadGroup: v1 v1beta1 v1alpha3',
    ]);
  });

  test('names and labels each object so that the installer applies it and finds it again', () => {
    for (const [index, crd] of crds.entries()) {
      const { group, names } = specs[index] as CrdSpec;
      assert.equal(crd.metadata.name, `${names.plural}.${group}`);
      assert.equal(crd.metadata.labels?.['app.kubernetes.io/part-of'], 'ambit');
      assert.equal(kindOfObject(crd).plural, 'customresourcedefinitions');
    }
  });

  test('gives the short names that users know', () => {
    const shortNames = (kind: string) => specOf(kind).names.shortNames;
    assert.deepEqual(shortNames('VirtualService'), ['vs']);
    assert.deepEqual(shortNames('AuthorizationPolicy'), ['ap']);
    assert.equal(shortNames('Sidecar'), undefined);
  });

  test('has a status with conditions that is written apart from the object', () => {
    for (const { versions } of specs) {
      for (const { schema, subresources } of versions) {
        assert.deepEqual(subresources, { status: {} });
        const { properties } = schema.openAPIV3Schema.properties.status;
        for (const name of ['conditions', 'validationMessages', 'observedGeneration']) {
          assert.ok(Object.hasOwn(properties as object, name), name);
        }
      }
    }
  });

  test('lets the API server refuse a policy with two ways of attachment', () => {
    const version = specOf('AuthorizationPolicy').versions[0] as Version;
    const [rule] = version.schema.openAPIV3Schema.properties.spec['x-kubernetes-validations'] as Node[];
    assert.equal(
      rule?.['rule'],
      '(has(self.selector) ? 1 : 0) + (has(self.targetRef) ? 1 : 0) + (has(self.targetRefs) ? 1 : 0) <= 1',
    );
  });

  test('keeps to structural schemas, with rules only where there is one of a node', () => {
    for (const { names, versions } of specs) {
      const root = versions[0]?.schema.openAPIV3Schema as unknown as Node;
      for (const { node, path, inList } of nodesOf(root, names.kind)) {
        const isOpen = node['x-kubernetes-preserve-unknown-fields'] === true;
        const isEither = node['x-kubernetes-int-or-string'] === true;
        assert.ok(node['type'] !== undefined || isOpen || isEither, `${path} has no type`);
        assert.ok(!inList || node['x-kubernetes-validations'] === undefined, `${path} has rules`);
        assert.ok(!(node['properties'] && node['additionalProperties']), `${path} is both object and map`);
      }
    }
  });

  test('keeps each definition small enough for kubectl apply, which stores it in an annotation once more', () => {
    for (const crd of crds) assert.ok(JSON.stringify(crd).length < 200_000, crd.metadata.name);
  });
});
