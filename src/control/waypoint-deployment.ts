/** The Deployment that runs a waypoint on a cluster (facts l7-and-control 5.2). */
import { HBONE_PORT } from '../model/gateway-address.ts';
import { ROOT_CONFIG_MAP } from '../model/installed-names.ts';
import type { GatewayObject } from '../model/manifest/gateway.ts';
import {
  includesClientIdentity,
  WAYPOINT_CONTAINER,
  WAYPOINT_ENVOY_METRICS_PORT,
  WAYPOINT_METRICS_PORT,
  WAYPOINT_READINESS_PORT,
  waypointMeta,
  waypointPodLabels,
  waypointSelector,
} from '../model/waypoint-objects.ts';

/** How waypoints of this cluster are started. */
export interface WaypointRuntime {
  readonly image: string;
  readonly imagePullPolicy: string;
  /** `https://<service>.<namespace>.svc:15012`. */
  readonly controlAddress: string;
  readonly clusterId: string;
  readonly network: string;
}

const TOKEN_FOLDER = '/var/run/secrets/tokens';
const ROOT_FOLDER = '/var/run/secrets/istio';
const USER_ID = 1337;
/** Prometheus finds pods by them. */
const SCRAPED = {
  'prometheus.io/scrape': 'true',
  'prometheus.io/port': String(WAYPOINT_METRICS_PORT),
  'prometheus.io/path': '/stats/prometheus',
};
/** Kubelet renews it at four fifths of its life. */
const TOKEN_SECONDS = 43_200;

export function waypointDeployment(gateway: GatewayObject, trustDomain: string, runtime: WaypointRuntime): object {
  const { name } = gateway.meta;
  const annotations = { ...SCRAPED, ...Object.fromEntries(gateway.infrastructure.annotations) };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: waypointMeta(gateway),
    spec: {
      selector: { matchLabels: waypointSelector(name) },
      template: {
        metadata: { labels: waypointPodLabels(gateway), annotations },
        spec: {
          serviceAccountName: name,
          securityContext: { runAsNonRoot: true, runAsUser: USER_ID, runAsGroup: USER_ID },
          containers: [container(gateway, trustDomain, runtime)],
          volumes: [
            {
              name: 'istio-token',
              projected: {
                sources: [
                  {
                    serviceAccountToken: {
                      path: 'istio-token',
                      audience: 'istio-ca',
                      expirationSeconds: TOKEN_SECONDS,
                    },
                  },
                ],
              },
            },
            { name: 'istiod-ca-cert', configMap: { name: ROOT_CONFIG_MAP } },
          ],
        },
      },
    },
  };
}

function container(gateway: GatewayObject, trustDomain: string, runtime: WaypointRuntime): object {
  const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  const probe = { httpGet: { path: '/healthz/ready', port: WAYPOINT_READINESS_PORT } };
  return {
    name: WAYPOINT_CONTAINER,
    image: runtime.image,
    imagePullPolicy: runtime.imagePullPolicy,
    terminationMessagePolicy: 'FallbackToLogsOnError',
    args: ['proxy', 'waypoint'],
    env: [
      field('POD_NAME', 'metadata.name'),
      field('POD_NAMESPACE', 'metadata.namespace'),
      field('NODE_NAME', 'spec.nodeName'),
      field('INSTANCE_IP', 'status.podIP'),
      field('SERVICE_ACCOUNT', 'spec.serviceAccountName'),
      { name: 'GATEWAY_NAME', value: gateway.meta.name },
      { name: 'CLUSTER_ID', value: runtime.clusterId },
      { name: 'NETWORK', value: runtime.network },
      { name: 'TRUST_DOMAIN', value: trustDomain },
      { name: 'XDS_ADDRESS', value: runtime.controlAddress },
      { name: 'XDS_ROOT_CA', value: `${ROOT_FOLDER}/root-cert.pem` },
      { name: 'AUTH_TOKEN', value: `${TOKEN_FOLDER}/istio-token` },
      { name: 'XFCC_INCLUDE_CLIENT_IDENTITY', value: String(includesClientIdentity(gateway)) },
    ],
    ports: [
      { name: 'mesh', containerPort: HBONE_PORT },
      { name: 'metrics', containerPort: WAYPOINT_METRICS_PORT },
      { name: 'status-port', containerPort: WAYPOINT_READINESS_PORT },
      { name: 'http-envoy-prom', containerPort: WAYPOINT_ENVOY_METRICS_PORT },
    ],
    startupProbe: { ...probe, periodSeconds: 1, failureThreshold: 30 },
    readinessProbe: { ...probe, periodSeconds: 5 },
    resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { cpu: '2', memory: '1Gi' } },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    },
    volumeMounts: [
      { name: 'istio-token', mountPath: TOKEN_FOLDER },
      { name: 'istiod-ca-cert', mountPath: ROOT_FOLDER },
    ],
  };
}
