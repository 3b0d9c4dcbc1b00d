/** The status of a waypoint's Gateway (facts l7-and-control 4.3). */
import type { GatewayObject } from '../model/manifest/gateway.ts';
import { WAYPOINT_TUNNEL_PORT } from '../model/waypoint-objects.ts';

export interface WaypointState {
  /** Of its Service. */
  readonly hostname: string;
  /** Why it could not be deployed. */
  readonly problem: string | undefined;
  readonly isReady: boolean;
  readonly generation: number;
}

/** The status to write, without times. */
export function waypointStatus(gateway: GatewayObject, state: WaypointState): GatewayStatus {
  const { hostname, problem, isReady, generation } = state;
  const condition = (type: string, ok: boolean, reason: string, message: string): StatusCondition => ({
    type,
    status: ok ? 'True' : 'False',
    reason,
    message,
    observedGeneration: generation,
  });
  const fine = (type: string, reason = type) => condition(type, true, reason, 'No errors found');
  const programmed = isReady && problem === undefined;
  const why = problem ?? 'no pod of the waypoint is ready yet';
  return {
    addresses: [{ type: 'Hostname', value: hostname }],
    conditions: [
      condition('Accepted', true, 'Accepted', 'Resource accepted'),
      programmed
        ? condition(
            'Programmed',
            true,
            'Programmed',
            `Resource programmed, assigned to ${hostname}:${WAYPOINT_TUNNEL_PORT}`,
          )
        : condition('Programmed', false, problem === undefined ? 'Pending' : 'Invalid', why),
    ],
    listeners: gateway.listeners.map(({ name }) => ({
      name,
      attachedRoutes: 0,
      supportedKinds: [],
      conditions: [
        fine('Accepted'),
        condition('Conflicted', false, 'NoConflicts', 'No errors found'),
        fine('Programmed'),
        fine('ResolvedRefs'),
      ],
    })),
  };
}

export interface StatusCondition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
}

export interface GatewayStatus {
  readonly addresses: readonly object[];
  readonly conditions: readonly StatusCondition[];
  readonly listeners: readonly { readonly name: string; readonly conditions: readonly StatusCondition[] }[];
}

/** Whether the status says the same; times do not count. */
export function sameStatus(observed: unknown, wanted: GatewayStatus): boolean {
  const plain = (value: unknown): unknown =>
    JSON.parse(
      JSON.stringify(value ?? {}, (key, inner: unknown) => (key === 'lastTransitionTime' ? undefined : inner)),
    );
  const sorted = (value: unknown): string =>
    JSON.stringify(value, (_key, inner: unknown) =>
      typeof inner === 'object' && inner !== null && !Array.isArray(inner)
        ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
        : inner,
    );
  return sorted(plain(observed)) === sorted(wanted);
}

/** A condition keeps the time of its last transition while its status stays. */
export function withTimes(wanted: GatewayStatus, observed: unknown, now: string): object {
  const before = observed as
    | { conditions?: readonly (StatusCondition & { lastTransitionTime?: string })[] }
    | undefined;
  const timed = (condition: StatusCondition) => {
    const known = before?.conditions?.find(({ type }) => type === condition.type);
    const lastTransitionTime = known?.status === condition.status ? (known.lastTransitionTime ?? now) : now;
    return { ...condition, lastTransitionTime };
  };
  return {
    ...wanted,
    conditions: wanted.conditions.map(timed),
    listeners: wanted.listeners.map((listener) => ({ ...listener, conditions: listener.conditions.map(timed) })),
  };
}
