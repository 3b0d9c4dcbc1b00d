/** Service and ServiceEntry objects to the services of the feed (facts ztunnel-wire 5.8). */

import type { ServiceHints } from '../model/feed-encode.ts';
import type { ServiceObject } from '../model/manifest/kubernetes-service.ts';
import { keyOf } from '../model/manifest/manifest-object.ts';
import type { Labels } from '../model/manifest/object-meta.ts';
import type { ServiceEntryObject } from '../model/manifest/service-entry.ts';
import { sessionOfLabels } from '../model/manifest/session-persistence.ts';
import { createService, type LoadBalancing, type LoadBalancingScope, type Service } from '../model/service.ts';
import type { AppProtocol } from '../proto/gen/workload.ts';
import { appProtocolOf, isGrpcWebPort } from './app-protocol.ts';
import type { BuildContext } from './build-context.ts';
import { serviceHostname } from './mesh-options.ts';
import { familiesOf } from './service-vips.ts';
import { bindCanary, bindWaypoint } from './waypoint-binding.ts';

export interface BuiltService {
  readonly service: Service;
  readonly hints: ServiceHints;
  /** Something the author should know; undefined when all is well. */
  readonly note: string | undefined;
}

const DISTRIBUTION_ANNOTATION = 'networking.istio.io/traffic-distribution';
const INGRESS_LABEL = 'istio.io/ingress-use-waypoint';
const SAME_ZONE: readonly LoadBalancingScope[] = ['Network', 'Region', 'Zone'];
const SAME_NODE: readonly LoadBalancingScope[] = ['Network', 'Region', 'Zone', 'Subzone', 'Node'];

/** A Kubernetes Service; undefined for an ExternalName, which is not part of the feed. */
export function buildService(context: BuildContext, object: ServiceObject): BuiltService | undefined {
  if (object.type === 'ExternalName') return undefined;
  const { store, mesh, vips } = context;
  const { meta } = object;
  const addresses = vips.ofService(keyOf(object), object);
  const { waypoint, reason } = bindWaypoint(store, mesh, meta, meta.labels, 'service');
  const ports = object.ports.filter((port) => port.protocol === 'TCP');
  const service = createService({
    name: meta.name,
    namespace: meta.namespace,
    hostname: serviceHostname(mesh, meta.namespace, meta.name),
    vips: addresses.map((address) => ({ network: mesh.network, address })),
    // A target of 0 says that each endpoint names its own.
    ports: new Map(ports.map((port) => [port.port, typeof port.targetPort === 'number' ? port.targetPort : 0])),
    waypoint,
    weightedWaypoints: bindCanary(store, mesh, meta, waypoint),
    loadBalancer: loadBalancingOf(context, object),
    ipFamilies: familiesOf(addresses) ?? declaredFamilies(object),
    canonical: true,
  });
  const protocols = ports.map((port) => [port.port, appProtocolOf(port.port, port.name, port.appProtocol)] as const);
  const grpcWebPorts = ports.filter((port) => isGrpcWebPort(port.name, port.appProtocol)).map(({ port }) => port);
  const hints = { ...hintsOf(context, object, protocols), grpcWebPorts };
  return { service, hints, note: joined(reason, meta.labels) };
}

/** What is wrong with the waypoint, and with the sessions that labels ask for. */
function joined(reason: string | undefined, labels: Labels): string | undefined {
  const { problem } = sessionOfLabels(labels);
  return reason === undefined || problem === undefined ? (reason ?? problem) : `${reason}; ${problem}`;
}

/** One service per host of a ServiceEntry. */
export function buildServiceEntry(context: BuildContext, entry: ServiceEntryObject): BuiltService[] {
  const { store, mesh, vips } = context;
  const { meta } = entry;
  const { waypoint, reason } = bindWaypoint(store, mesh, meta, meta.labels, 'service');
  const protocols = entry.ports.map(
    (port) => [port.number, appProtocolOf(port.number, port.name, port.protocol)] as const,
  );
  const grpcWebPorts = entry.ports
    .filter((port) => isGrpcWebPort(port.name, port.protocol))
    .map(({ number }) => number);
  const hints = { ...hintsOf(context, entry, protocols), grpcWebPorts };
  return entry.hosts.map((hostname) => ({
    service: createService({
      name: meta.name,
      namespace: meta.namespace,
      hostname,
      vips: vips.ofServiceEntry(keyOf(entry), entry, hostname).map((address) => ({ network: mesh.network, address })),
      cidrVips: entry.cidrs.map((cidr) => ({ network: mesh.network, cidr })),
      ports: new Map(entry.ports.map((port) => [port.number, port.targetPort || port.number])),
      subjectAltNames: entry.subjectAltNames,
      waypoint,
      weightedWaypoints: bindCanary(store, mesh, meta, waypoint),
      loadBalancer: entryLoadBalancing(context, entry),
    }),
    hints,
    note: joined(reason, meta.labels),
  }));
}

function entryLoadBalancing(context: BuildContext, entry: ServiceEntryObject): LoadBalancing | undefined {
  if (entry.resolution === 'NONE') {
    return { routingPreferences: [], mode: 'Passthrough', healthPolicy: 'AllowAll' };
  }
  return distribution(context, '', entry, 'OnlyHealthy');
}

function loadBalancingOf(context: BuildContext, object: ServiceObject): LoadBalancing | undefined {
  const healthPolicy = object.publishNotReadyAddresses ? 'AllowAll' : 'OnlyHealthy';
  if (object.internalTrafficPolicy === 'Local') return { routingPreferences: ['Node'], mode: 'Strict', healthPolicy };
  return distribution(context, object.trafficDistribution, object, healthPolicy);
}

/** Precedence: spec, then the object's annotation, then its namespace's. */
function distribution(
  context: BuildContext,
  fromSpec: string,
  object: ServiceObject | ServiceEntryObject,
  healthPolicy: LoadBalancing['healthPolicy'],
): LoadBalancing | undefined {
  const { annotations, namespace } = object.meta;
  const inherited = context.store.get('Namespace', '', namespace)?.meta.annotations.get(DISTRIBUTION_ANNOTATION);
  const wanted = fromSpec === '' ? (annotations.get(DISTRIBUTION_ANNOTATION) ?? inherited ?? '') : fromSpec;
  const routingPreferences = preferencesOf(wanted);
  if (routingPreferences.length > 0) return { routingPreferences, mode: 'Failover', healthPolicy };
  return healthPolicy === 'AllowAll' ? { routingPreferences, mode: 'Standard', healthPolicy } : undefined;
}

function preferencesOf(wanted: string): readonly LoadBalancingScope[] {
  switch (wanted.toLowerCase()) {
    case 'preferclose':
    case 'prefersamezone':
      return SAME_ZONE;
    case 'prefersamenode':
      return SAME_NODE;
    default:
      return [];
  }
}

/** A service that says nothing is single-stack IPv4, as on a Kubernetes cluster whose first family that is. */
function declaredFamilies(object: ServiceObject): Service['ipFamilies'] {
  if (object.families.length > 1) return 'Dual';
  return object.families[0] ?? (object.dualStackWanted ? 'Dual' : 'IPv4');
}

function hintsOf(
  context: BuildContext,
  object: ServiceObject | ServiceEntryObject,
  protocols: readonly (readonly [number, AppProtocol])[],
): Omit<ServiceHints, 'grpcWebPorts'> {
  const { labels, namespace } = object.meta;
  const flag =
    labels.get(INGRESS_LABEL) ?? context.store.get('Namespace', '', namespace)?.meta.labels.get(INGRESS_LABEL);
  return { appProtocols: new Map(protocols), ingressUseWaypoint: flag === 'true' };
}
