/** The API server as the source of objects: one reflector for each kind that the mesh uses. */
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { allSynced, Reflector } from '../kube/reflector.ts';
import {
  AUTHORIZATION_POLICIES,
  DESTINATION_RULES,
  ENDPOINT_SLICES,
  GATEWAY_CLASSES,
  GATEWAYS,
  GRPC_ROUTES,
  HTTP_ROUTES,
  NAMESPACES,
  NODES,
  PEER_AUTHENTICATIONS,
  PODS,
  REFERENCE_GRANTS,
  REQUEST_AUTHENTICATIONS,
  SERVICE_ENTRIES,
  SERVICES,
  TCP_ROUTES,
  TELEMETRIES,
  TLS_ROUTES,
  VIRTUAL_SERVICES,
  WORKLOAD_ENTRIES,
} from '../kube/resource-kind.ts';
import type { IntakeKind, KubeIntake } from './kube-intake.ts';
import { slimPod, slimToMetadata, slimToSpec } from './slim-object.ts';

interface SourceKind extends IntakeKind {
  readonly olderVersions?: readonly string[];
  readonly labelSelector?: string;
  readonly slim: (object: KubeObject) => KubeObject;
}

export interface KubeSourceDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  readonly intake: KubeIntake;
  /** Sees each object whole, before it is cut down; undefined when it is gone. */
  readonly observe?: (kind: IntakeKind, object: KubeObject, gone: boolean) => void;
}

const OLDER_ISTIO = ['v1beta1', 'v1alpha3'];
const KINDS: readonly SourceKind[] = [
  { resource: NAMESPACES, kind: 'Namespace', slim: slimToMetadata },
  { resource: NODES, kind: 'Node', slim: slimToMetadata },
  { resource: PODS, kind: 'Pod', slim: slimPod },
  { resource: SERVICES, kind: 'Service', slim: slimToSpec },
  {
    resource: ENDPOINT_SLICES,
    kind: 'EndpointSlice',
    // What Kubernetes derives from pods is derived here, too, and sooner.
    labelSelector: 'endpointslice.kubernetes.io/managed-by!=endpointslice-controller.k8s.io',
    slim: slimToSpec,
  },
  { resource: PEER_AUTHENTICATIONS, kind: 'PeerAuthentication', olderVersions: ['v1beta1'], slim: slimToSpec },
  { resource: AUTHORIZATION_POLICIES, kind: 'AuthorizationPolicy', olderVersions: ['v1beta1'], slim: slimToSpec },
  { resource: REQUEST_AUTHENTICATIONS, kind: 'RequestAuthentication', olderVersions: ['v1beta1'], slim: slimToSpec },
  { resource: TELEMETRIES, kind: 'Telemetry', olderVersions: ['v1alpha1'], slim: slimToSpec },
  { resource: SERVICE_ENTRIES, kind: 'ServiceEntry', olderVersions: OLDER_ISTIO, slim: slimToSpec },
  { resource: WORKLOAD_ENTRIES, kind: 'WorkloadEntry', olderVersions: OLDER_ISTIO, slim: slimToSpec },
  { resource: VIRTUAL_SERVICES, kind: 'VirtualService', olderVersions: OLDER_ISTIO, slim: slimToSpec },
  { resource: DESTINATION_RULES, kind: 'DestinationRule', olderVersions: OLDER_ISTIO, slim: slimToSpec },
  { resource: GATEWAYS, kind: 'Gateway', olderVersions: ['v1beta1'], slim: slimToSpec },
  { resource: GATEWAY_CLASSES, kind: 'GatewayClass', olderVersions: ['v1beta1'], slim: slimToMetadata },
  { resource: HTTP_ROUTES, kind: 'HTTPRoute', olderVersions: ['v1beta1'], slim: slimToSpec },
  { resource: GRPC_ROUTES, kind: 'GRPCRoute', slim: slimToSpec },
  { resource: TCP_ROUTES, kind: 'TCPRoute', olderVersions: ['v1alpha2'], slim: slimToSpec },
  { resource: TLS_ROUTES, kind: 'TLSRoute', olderVersions: ['v1alpha3', 'v1alpha2'], slim: slimToSpec },
  { resource: REFERENCE_GRANTS, kind: 'ReferenceGrant', olderVersions: ['v1beta1'], slim: slimToSpec },
];
/** Bounds what one answer takes in memory: whole pods are ten times what is kept of them. */
const PAGE_SIZE = 100;
const SYNC_WARNING_MS = 30_000;

export class KubeSource {
  readonly #deps: KubeSourceDeps;
  readonly #reflectors = new Map<string, Reflector>();

  constructor(deps: KubeSourceDeps) {
    this.#deps = deps;
    for (const kind of KINDS) this.#reflectors.set(kind.resource.plural, this.#reflect(kind));
  }

  /** Starts to read. Resolves when every kind is known completely, or the signal aborts; what is missing is logged. */
  async start(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#deps;
    for (const reflector of this.#reflectors.values()) reflector.start();
    const aborted = new Promise<undefined>((resolve) => {
      signal.addEventListener('abort', () => resolve(undefined), { once: true });
    });
    while (!signal.aborted) {
      const done = await Promise.race([allSynced(this.#reflectors, SYNC_WARNING_MS, clock), aborted]);
      if (done === undefined || done.ok) return;
      logger.warn('waiting for objects of the API server', { missing: done.error.join(' ') });
    }
  }

  get isSynced(): boolean {
    return [...this.#reflectors.values()].every(({ hasSynced }) => hasSynced);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#reflectors.values()].map((reflector) => reflector.stop()));
  }

  #reflect(kind: SourceKind): Reflector {
    const { client, clock, logger, random, intake, observe } = this.#deps;
    const { resource, olderVersions, labelSelector } = kind;
    return new Reflector(
      {
        kind: resource,
        pageSize: PAGE_SIZE,
        ...(olderVersions === undefined ? {} : { olderVersions }),
        ...(labelSelector === undefined ? {} : { labelSelector }),
        transform: (object) => {
          observe?.(kind, object, false);
          return kind.slim(object);
        },
      },
      { client, clock, logger, random },
      {
        replace: (objects) => intake.replace(kind, objects),
        upsert: (object) => intake.upsert(kind, object),
        remove: (object) => {
          observe?.(kind, object, true);
          intake.remove(kind, object);
        },
      },
    );
  }
}
