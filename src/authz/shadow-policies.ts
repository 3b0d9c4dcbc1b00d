/** What policies say that decide nothing: AUDIT, and those in dry run (facts l7-and-control 3.1). */
import type { DefaultDenials } from '../model/policy-tally.ts';
import { AskedSubject } from './asked-subject.ts';
import type { RequestPolicies } from './request-policies.ts';
import { matchingRule, type RequestPolicy, ruleName } from './request-policy.ts';
import type { RequestSubject } from './request-subject.ts';

export interface ShadowOutcome {
  /** Rules of AUDIT policies that match. */
  readonly audited: readonly string[];
  /** The rule in dry run that would deny; `none` where one in dry run would have to allow and does not. */
  readonly wouldDeny: string | undefined;
}

/**
 * Asks them and counts what they say.
 * @returns undefined where no such policy says anything
 */
export function shadowOutcome(
  { shadows }: Pick<RequestPolicies, 'shadows'>,
  subject: RequestSubject,
  denials: DefaultDenials,
): ShadowOutcome | undefined {
  // Most requests meet none: they allocate nothing.
  if (shadows.length === 0) return undefined;
  const asked = new AskedSubject(subject);
  const hits = (action: RequestPolicy['action']) =>
    shadows.flatMap((policy) => {
      const rule = policy.action === action ? matchingRule(policy, asked) : -1;
      if (rule < 0) return [];
      policy.tally.hits++;
      return [ruleName(policy, rule)];
    });
  const lacksAllow = shadows.some(({ action }) => action === 'ALLOW') && hits('ALLOW').length === 0;
  if (lacksAllow) denials.dryRun++;
  const wouldDeny = hits('DENY')[0] ?? (lacksAllow ? 'none' : undefined);
  const audited = hits('AUDIT');
  return audited.length === 0 && wouldDeny === undefined ? undefined : { audited, wouldDeny };
}

/** As fields of the access log. */
export function shadowFields(shadow: ShadowOutcome | undefined): Readonly<Record<string, string>> {
  if (shadow === undefined) return NO_FIELDS;
  const { audited, wouldDeny } = shadow;
  return {
    ...(audited.length > 0 && { audited_by: audited.join(',') }),
    ...(wouldDeny !== undefined && { dry_run_denied_by: wouldDeny }),
  };
}

const NO_FIELDS = {};
