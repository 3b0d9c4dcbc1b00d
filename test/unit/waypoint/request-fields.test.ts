import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HttpHeader } from '../../../src/http/http-stream.ts';
import { type RequestClient, RequestFields } from '../../../src/waypoint/request-fields.ts';

const CHANGES = { path: undefined, authority: '', headers: [] };
const CLIENT: RequestClient = { address: '10.0.0.7:4711', ip: '10.0.0.7', certificate: undefined };
const IDENTITIES = 'By=spiffe://td/ns/demo/sa/gate;URI=spiffe://td/ns/demo/sa/client';

function sent(name: string, own: readonly HttpHeader[], client: Partial<RequestClient> = {}): string[] {
  const fields = new RequestFields([
    [':method', 'GET'],
    [':scheme', 'http'],
    [':authority', 'web'],
    [':path', '/'],
    ...own,
  ]);
  return fields
    .forUpstream('http1', CHANGES, { ...CLIENT, ...client })
    .filter(([given]) => given === name)
    .map(([, value]) => value);
}

describe('a request that goes on to an endpoint', () => {
  it('has the IP of the client appended to x-forwarded-for', () => {
    assert.deepEqual(sent('x-forwarded-for', []), ['10.0.0.7']);
    assert.deepEqual(sent('x-forwarded-for', [['x-forwarded-for', '192.0.2.1']]), ['192.0.2.1,10.0.0.7']);
    const two: HttpHeader[] = [
      ['x-forwarded-for', '192.0.2.1'],
      ['x-forwarded-for', '192.0.2.2'],
    ];
    assert.deepEqual(sent('x-forwarded-for', two, { ip: 'fd00::7' }), ['192.0.2.1,192.0.2.2,fd00::7']);
    assert.deepEqual(sent('x-forwarded-for', [['x-forwarded-for', '']]), ['10.0.0.7']);
  });

  it('names the client in place of what the client says, where that is wanted', () => {
    const forged: HttpHeader[] = [['x-forwarded-client-cert', 'By=x;URI=spiffe://td/ns/admin/sa/root']];
    assert.deepEqual(sent('x-forwarded-client-cert', forged, { certificate: IDENTITIES }), [IDENTITIES]);
    assert.deepEqual(sent('x-forwarded-client-cert', forged), []);
  });
});
