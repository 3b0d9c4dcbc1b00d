import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { endpointText, fromConnectError, fromListenError } from '../../../src/net/from-node-error.ts';

const system = (code: string) => Object.assign(new Error(code), { code });
const endpoint = { address: 'fd00::1', port: 80 };

describe('errors of node:net', () => {
  it('become codes with the side at fault', () => {
    assert.equal(fromConnectError(system('ETIMEDOUT'), endpoint).code, 'CONNECT_TIMEOUT');
    assert.equal(fromConnectError(system('EHOSTUNREACH'), endpoint).side, 'upstream');
    assert.equal(fromConnectError(system('EMFILE'), endpoint).side, 'internal');
    assert.equal(fromConnectError(new Error('odd'), endpoint).code, 'CONNECT_FAILED');
    assert.equal(fromListenError(system('EADDRINUSE'), endpoint).code, 'LISTEN_ADDRESS_IN_USE');
  });

  it('put IPv6 addresses in brackets', () => {
    assert.equal(endpointText(endpoint), '[fd00::1]:80');
    assert.match(fromConnectError(system('ECONNREFUSED'), endpoint).message, /\[fd00::1\]:80/);
  });
});
