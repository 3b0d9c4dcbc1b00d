/** The status of a waypoint's Gateway (facts l7-and-control 4.3). */

import { HBONE_PORT } from '../model/gateway-address.ts';
import { fieldsOf } from '../model/manifest/field-reader.ts';
import type { GatewayObject } from '../model/manifest/gateway.ts';
import { mergeConditions } from './merge-conditions.ts';
import { conditionsOf } from './observed-conditions.ts';
import type { WantedCondition, WantedConditions } from './wanted-conditions.ts';

export interface WaypointState {
  /** Of its Service. */
  readonly hostname: string;
  /** Why the Gateway is not accepted: what was deployed before it was changed so stays. */
  readonly refused: GatewayRefusal | undefined;
  /** Why it could not be deployed. */
  readonly problem: string | undefined;
  readonly isReady: boolean;
  readonly generation: number;
}

/** What is wrong with a Gateway as it is written. */
export interface GatewayRefusal {
  readonly reason: 'UnsupportedProtocol' | 'InvalidParameters';
  readonly message: string;
}

/** Whether a waypoint can have these listeners (facts l7-and-control 4.1). */
export function listenerRefusal({ listeners }: GatewayObject): GatewayRefusal | undefined {
  const [only, ...others] = listeners;
  if (only?.port === HBONE_PORT && only.protocol === 'HBONE' && others.length === 0) return undefined;
  const message = `Expected a single listener on port ${HBONE_PORT} with protocol "HBONE"`;
  return { reason: 'UnsupportedProtocol', message };
}

/** The status to write; undefined when the one that is there says the same. */
export function waypointStatus(
  gateway: GatewayObject,
  state: WaypointState,
  observed: unknown,
  now: string,
): object | undefined {
  const { hostname, generation } = state;
  const before = fieldsOf(observed);
  const own = merged(before, ownConditions(state), generation, now);
  const listenersBefore = Array.isArray(before['listeners']) ? before['listeners'] : [];
  const listeners = gateway.listeners.map(({ name }, index) => {
    const known = fieldsOf(listenersBefore[index]);
    const { conditions, differs } = merged(known, listenerConditions(state), generation, now);
    return {
      differs: differs || known['name'] !== name,
      listener: { name, attachedRoutes: 0, supportedKinds: [], conditions },
    };
  });
  const [address, ...others] = Array.isArray(before['addresses']) ? before['addresses'] : [];
  const differs =
    own.differs ||
    others.length > 0 ||
    fieldsOf(address)['value'] !== hostname ||
    listenersBefore.length !== listeners.length ||
    listeners.some((one) => one.differs);
  if (!differs) return undefined;
  return {
    addresses: [{ type: 'Hostname', value: hostname }],
    conditions: own.conditions,
    listeners: listeners.map(({ listener }) => listener),
  };
}

function ownConditions({ hostname, refused, problem, isReady }: WaypointState): WantedConditions {
  if (refused !== undefined) {
    const { message } = refused;
    return new Map([
      ['Accepted', { status: 'False', ...refused }],
      ['Programmed', { status: 'False', reason: 'Invalid', message: `${message}; what was deployed before stays` }],
    ]);
  }
  const programmed: WantedCondition =
    isReady && problem === undefined
      ? { ...FINE, reason: 'Programmed', message: `Resource programmed, assigned to ${hostname}:${HBONE_PORT}` }
      : {
          status: 'False',
          reason: problem === undefined ? 'Pending' : 'Invalid',
          message: problem ?? 'no pod of the waypoint is ready yet',
        };
  return new Map([
    ['Accepted', { ...FINE, reason: 'Accepted', message: 'Resource accepted' }],
    ['Programmed', programmed],
  ]);
}

const FINE = { status: 'True', message: 'No errors found' } as const;
const LISTENER_CONDITIONS: WantedConditions = new Map<string, WantedCondition>([
  ['Accepted', { ...FINE, reason: 'Accepted' }],
  ['Conflicted', { ...FINE, status: 'False', reason: 'NoConflicts' }],
  ['Programmed', { ...FINE, reason: 'Programmed' }],
  ['ResolvedRefs', { ...FINE, reason: 'ResolvedRefs' }],
]);

function listenerConditions({ refused }: WaypointState): WantedConditions {
  if (refused?.reason !== 'UnsupportedProtocol') return LISTENER_CONDITIONS;
  const { message } = refused;
  return new Map<string, WantedCondition | undefined>([
    ...LISTENER_CONDITIONS,
    ['Accepted', { status: 'False', ...refused }],
    ['Programmed', { status: 'False', reason: 'Invalid', message }],
  ]);
}

function merged(before: unknown, wanted: WantedConditions, generation: number, now: string) {
  const conditions = conditionsOf(before);
  const next = mergeConditions({ conditions, generation }, wanted, now);
  return { conditions: next ?? conditions, differs: next !== undefined };
}
