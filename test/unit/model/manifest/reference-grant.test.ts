import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readObject } from '../../../../src/model/manifest/read-object.ts';
import { object } from '../../../helpers/manifests.ts';
import { GATEWAY_API, parseObject, referenceGrant } from '../../../helpers/routes.ts';

describe('a ReferenceGrant', () => {
  it('names who may refer to what; without a name to all of the kind', () => {
    const grant = parseObject(referenceGrant('shop', 'demo'));
    assert.ok(grant.kind === 'ReferenceGrant');
    assert.deepEqual(grant.from, [{ group: GATEWAY_API, kind: 'HTTPRoute', namespace: 'demo' }]);
    assert.deepEqual(grant.to, [{ group: '', kind: 'Service', name: undefined }]);
  });

  it('is refused with a field that is not known, which may be a restriction', () => {
    const spec = { from: [{ kind: 'HTTPRoute', namespace: 'a', name: 'x' }], to: [{ kind: 'Service' }] };
    const reading = readObject(object(`${GATEWAY_API}/v1`, 'ReferenceGrant', 'g', spec), () => ({
      file: '',
      line: 1,
      column: 1,
    }));
    assert.deepEqual(reading.kind === 'refused' && reading.problems.map(({ field }) => field), ['spec.from[0].name']);
  });
});
