/** Gateways of waypoints, as the API server has them and as they are read. */
import assert from 'node:assert/strict';
import type { GatewayObject } from '../../src/model/manifest/gateway.ts';
import { readObject } from '../../src/model/manifest/read-object.ts';

export interface WaypointGatewayFields {
  readonly listeners?: readonly object[];
  readonly infrastructure?: object;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly className?: string;
}

/** `demo/gate`. */
export function waypointGatewayManifest(fields: WaypointGatewayFields = {}) {
  const {
    listeners = [{ name: 'mesh', port: 15008, protocol: 'HBONE' }],
    infrastructure,
    annotations = {},
    labels = {},
  } = fields;
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name: 'gate', namespace: 'demo', uid: 'gate-uid', labels, annotations },
    spec: {
      gatewayClassName: fields.className ?? 'istio-waypoint',
      listeners,
      ...(infrastructure === undefined ? {} : { infrastructure }),
    },
  };
}

export function waypointGateway(fields: WaypointGatewayFields = {}): GatewayObject {
  const reading = readObject(waypointGatewayManifest(fields), () => ({ file: '', line: 1, column: 1 }));
  assert.ok(reading.kind === 'accepted' && reading.object.kind === 'Gateway');
  return reading.object;
}
