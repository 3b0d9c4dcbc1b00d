import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { shouldEnrol } from '../../../src/local/enrolment.ts';

const MODE = 'istio.io/dataplane-mode';
type Labels = Record<string, string>;

function enrolled(
  pod: { labels?: Labels; annotations?: Labels; namespace?: string; hostNetwork?: boolean },
  ns: Labels,
) {
  const { labels = {}, annotations = {}, namespace = 'demo', hostNetwork = false } = pod;
  const subject = {
    namespace,
    hostNetwork,
    labels: new Map(Object.entries(labels)),
    annotations: new Map(Object.entries(annotations)),
  };
  return shouldEnrol(subject, new Map(Object.entries(ns)));
}

describe('shouldEnrol', () => {
  it('follows the label of the namespace', () => {
    assert.equal(enrolled({}, { [MODE]: 'ambient' }), true);
    assert.equal(enrolled({}, {}), false);
  });

  it('lets a pod opt in and out by itself', () => {
    assert.equal(enrolled({ labels: { [MODE]: 'ambient' } }, {}), true);
    assert.equal(enrolled({ labels: { [MODE]: 'none' } }, { [MODE]: 'ambient' }), false);
  });

  it('leaves out pods of the host network, with a sidecar, and of kube-system', () => {
    const ns = { [MODE]: 'ambient' };
    assert.equal(enrolled({ hostNetwork: true }, ns), false);
    assert.equal(enrolled({ annotations: { 'sidecar.istio.io/status': '{}' } }, ns), false);
    assert.equal(enrolled({ namespace: 'kube-system' }, ns), false);
  });
});
