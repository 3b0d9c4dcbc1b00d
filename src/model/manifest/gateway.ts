/** Gateway (gateway.networking.k8s.io) as far as waypoints go (facts l7-and-control 5.1). */
import type { FieldReader } from './field-reader.ts';
import type { Labels, ObjectMeta } from './object-meta.ts';

/** Which traffic a waypoint takes. */
export type WaypointFor = 'service' | 'workload' | 'all' | 'none';

export interface GatewayListener {
  readonly name: string;
  readonly port: number;
  readonly protocol: string;
  /** From which namespaces objects may attach. */
  readonly allowedFrom: 'Same' | 'All' | 'Selector' | 'None';
  /** For `Selector`: labels of the namespace. */
  readonly namespaceSelector: Labels;
}

/** What `spec.infrastructure` asks of the objects that are made for a gateway (facts l7-and-control 4.2). */
export interface GatewayInfrastructure {
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly parametersRef: { readonly group: string; readonly kind: string; readonly name: string } | undefined;
}

export interface GatewayObject {
  readonly kind: 'Gateway';
  readonly meta: ObjectMeta;
  readonly className: string;
  /** Undefined: as its class says. */
  readonly waypointFor: WaypointFor | undefined;
  readonly infrastructure: GatewayInfrastructure;
  readonly listeners: readonly GatewayListener[];
  readonly addresses: readonly { readonly type: string; readonly value: string }[];
}

/** The classes of gateways that are waypoints. */
export const WAYPOINT_CLASSES: ReadonlySet<string> = new Set(['istio-waypoint', 'ambit-waypoint']);

/** Whether the gateway is a waypoint. */
export function isWaypoint(gateway: GatewayObject): boolean {
  return WAYPOINT_CLASSES.has(gateway.className);
}

export function readGateway(meta: ObjectMeta, root: FieldReader): GatewayObject {
  const spec = root.child('spec');
  return {
    kind: 'Gateway',
    meta,
    className: spec.required('gatewayClassName'),
    waypointFor: readWaypointFor(meta.labels),
    infrastructure: readInfrastructure(spec.child('infrastructure')),
    listeners: spec.children('listeners').map(readListener),
    addresses: root
      .child('status')
      .children('addresses')
      .map((entry) => ({ type: entry.string('type') ?? 'IPAddress', value: entry.string('value') ?? '' })),
  };
}

/** Undefined where nothing is said; what is not known counts as `service`. */
export function readWaypointFor(labels: Labels): WaypointFor | undefined {
  const wanted = labels.get('istio.io/waypoint-for');
  if (wanted === undefined) return undefined;
  return wanted === 'workload' || wanted === 'all' || wanted === 'none' ? wanted : 'service';
}

function readInfrastructure(infrastructure: FieldReader): GatewayInfrastructure {
  const reference = infrastructure.child('parametersRef');
  return {
    labels: infrastructure.stringMap('labels'),
    annotations: infrastructure.stringMap('annotations'),
    parametersRef: reference.isPresent
      ? { group: reference.string('group') ?? '', kind: reference.required('kind'), name: reference.required('name') }
      : undefined,
  };
}

function readListener(listener: FieldReader): GatewayListener {
  const namespaces = listener.child('allowedRoutes').child('namespaces');
  const selector = namespaces.child('selector');
  if (selector.has('matchExpressions')) selector.report('matchExpressions', 'is not supported, use matchLabels');
  return {
    name: listener.string('name') ?? '',
    port: listener.integer('port', 1, 65535) ?? 0,
    protocol: listener.string('protocol') ?? '',
    allowedFrom: namespaces.oneOf('from', ['Same', 'All', 'Selector', 'None']) ?? 'Same',
    namespaceSelector: selector.stringMap('matchLabels'),
  };
}
