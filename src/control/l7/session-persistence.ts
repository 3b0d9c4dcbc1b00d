/** Sessions that keep to one endpoint, for the feed (facts l7-and-control 4.4, 10.5). */
import { createHash } from 'node:crypto';
import { objectKey } from '../../model/manifest/manifest-object.ts';
import { type SessionPersistenceSpec, sessionOfLabels } from '../../model/manifest/session-persistence.ts';
import type { Service } from '../../model/service.ts';
import type { SessionPersistence } from '../../proto/gen/ambit.ts';
import type { BuildContext } from '../build-context.ts';

const MS_PER_SECOND = 1000;
const NAME_DIGITS = 8;

/** @param owner names what has no name of its own: sessions of two rules are not one */
export function toSessionPersistence(spec: SessionPersistenceSpec, owner: string): SessionPersistence {
  const isHeader = spec.type === 'Header';
  const name = spec.name || `session-${createHash('sha256').update(owner).digest('hex').slice(0, NAME_DIGITS)}`;
  return {
    name: isHeader ? name.toLowerCase() : name,
    isHeader,
    path: isHeader ? '' : spec.path,
    absoluteTimeoutSec: Math.ceil(spec.absoluteTimeoutMs / MS_PER_SECOND),
    idleTimeoutSec: Math.ceil(spec.idleTimeoutMs / MS_PER_SECOND),
    isPermanent: !isHeader && spec.isPermanent && spec.absoluteTimeoutMs > 0,
  };
}

/** What the labels of a service ask for. */
export function serviceSession({ store }: BuildContext, service: Service): SessionPersistence | undefined {
  const kind = service.canonical ? 'Service' : 'ServiceEntry';
  const labels = store.getByKey(objectKey(kind, service.namespace, service.name))?.meta.labels;
  const session = labels && sessionOfLabels(labels).session;
  return session && toSessionPersistence(session, service.hostname);
}
