import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  DEFAULT_SELECTORS,
  type EligibilityRules,
  ineligibility,
  isEnrolledNamespace,
  readSelectors,
} from '../../../../src/agent/cluster/eligibility.ts';
import type { NodePod } from '../../../../src/agent/cluster/node-pod.ts';

const MODE = 'istio.io/dataplane-mode';
const RULES: EligibilityRules = {
  selectors: DEFAULT_SELECTORS,
  excludedNamespaces: ['kube-system'],
  systemNamespace: 'istio-system',
};
const pod = (extra: Partial<NodePod> = {}): NodePod => ({
  uid: 'u',
  name: 'a',
  namespace: 'shop',
  serviceAccount: 'sa',
  labels: {},
  annotations: {},
  hostNetwork: false,
  isTerminal: false,
  ips: [],
  ...extra,
});
const isIn = (labels: Record<string, string>, namespaceLabels: Record<string, string>, extra: Partial<NodePod> = {}) =>
  ineligibility(pod({ labels, ...extra }), namespaceLabels, RULES) === undefined;

describe('eligibility', () => {
  it('follows the labels of pod and namespace', () => {
    const ambient = { [MODE]: 'ambient' };
    const none = { [MODE]: 'none' };
    assert.deepEqual(
      [isIn({}, {}), isIn({}, ambient), isIn(ambient, {}), isIn(none, ambient), isIn(ambient, none), isIn({}, none)],
      [false, true, true, false, true, false],
    );
    assert.ok(isIn({ [MODE]: 'other' }, ambient), 'only none opts out');
  });

  it('leaves out the host network, sidecars, ended pods, excluded namespaces and the proxy, and says why', () => {
    const cases: [Partial<NodePod>, RegExp][] = [
      [{ hostNetwork: true }, /host/],
      [{ isTerminal: true }, /ended/],
      [{ namespace: 'kube-system' }, /excluded/],
      [{ annotations: { 'sidecar.istio.io/status': '{}' } }, /sidecar/],
      [{ namespace: 'istio-system', labels: { app: 'ztunnel' } }, /proxy/],
    ];
    for (const [extra, reason] of cases) {
      assert.match(ineligibility(pod(extra), { [MODE]: 'ambient' }, RULES) ?? '', reason);
    }
    assert.ok(isIn({ app: 'ztunnel' }, { [MODE]: 'ambient' }), 'that name is free in other namespaces');
  });

  it('tells namespaces whose new pods belong in from those with single pods', () => {
    assert.ok(isEnrolledNamespace('shop', { [MODE]: 'ambient' }, RULES));
    assert.ok(!isEnrolledNamespace('shop', {}, RULES));
    assert.ok(!isEnrolledNamespace('kube-system', { [MODE]: 'ambient' }, RULES));
  });
});

describe('readSelectors', () => {
  it('reads labels and expressions as Kubernetes has them', () => {
    const selectors = readSelectors(
      JSON.stringify([
        {
          podSelector: {
            matchLabels: { mesh: 'yes' },
            matchExpressions: [
              { key: 'tier', operator: 'NotIn', values: ['db'] },
              { key: 'owner', operator: 'Exists' },
              { key: 'legacy', operator: 'DoesNotExist' },
            ],
          },
          namespaceSelector: { matchLabels: { team: 'a' } },
        },
      ]),
      (problem) => assert.fail(problem),
    );
    const rules = { ...RULES, selectors };
    const check = (labels: Record<string, string>, namespaceLabels: Record<string, string>) =>
      ineligibility(pod({ labels }), namespaceLabels, rules) === undefined;
    assert.ok(check({ mesh: 'yes', owner: 'x' }, { team: 'a' }));
    assert.ok(!check({ mesh: 'yes', owner: 'x' }, {}));
    assert.ok(!check({ mesh: 'yes' }, { team: 'a' }));
    assert.ok(!check({ mesh: 'yes', owner: 'x', tier: 'db' }, { team: 'a' }));
    assert.ok(!check({ mesh: 'yes', owner: 'x', legacy: '' }, { team: 'a' }));
    assert.ok(!check({ mesh: 'yes', owner: 'x', constructor: '' }, { toString: 'a' }));
  });

  it('names every problem', () => {
    const problems: string[] = [];
    readSelectors('[{"pod":{}},{"podSelector":{"matchExpressions":[{"key":"a","operator":"Like"}]}},5]', (problem) =>
      problems.push(problem),
    );
    assert.deepEqual(problems.map((problem) => problem.split(':')[0]).sort(), [
      'selectors[0].pod',
      'selectors[1].podSelector.matchExpressions[0].operator',
      'selectors[2]',
    ]);
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        readSelectors(text, () => undefined);
      }),
    );
  });
});
