import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ObjectStore } from '../../../src/manifests/object-store.ts';
import { keyOf } from '../../../src/model/manifest/manifest-object.ts';
import { readObject } from '../../../src/model/manifest/read-object.ts';
import { virtualService } from '../../helpers/route-lab.ts';

function parsed(name: string, spec: object) {
  const reading = readObject(virtualService(name, spec), () => ({ file: '', line: 0, column: 0 }));
  assert.ok(reading.kind === 'accepted');
  return reading.object;
}

const names = (objects: Iterable<{ meta: { name: string } }>) => [...objects].map(({ meta }) => meta.name);
const to = (host: string) => ({ route: [{ destination: { host } }] });

describe('VirtualServices are found', () => {
  const store = new ObjectStore();
  const object = parsed('a', {
    hosts: ['Web', '*.example.com'],
    http: [
      { ...to('next'), mirror: { host: 'copy.prod' } },
      { delegate: { name: 'part', namespace: 'team' } },
      { delegate: { name: 'near' } },
    ],
    tcp: [to('db.example.com')],
  });
  store.apply([object], []);
  const { virtualServices } = store;

  it('by namespace and host as written, in lower case', () => {
    assert.deepEqual(names(virtualServices.ofHost('demo', 'web')), ['a']);
    assert.deepEqual(names(virtualServices.ofHost('demo', '*.example.com')), ['a']);
    assert.deepEqual(names(virtualServices.ofHost('other', 'web')), []);
    assert.deepEqual(names(virtualServices.ofHost('demo', 'next')), []);
  });

  it('by every host that they name', () => {
    for (const host of ['demo/web', 'demo/next', 'copy.prod', 'db.example.com']) {
      assert.deepEqual(names(virtualServices.mentioning(host)), ['a'], host);
    }
  });

  it('by what they delegate to', () => {
    assert.deepEqual(names(virtualServices.rootsOf('team', 'part')), ['a']);
    assert.deepEqual(names(virtualServices.rootsOf('demo', 'near')), ['a']);
  });

  it('no more once they have changed or gone', () => {
    store.apply([parsed('a', { hosts: ['next'], http: [to('next')] })], []);
    assert.deepEqual(names(virtualServices.ofHost('demo', 'web')), []);
    assert.deepEqual(names(virtualServices.ofHost('demo', 'next')), ['a']);
    store.apply([], [keyOf(object)]);
    assert.deepEqual(names(virtualServices.ofHost('demo', 'next')), []);
    assert.deepEqual(names(virtualServices.mentioning('demo/next')), []);
  });
});
