import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { listenerRefusal, type WaypointState, waypointStatus } from '../../../src/control/waypoint-status.ts';
import { waypointGateway } from '../../helpers/waypoint-gateway.ts';

const NOW = '2026-01-01T00:00:00Z';
const READY: WaypointState = {
  hostname: 'gate.demo.svc.cluster.local',
  refused: undefined,
  problem: undefined,
  isReady: true,
  generation: 1,
};

type Condition = { readonly type: string; readonly status: string; readonly reason: string };

interface Status {
  readonly conditions: readonly Condition[];
  readonly listeners: readonly { readonly conditions: readonly Condition[] }[];
}

const textsOf = (conditions: readonly Condition[]) =>
  conditions.map(({ type, status, reason }) => `${type} ${status} ${reason}`);

describe('the status of a waypoint', () => {
  it('is written when something changed, and only then', () => {
    const status = waypointStatus(waypointGateway(), READY, undefined, NOW);
    assert.equal(waypointStatus(waypointGateway(), READY, status, NOW), undefined);
    assert.ok(waypointStatus(waypointGateway(), { ...READY, isReady: false }, status, NOW));
  });

  it('blames the listener for a wrong protocol, and the Gateway for wrong parameters', () => {
    const protocol = { reason: 'UnsupportedProtocol', message: 'm' } as const;
    const wrong = waypointStatus(waypointGateway(), { ...READY, refused: protocol }, undefined, NOW) as Status;
    assert.deepEqual(textsOf(wrong.conditions), ['Accepted False UnsupportedProtocol', 'Programmed False Invalid']);
    assert.ok(textsOf(wrong.listeners[0]?.conditions ?? []).includes('Accepted False UnsupportedProtocol'));
    const parameters = { reason: 'InvalidParameters', message: 'm' } as const;
    const other = waypointStatus(waypointGateway(), { ...READY, refused: parameters }, undefined, NOW) as Status;
    assert.deepEqual(textsOf(other.conditions), ['Accepted False InvalidParameters', 'Programmed False Invalid']);
    assert.ok(textsOf(other.listeners[0]?.conditions ?? []).includes('Accepted True Accepted'));
  });

  it('accepts one listener for HBONE on 15008 and nothing else', () => {
    const mesh = { name: 'mesh', port: 15008, protocol: 'HBONE' };
    assert.equal(listenerRefusal(waypointGateway({ listeners: [mesh] })), undefined);
    for (const listeners of [
      [],
      [mesh, { ...mesh, name: 'b' }],
      [{ ...mesh, port: 80 }],
      [{ ...mesh, protocol: 'TCP' }],
    ]) {
      const refusal = listenerRefusal(waypointGateway({ listeners }));
      assert.equal(refusal?.message, 'Expected a single listener on port 15008 with protocol "HBONE"');
    }
  });
});
