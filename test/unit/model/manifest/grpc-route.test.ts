import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readObject } from '../../../../src/model/manifest/read-object.ts';
import { object } from '../../../helpers/manifests.ts';
import { GATEWAY_API, parseObject, toService } from '../../../helpers/routes.ts';

function route(rules: unknown) {
  return object(`${GATEWAY_API}/v1`, 'GRPCRoute', 'r', { parentRefs: [toService('web')], rules });
}

function path(method: object | undefined): unknown {
  const parsed = parseObject(route([{ matches: [{ method }] }]));
  return parsed.kind === 'GRPCRoute' && parsed.rules[0]?.matches[0]?.path;
}

describe('a GRPCRoute', () => {
  it('matches a method by the path that gRPC makes of it', () => {
    assert.deepEqual(path({ service: 'a.B', method: 'Get' }), { type: 'Exact', value: '/a.B/Get' });
    assert.deepEqual(path({ service: 'a.B' }), { type: 'PathPrefix', value: '/a.B' });
    assert.deepEqual(path({ method: 'Get' }), { type: 'RegularExpression', value: '/[^/]+/Get' });
    assert.deepEqual(path(undefined), { type: 'PathPrefix', value: '/' });
  });

  it('matches by regular expressions, each for its part of the path', () => {
    const type = 'RegularExpression';
    assert.deepEqual(path({ type, service: 'a|b', method: 'G.*' }), { type, value: '/(?:a|b)/(?:G.*)' });
    assert.deepEqual(path({ type, service: 'a' }), { type, value: '/(?:a)/[^/]+' });
  });

  it('names a method in any characters, as itself', () => {
    assert.deepEqual(path({ method: 'Gé.t_' }), { type: 'RegularExpression', value: '/[^/]+/Gé\\.t_' });
  });

  it('has no regular expressions that are too large together', () => {
    const method = { type: 'RegularExpression', service: 'a.{700}', method: 'b.{700}' };
    const reading = readObject(route([{ matches: [{ method }] }]), () => ({ file: '', line: 1, column: 1 }));
    assert.deepEqual(reading.kind === 'refused' && reading.problems.map(({ field }) => field), [
      'spec.rules[0].matches[0].method.method',
    ]);
  });

  it('needs a service or a method where it matches one', () => {
    const reading = readObject(route([{ matches: [{ method: {} }] }]), () => ({ file: '', line: 1, column: 1 }));
    assert.deepEqual(reading.kind === 'refused' && reading.problems.map(({ field }) => field), [
      'spec.rules[0].matches[0].method',
    ]);
  });
});
