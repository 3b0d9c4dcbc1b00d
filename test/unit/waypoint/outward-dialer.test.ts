import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { outwardDialer } from '../../../src/waypoint/outward-dialer.ts';

describe('the dialer of a waypoint', () => {
  const dialled: string[] = [];
  const dialer = outwardDialer({}, async ({ destination }) => {
    dialled.push(destination.address);
    return new Socket();
  });

  it('never connects to its own machine, however that is spelt', async () => {
    for (const address of ['127.0.0.1', '127.8.0.1', '0.0.0.0', '::1', '::', '::ffff:127.0.0.1']) {
      const result = await dialer.dial({ address, port: 15_000 });
      assert.match(result.ok ? '' : result.error.message, /is the waypoint itself/, address);
    }
    assert.deepEqual(dialled, []);
  });

  it('connects to others, and says why it could not', async () => {
    for (const address of ['10.0.0.1', 'fd00::1', '169.254.20.10']) {
      assert.ok((await dialer.dial({ address, port: 80 })).ok);
    }
    assert.deepEqual(dialled, ['10.0.0.1', 'fd00::1', '169.254.20.10']);
    const refused = await outwardDialer({}, () => Promise.reject(new Error('refused'))).dial({
      address: '10.0.0.1',
      port: 80,
    });
    assert.match(refused.ok ? '' : refused.error.message, /connection failed: refused/);
  });
});
