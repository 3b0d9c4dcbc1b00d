import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { buildHeaders, unsupportedHeaders } from '../../../../../src/control/l7/virtual-service/header-changes.ts';

describe('changes of headers in a VirtualService', () => {
  it('that set what waypoints cannot fill in take away what the client sent', () => {
    const set = { 'X-Path': '%ENVIRONMENT(PATH)%', 'x-a': 'b' };
    const add = { 'x-added': '%ENVIRONMENT(PATH)%' };
    const { request } = buildHeaders({ request: { set, add, remove: ['X-Gone'] } });
    assert.deepEqual(request, { set: [{ name: 'x-a', value: 'b' }], add: [], remove: ['x-gone', 'x-path'] });
    assert.deepEqual(
      unsupportedHeaders({ request: { set, add } }).map(({ name }) => name),
      ['X-Path', 'x-added'],
    );
  });

  it('of what belongs to the connection are remarked, as they are not made', () => {
    const found = unsupportedHeaders({
      request: { set: { 'Content-Length': '1', host: 'a' }, remove: ['transfer-encoding'] },
      response: { add: { connection: 'close' } },
    });
    assert.deepEqual(found.map(({ name, reason }) => `${name}: ${reason}`).sort(), [
      'Content-Length: it belongs to the connection',
      'connection: it belongs to the connection',
      'transfer-encoding: it belongs to the connection',
    ]);
  });
});
