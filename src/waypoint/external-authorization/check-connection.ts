/** The check of a connection that is not HTTP (facts l7-and-control 6.6). */
import type { CustomMatch } from '../../authz/custom-policies.ts';
import type { CheckedConnection } from './checked-request.ts';
import { type ExternalAuthorization, isReady } from './external-authorization.ts';

/**
 * Asks about the connection. A provider that speaks HTTP has nothing to say of one that cannot carry any; where HTTP is
 * only not recognised, nobody may get past it.
 * @param isDeclared whether the service says that the port is not HTTP
 * @param onDecided with the reason of a refusal
 * @returns ends the check without a decision
 */
export function checkConnection(
  match: CustomMatch,
  connection: CheckedConnection,
  isDeclared: boolean,
  external: ExternalAuthorization,
  onDecided: (refusal: string | undefined) => void,
): () => void {
  const found = external.find(match);
  const decided = (refusal: string | undefined) => {
    onDecided(refusal);
    return () => undefined;
  };
  if (!isReady(found)) return decided(found.details);
  if (found.provider.http !== undefined) return decided(isDeclared ? undefined : 'ext_authz_denied');
  return external.ask(found, connection, undefined, (outcome) => {
    onDecided(outcome.kind === 'allowed' ? undefined : outcome.reply.details);
  });
}
