/** Waypoints of the manifests: the pods that run them (facts l7-and-control 5.2). */
import { HBONE_PORT } from '../model/gateway-address.ts';
import { type GatewayObject, isWaypoint } from '../model/manifest/gateway.ts';
import type { Container } from '../model/manifest/pod.ts';
import {
  includesClientIdentity,
  WAYPOINT_CONTAINER,
  WAYPOINT_READINESS_PORT,
  waypointPodLabels,
} from '../model/waypoint-objects.ts';
import { contentHash, type PodGroup } from './pod-plan.ts';

/** What a waypoint process is started with. */
export interface WaypointProgram {
  /** The program and first arguments of `ambit`. */
  readonly ambit: readonly string[];
  readonly controlAddress: string;
  readonly controlHostname: string;
  readonly controlRootCa: string;
  readonly clusterId: string;
  readonly ipv6: boolean;
  /** The file with the token of the waypoint's account. */
  tokenFile(namespace: string, name: string): string;
}

/** The one pod of a waypoint; undefined when the gateway is none. */
export function groupOfWaypoint(
  gateway: GatewayObject,
  program: WaypointProgram,
  folder: string,
): PodGroup | undefined {
  if (!isWaypoint(gateway)) return undefined;
  const { meta, infrastructure } = gateway;
  const { namespace, name } = meta;
  const spec = {
    nodeName: '',
    nodeSelector: new Map<string, string>(),
    hostNetwork: false,
    serviceAccount: name,
    restartPolicy: 'Always' as const,
    containers: [container(gateway, program)],
  };
  const hash = contentHash([spec, ...infrastructure.labels, ...infrastructure.annotations]);
  return {
    key: `Gateway/${namespace}/${name}`,
    kind: 'Deployment',
    namespace,
    name,
    replicas: 1,
    hash,
    labels: new Map([...Object.entries(waypointPodLabels(gateway)), ['pod-template-hash', hash]]),
    annotations: infrastructure.annotations,
    spec,
    folder,
  };
}

function container(gateway: GatewayObject, program: WaypointProgram): Container {
  const { namespace, name } = gateway.meta;
  const port = (named: string, number: number) => ({ name: named, port: number, protocol: 'TCP' as const });
  return {
    name: WAYPOINT_CONTAINER,
    image: 'ambit',
    ports: [port('mesh', HBONE_PORT), port('status-port', WAYPOINT_READINESS_PORT)],
    command: [...program.ambit, 'proxy', 'waypoint'],
    args: [],
    env: new Map([
      ['GATEWAY_NAME', name],
      ['SERVICE_ACCOUNT', name],
      ['CLUSTER_ID', program.clusterId],
      ['XDS_ADDRESS', program.controlAddress],
      ['XDS_ROOT_CA', program.controlRootCa],
      ['ALT_XDS_HOSTNAME', program.controlHostname],
      ['AUTH_TOKEN', program.tokenFile(namespace, name)],
      ['IPV6_ENABLED', String(program.ipv6)],
      ['XFCC_INCLUDE_CLIENT_IDENTITY', String(includesClientIdentity(gateway))],
      // Pods of `ambit up` have two seconds to end: it tells its clients and is gone before that.
      ['CONNECTION_TERMINATION_DEADLINE', '1500ms'],
    ]),
    envFields: new Map([
      ['POD_NAME', 'metadata.name'],
      ['POD_NAMESPACE', 'metadata.namespace'],
      ['NODE_NAME', 'spec.nodeName'],
      ['INSTANCE_IP', 'status.podIP'],
    ]),
    workingDir: '',
    readinessProbe: { kind: 'http', port: WAYPOINT_READINESS_PORT, path: '/healthz/ready', periodMs: 1000, delayMs: 0 },
  };
}
