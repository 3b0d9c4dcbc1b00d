/** Waypoints as people see them: Gateways of the waypoint classes, read and written (facts l7-and-control 5.1). */
import { AmbitError } from '../base/errors.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { KubeError } from '../kube/kube-error.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { GATEWAYS } from '../kube/resource-kind.ts';
import { HBONE_PORT } from '../model/gateway-address.ts';
import { fieldsOf, isRecord } from '../model/manifest/field-reader.ts';
import { WAYPOINT_CLASSES } from '../model/manifest/gateway.ts';

/** What a waypoint is asked for with. */
export interface WaypointRequest {
  readonly name: string;
  /** Undefined: left to whoever applies it. */
  readonly namespace: string | undefined;
  /** Undefined: as its class says. */
  readonly waypointFor: string | undefined;
  readonly revision: string | undefined;
}

/** What there is to say about a waypoint. */
export interface WaypointSummary {
  readonly namespace: string;
  readonly name: string;
  readonly revision: string;
  readonly for: string;
  /** `True`, `False`, or `Unknown` while nobody has looked at this version. */
  readonly programmed: string;
  readonly reason: string;
  readonly message: string;
  /** Whether it cannot become ready as it is written. */
  readonly refused: boolean;
}

export type WaypointErrorCode =
  | 'WAYPOINT_API_FAILED'
  | 'WAYPOINT_ARGUMENTS'
  | 'WAYPOINT_NAME_TAKEN'
  | 'WAYPOINT_NOT_FOUND'
  | 'WAYPOINT_NOT_READY'
  | 'WAYPOINT_OTHER_IN_USE'
  | 'GATEWAY_API_MISSING';

const WAYPOINT_CLASS = 'istio-waypoint';
const FOR_LABEL = 'istio.io/waypoint-for';
const REVISION_LABEL = 'istio.io/rev';

/** The Gateway that asks for a waypoint. */
export function waypointManifest({ name, namespace, waypointFor, revision }: WaypointRequest): KubeObject {
  const labels = {
    ...(waypointFor === undefined ? {} : { [FOR_LABEL]: waypointFor }),
    ...(revision === undefined ? {} : { [REVISION_LABEL]: revision }),
  };
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(Object.keys(labels).length === 0 ? {} : { labels }),
    },
    spec: {
      gatewayClassName: WAYPOINT_CLASS,
      listeners: [{ name: 'mesh', port: HBONE_PORT, protocol: 'HBONE' }],
    },
  };
}

export function isWaypointGateway(object: KubeObject): boolean {
  return WAYPOINT_CLASSES.has(String(fieldsOf(object['spec'])['gatewayClassName']));
}

/** By namespace and name. @param namespace undefined: all @throws AmbitError */
export async function listWaypoints(client: KubeClient, namespace: string | undefined): Promise<KubeObject[]> {
  const found = await client.listAll(GATEWAYS, namespace === undefined ? {} : { namespace });
  if (!found.ok) throw gatewayFailure('Gateways cannot be listed', found.error);
  const keyOf = ({ metadata }: KubeObject) => `${metadata.namespace}/${metadata.name}`;
  return found.value.filter(isWaypointGateway).sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

export function summaryOf({ metadata, ...object }: KubeObject): WaypointSummary {
  const listed = fieldsOf(object['status'])['conditions'];
  const current = (Array.isArray(listed) ? listed.filter(isRecord) : []).filter(
    // A condition without a generation is about the present one.
    ({ observedGeneration = metadata.generation }) => observedGeneration === metadata.generation,
  );
  const programmed = current.find(({ type }) => type === 'Programmed');
  const refused = current.some(({ type, status }) => type === 'Accepted' && status === 'False');
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    revision: metadata.labels?.[REVISION_LABEL] ?? 'default',
    for: metadata.labels?.[FOR_LABEL] ?? '',
    programmed: String(programmed?.['status'] ?? 'Unknown'),
    reason: String(programmed?.['reason'] ?? 'Pending'),
    message: String(programmed?.['message'] ?? 'Waiting for controller'),
    refused,
  };
}

/** What the API server answered about Gateways, with what to do where the kind is not there. */
export function gatewayFailure(what: string, error: KubeError): AmbitError<WaypointErrorCode> {
  // A missing namespace is named in the answer; of a kind that is missing the API server says nothing more.
  if (error.isNotFound && !error.message.includes('namespaces "')) {
    return new AmbitError<WaypointErrorCode>(
      'GATEWAY_API_MISSING',
      `${what}: the cluster does not have the Gateway API; install its CRDs (https://gateway-api.sigs.k8s.io)`,
      { cause: error },
    );
  }
  return new AmbitError<WaypointErrorCode>('WAYPOINT_API_FAILED', `${what}: ${error.message}`, { cause: error });
}
