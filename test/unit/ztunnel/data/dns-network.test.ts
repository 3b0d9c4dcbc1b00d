import assert from 'node:assert/strict';
import { it } from 'node:test';
import { AmbitError } from '../../../../src/base/errors.ts';
import { lacksIpv6 } from '../../../../src/ztunnel/data/dns-network.ts';

it('lacksIpv6 tells a missing address or family from a port that is taken', () => {
  assert.equal(lacksIpv6(new AmbitError('NATIVE_ADDRESS_UNAVAILABLE', 'x')), true);
  assert.equal(lacksIpv6(new AmbitError('NATIVE_UNSUPPORTED', 'x')), true);
  assert.equal(lacksIpv6(new AmbitError('LISTEN_ADDRESS_UNAVAILABLE', 'x')), true);
  const cause = Object.assign(new Error('x'), { code: 'EAFNOSUPPORT' });
  assert.equal(lacksIpv6(new AmbitError('LISTEN_FAILED', 'x', { cause })), true);
  assert.equal(lacksIpv6(new AmbitError('NATIVE_ADDRESS_IN_USE', 'x')), false);
  assert.equal(lacksIpv6(new AmbitError('LISTEN_FAILED', 'x')), false);
  assert.equal(lacksIpv6(new Error('x')), false);
});
