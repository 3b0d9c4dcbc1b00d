import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { contentHash, groupOfDeployment, groupOfPod, replicaName } from '../../../src/local/pod-plan.ts';
import { parseManifest } from '../../../src/model/manifest/parse-manifest.ts';

function object(value: unknown) {
  const { objects, problems } = parseManifest(JSON.stringify(value), 'test.yaml');
  assert.deepEqual(problems, []);
  return objects[0]?.object;
}

function deployment(env: string, replicas: number) {
  const containers = [{ name: 'main', image: 'none', command: ['true'], env: [{ name: 'A', value: env }] }];
  const parsed = object({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'demo' },
    spec: { replicas, template: { metadata: { labels: { app: 'web' } }, spec: { containers } } },
  });
  assert.ok(parsed?.kind === 'Deployment');
  return groupOfDeployment(parsed, '/folder');
}

function pod(labels: Record<string, string>, command: string) {
  const parsed = object({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'demo', labels },
    spec: { containers: [{ name: 'main', image: 'none', command: [command] }] },
  });
  assert.ok(parsed?.kind === 'Pod');
  return groupOfPod(parsed, '/folder');
}

describe('the hash of a pod group', () => {
  it('changes with the template and not with the number of replicas', () => {
    assert.equal(deployment('1', 1).hash, deployment('1', 5).hash);
    assert.notEqual(deployment('1', 1).hash, deployment('2', 1).hash);
  });

  it('does not change with the labels of a bare pod, which change in place', () => {
    assert.equal(pod({ a: '1' }, 'true').hash, pod({ a: '2' }, 'true').hash);
    assert.notEqual(pod({ a: '1' }, 'true').hash, pod({ a: '1' }, 'false').hash);
  });

  it('does not depend on the order of keys, in objects and maps', () => {
    assert.equal(
      contentHash({
        a: 1,
        b: new Map([
          ['x', 1],
          ['y', 2],
        ]),
      }),
      contentHash({
        b: new Map([
          ['y', 2],
          ['x', 1],
        ]),
        a: 1,
      }),
    );
  });

  it('is a label of the replicas', () => {
    const group = deployment('1', 1);
    assert.equal(group.labels.get('pod-template-hash'), group.hash);
    assert.match(
      replicaName(group, () => 0.5),
      new RegExp(`^web-${group.hash}-[a-z0-9]{5}$`),
    );
  });
});
