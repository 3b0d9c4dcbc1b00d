import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readableAddresses } from '../../../src/cli/readable-addresses.ts';

describe('addresses of the feed', () => {
  it('are shown as people write them, of workloads, services, waypoints and policies', () => {
    const shown = readableAddresses({
      workloads: [{ name: 'CgAAAQ==', addresses: ['CgAAAQ==', '/QAAAAAAAAAAAAAAAAAAAQ=='] }],
      services: [
        { addresses: [{ network: 'west', address: 'CmAAAQ==' }], waypoint: { address: { address: 'CgAAAg==' } } },
      ],
      policies: [{ sourceIps: [{ address: 'CgAAAA==', length: 8 }] }],
    });
    assert.deepEqual(shown, {
      workloads: [{ name: 'CgAAAQ==', addresses: ['10.0.0.1', 'fd00::1'] }],
      services: [
        { addresses: [{ network: 'west', address: '10.96.0.1' }], waypoint: { address: { address: '10.0.0.2' } } },
      ],
      policies: [{ sourceIps: [{ address: '10.0.0.0', length: 8 }] }],
    });
  });

  it('stay as they are where they are none', () => {
    assert.deepEqual(readableAddresses({ address: '10.0.0.1', addresses: ['AAA='] }), {
      address: '10.0.0.1',
      addresses: ['AAA='],
    });
  });
});
