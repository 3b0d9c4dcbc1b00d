/**
 * What a waypoint consists of besides its Gateway, wherever it runs: names, labels, ports, account and Service
 * (facts l7-and-control 5.2).
 */
import { HBONE_PORT } from './gateway-address.ts';
import type { GatewayObject } from './manifest/gateway.ts';

/** The label of everything that belongs to a gateway. */
export const GATEWAY_NAME_LABEL = 'gateway.networking.k8s.io/gateway-name';
export const WAYPOINT_READINESS_PORT = 15021;
/** The pod's only container. */
export const WAYPOINT_CONTAINER = 'istio-proxy';

/** The labels of the pods of a waypoint. */
export function waypointPodLabels({ meta, className }: GatewayObject): Readonly<Record<string, string>> {
  return {
    [GATEWAY_NAME_LABEL]: meta.name,
    'gateway.networking.k8s.io/gateway-class-name': className,
    'networking.istio.io/tunnel': 'http',
    'istio.io/dataplane-mode': 'none',
    'sidecar.istio.io/inject': 'false',
    'service.istio.io/canonical-name': meta.name,
  };
}

export function waypointAccount({ meta: { namespace, name } }: GatewayObject): object {
  return { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace, labels: ownLabels(name) } };
}

export function waypointService({ meta: { namespace, name }, listeners }: GatewayObject): object {
  const mesh = listeners.find(({ protocol }) => protocol === 'HBONE');
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name,
      namespace,
      labels: ownLabels(name),
      annotations: { 'networking.istio.io/traffic-distribution': 'PreferClose' },
    },
    spec: {
      type: 'ClusterIP',
      ipFamilyPolicy: 'PreferDualStack',
      selector: ownLabels(name),
      ports: [
        { name: 'status-port', port: WAYPOINT_READINESS_PORT, protocol: 'TCP', appProtocol: 'tcp' },
        {
          name: mesh?.name || 'mesh',
          port: mesh?.port || HBONE_PORT,
          targetPort: HBONE_PORT,
          protocol: 'TCP',
          appProtocol: 'hbone',
        },
      ],
    },
  };
}

function ownLabels(name: string): Readonly<Record<string, string>> {
  return { [GATEWAY_NAME_LABEL]: name };
}
