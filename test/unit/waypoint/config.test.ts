import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readWaypointConfig } from '../../../src/waypoint/config.ts';

const REQUIRED = { POD_NAME: 'gate-1', POD_NAMESPACE: 'demo', SERVICE_ACCOUNT: 'gate', GATEWAY_NAME: 'gate' };

describe('the configuration of a waypoint', () => {
  it('names clients to endpoints only when it is told to', () => {
    assert.equal(readWaypointConfig(REQUIRED).includeClientIdentity, false);
    const told = { ...REQUIRED, XFCC_INCLUDE_CLIENT_IDENTITY: 'true' };
    assert.equal(readWaypointConfig(told).includeClientIdentity, true);
  });

  it('names every variable that is missing', () => {
    assert.throws(() => readWaypointConfig({}), /POD_NAME is not set[\s\S]*GATEWAY_NAME is not set/);
  });
});
