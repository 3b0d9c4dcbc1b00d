/** The policy decision over an inbound connection, logged where operators look for it (facts ztunnel-wire 8.4). */
import type { Authorization, AuthorizationInput } from '../../authz/evaluate.ts';
import { type ProxyError, policyDenied } from '../../hbone/proxy-error.ts';
import type { PolicyInForce } from '../../mesh/mesh-state.ts';
import { formatAddress } from '../../model/address.ts';
import { policyKey } from '../../model/policy.ts';
import type { DefaultDenials } from '../../model/policy-tally.ts';
import type { Workload } from '../../model/workload.ts';
import type { PodContext } from './pod-context.ts';

/** What of a pod's proxy the decision needs. */
type DecisionContext = Pick<PodContext, 'state' | 'logger' | 'defaultDenials'> & {
  readonly config: Pick<PodContext['config'], 'unknownPolicy' | 'policyInfoLogging'>;
};

/**
 * Why the connection must not be made, or undefined when it may.
 * A policy that selects the workload and has not arrived denies: what it would say is not known.
 */
export function authorizeInbound(
  context: DecisionContext,
  workload: Workload,
  input: AuthorizationInput,
): ProxyError | undefined {
  const { state, config, logger } = context;
  const { policies, missing, inForce } = state.policiesFor(workload);
  const log = logger.scope('rbac');
  const [unknown] = missing;
  if (unknown !== undefined) {
    log.warn('policy selects the workload but has not arrived', { policy: unknown, workload: workload.uid });
    if (config.unknownPolicy === 'deny') return policyDenied(`policy not yet known: ${unknown}`);
  }
  const authorization = inForce.authorize(input);
  count(policies, authorization, context.defaultDenials);
  const { decision, dryRun } = authorization;
  for (const policy of dryRun) {
    const fields = { policy: policyKey(policy), action: policy.action };
    log.info('dry-run policy matched', { ...fields, src: input.sourceIp, dst: destinationText(input) });
  }
  const level = config.policyInfoLogging ? 'info' : 'debug';
  if (policies.length > 0 && log.enabled(level)) {
    log[level](decision.allowed ? 'connection allowed' : 'connection denied', {
      policy: decision.allowed ? decision.policy && policyKey(decision.policy) : decision.reason,
      src: input.sourceIp,
      dst: destinationText(input),
    });
  }
  return decision.allowed ? undefined : policyDenied(decision.reason);
}

function count(
  policies: readonly PolicyInForce[],
  { decision, dryRun }: Authorization<PolicyInForce>,
  defaultDenials: DefaultDenials,
): void {
  if (decision.policy !== undefined) decision.policy.tally.hits++;
  else if (!decision.allowed) defaultDenials.enforced++;
  for (const { tally } of dryRun) tally.hits++;
  if (policies.some(isDryAllow) && !dryRun.some(isDryAllow)) defaultDenials.dryRun++;
}

function isDryAllow({ dryRun, action }: PolicyInForce): boolean {
  return dryRun && action === 'Allow';
}

function destinationText(input: AuthorizationInput): string {
  return formatAddress(input.destinationIp, input.destinationPort);
}
