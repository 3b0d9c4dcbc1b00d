import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { formatProblem } from '../../../../src/model/manifest/manifest-problem.ts';
import { MAX_MANIFEST_BYTES, parseManifest } from '../../../../src/model/manifest/parse-manifest.ts';
import { document, pod, service } from '../../../helpers/manifests.ts';

function problems(text: string): string[] {
  return parseManifest(text, 'f.yaml').problems.map(formatProblem);
}

function keys(text: string): string[] {
  return parseManifest(text, 'f.yaml').objects.map((entry) => entry.key);
}

describe('parseManifest', () => {
  test('reads documents, lists and lists of one kind, in order', () => {
    const list = document({ apiVersion: 'v1', kind: 'List', items: [pod({ name: 'a' }), service('b')] });
    const pods = document({ apiVersion: 'v1', kind: 'PodList', items: [pod({ name: 'c' })] });
    assert.deepEqual(keys(`${list}${pods}---\n# nothing\n---\n${document(pod({ name: 'd' }))}`), [
      'Pod/demo/a',
      'Service/demo/b',
      'Pod/demo/c',
      'Pod/demo/d',
    ]);
  });

  test('puts objects without a namespace into default, and cluster-scoped ones into none', () => {
    assert.deepEqual(
      keys(
        'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Node\nmetadata: {name: n, namespace: x}',
      ),
      ['Pod/default/a', 'Node//n'],
    );
  });

  test('lets nothing that a manifest says steer a terminal', () => {
    const [problem] = problems('apiVersion: v1\nkind: Service\nmetadata: {name: "a\\e[31mb", namespace: x}');
    assert.match(problem ?? '', /"a\\x1b\[31mb" is not a valid name/);
  });

  test('names file, line, column, object and field of a wrong value', () => {
    assert.deepEqual(problems('apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: x}\nspec: {nodeName: 3}'), [
      'f.yaml:4:18: Pod x/a: spec.nodeName: must be a string, is the number 3',
    ]);
  });

  test('finds positions inside of lists of objects', () => {
    const text =
      'apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Service\n  metadata: {name: s}\n  spec:\n    ports:\n    - port: 99999';
    assert.match(problems(text)[0]!, /^f\.yaml:9:13: Service default\/s: spec\.ports\[0\]\.port: /);
  });

  test('refuses a broken document alone', () => {
    const parsed = parseManifest(
      `${document(pod({ name: 'a' }))}---\nkind: [\n---\n${document(pod({ name: 'b' }))}`,
      'f',
    );
    assert.deepEqual(
      parsed.objects.map((entry) => entry.key),
      ['Pod/demo/a', 'Pod/demo/b'],
    );
    assert.equal(parsed.unreadable, true);
    assert.equal(parsed.problems.length, 1);
  });

  test('keeps the key of an object that is named but wrong', () => {
    const parsed = parseManifest('apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: 3', 'f');
    assert.deepEqual([parsed.refusedKeys, parsed.unreadable], [['Pod/default/a'], false]);
  });

  test('calls an object without a usable name unreadable', () => {
    for (const name of ['', 'A', 'a/b', '-a', 'x'.repeat(254)]) {
      const parsed = parseManifest(`apiVersion: v1\nkind: Pod\nmetadata: {name: "${name}"}`, 'f');
      assert.deepEqual([parsed.objects.length, parsed.refusedKeys.length, parsed.unreadable], [0, 0, true], name);
    }
  });

  test('notes kinds that it does not use, without refusing anything', () => {
    const parsed = parseManifest(document({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' } }), 'f');
    assert.deepEqual([parsed.problems.map((problem) => problem.severity), parsed.unreadable], [['note'], false]);
  });

  test('refuses unknown versions of known kinds, and takes the older ones of Istio', () => {
    const policy = (version: string) =>
      `apiVersion: security.istio.io/${version}\nkind: PeerAuthentication\nmetadata: {name: a}\nspec: {}`;
    for (const version of ['v1', 'v1beta1', 'v1alpha3']) assert.equal(keys(policy(version)).length, 1, version);
    assert.match(problems(policy('v9'))[0]!, /apiVersion: version "v9"/);
  });

  test('refuses duplicate keys of one mapping', () => {
    assert.match(
      problems('apiVersion: v1\nkind: Pod\nkind: Pod\nmetadata: {name: a}')[0]!,
      /^f\.yaml:3:1: not valid YAML/,
    );
  });

  test('bounds aliases, nesting and size', () => {
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x]',
      ...[...'bcdefghi'].map((key, index) => `${key}: &${key} [${Array(9).fill(`*${'abcdefghi'[index]}`).join()}]`),
    ].join('\n');
    for (const text of [
      bomb,
      '['.repeat(5000),
      '- '.repeat(5000),
      '{a: '.repeat(5000),
      'a: &a {b: *a}',
      'x'.repeat(MAX_MANIFEST_BYTES + 1),
    ]) {
      const parsed = parseManifest(text, 'f');
      assert.deepEqual([parsed.objects.length, parsed.unreadable], [0, true], text.slice(0, 20));
    }
  });

  test('gives equal content for equal objects wherever they stand', () => {
    const [a] = parseManifest(document(pod({ name: 'a' })), 'f').objects;
    const [b] = parseManifest(`# moved\n\n${document(pod({ name: 'a' }))}`, 'g').objects;
    assert.equal(a!.content, b!.content);
  });

  test('never throws, whatever the values are', () => {
    const kinds = fc.constantFrom(
      'Pod',
      'Service',
      'Namespace',
      'Deployment',
      'Node',
      'EndpointSlice',
      'AuthorizationPolicy',
      'PeerAuthentication',
      'ServiceEntry',
      'WorkloadEntry',
      'Gateway',
      'List',
    );
    const apis = fc.constantFrom(
      'v1',
      'apps/v1',
      'discovery.k8s.io/v1',
      'security.istio.io/v1',
      'networking.istio.io/v1',
      'gateway.networking.k8s.io/v1',
    );
    fc.assert(
      fc.property(
        kinds,
        apis,
        fc.jsonValue(),
        fc.jsonValue(),
        fc.jsonValue(),
        (kind, apiVersion, spec, status, metadata) => {
          const text = JSON.stringify({ apiVersion, kind, metadata, spec, status, items: spec });
          for (const problem of parseManifest(text, 'f').problems) formatProblem(problem);
          parseManifest(
            JSON.stringify({ apiVersion, kind, metadata: { name: 'a', labels: metadata }, spec, status }),
            'f',
          );
        },
      ),
      { numRuns: 500 },
    );
  });
});
