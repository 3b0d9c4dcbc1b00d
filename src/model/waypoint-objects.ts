/**
 * What a waypoint consists of besides its Gateway, wherever it runs: names, labels, ports, account and Service
 * (facts l7-and-control 5.2).
 */
import { HBONE_PORT } from './gateway-address.ts';
import type { GatewayObject } from './manifest/gateway.ts';

/** The label of everything that belongs to a gateway. */
export const GATEWAY_NAME_LABEL = 'gateway.networking.k8s.io/gateway-name';
export const WAYPOINT_READINESS_PORT = 15021;
/** Metrics, and again where monitors of sidecars look for them (facts l7-and-control 7.1). */
export const WAYPOINT_METRICS_PORT = 15020;
export const WAYPOINT_ENVOY_METRICS_PORT = 15090;
/** The pod's only container. */
export const WAYPOINT_CONTAINER = 'istio-proxy';

/** Annotation of a Gateway: endpoints are told who the client is (facts l7-and-control 5.4). */
const CLIENT_IDENTITY = 'ambient.istio.io/xfcc-include-client-identity';

/** Whether the waypoint tells endpoints who the client is. */
export function includesClientIdentity({ meta }: GatewayObject): boolean {
  return meta.annotations.get(CLIENT_IDENTITY) === 'true';
}

/** The labels of the pods of a waypoint. */
export function waypointPodLabels(gateway: GatewayObject): Readonly<Record<string, string>> {
  const { meta, className } = gateway;
  return {
    ...waypointLabels(gateway),
    [GATEWAY_NAME_LABEL]: meta.name,
    'gateway.networking.k8s.io/gateway-class-name': className,
    'networking.istio.io/tunnel': 'http',
    'istio.io/dataplane-mode': 'none',
    'sidecar.istio.io/inject': 'false',
    'service.istio.io/canonical-name': meta.name,
  };
}

/** The labels of everything that is made for a waypoint. */
export function waypointLabels({ meta, infrastructure }: GatewayObject): Readonly<Record<string, string>> {
  return {
    ...Object.fromEntries(infrastructure.labels),
    ...waypointSelector(meta.name),
    'gateway.istio.io/managed': 'istio.io-mesh-controller',
  };
}

/** What tells its pods from others. */
export function waypointSelector(name: string): Readonly<Record<string, string>> {
  return { [GATEWAY_NAME_LABEL]: name };
}

/** Name, labels and annotations of an object that is made for a waypoint (facts l7-and-control 4.2). */
export function waypointMeta(gateway: GatewayObject): Readonly<Record<string, unknown>> {
  const { namespace, name } = gateway.meta;
  const { annotations } = gateway.infrastructure;
  const given = annotations.size === 0 ? {} : { annotations: Object.fromEntries(annotations) };
  return { name, namespace, labels: waypointLabels(gateway), ...given };
}

export function waypointAccount(gateway: GatewayObject): object {
  return { apiVersion: 'v1', kind: 'ServiceAccount', metadata: waypointMeta(gateway) };
}

export function waypointService(gateway: GatewayObject): object {
  const mesh = gateway.listeners.find(({ protocol }) => protocol === 'HBONE');
  const annotations = {
    ...Object.fromEntries(gateway.infrastructure.annotations),
    'networking.istio.io/traffic-distribution': 'PreferClose',
  };
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...waypointMeta(gateway), annotations },
    spec: {
      type: 'ClusterIP',
      ipFamilyPolicy: 'PreferDualStack',
      selector: waypointSelector(gateway.meta.name),
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
