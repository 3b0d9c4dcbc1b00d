/** Whom CUSTOM policies want to be asked about a request or connection (facts l7-and-control 3.1, 3.2). */
import { AskedSubject } from './asked-subject.ts';
import type { RequestPolicies } from './request-policies.ts';
import { matchingRule, type RequestPolicy, ruleName } from './request-policy.ts';
import type { RequestSubject } from './request-subject.ts';

/** The rule that matched. */
export interface CustomMatch {
  readonly rule: string;
  /** Undefined when the rules that matched name different ones: nobody can say for both. */
  readonly provider: string | undefined;
}

/** The same with its policy. */
export interface CustomPolicyMatch extends CustomMatch {
  readonly policy: RequestPolicy;
}

/** What the CUSTOM policies say; undefined when none matches. */
export function matchCustom(
  { custom }: Pick<RequestPolicies, 'custom'>,
  subject: RequestSubject,
): CustomPolicyMatch | undefined {
  let first: CustomPolicyMatch | undefined;
  const asked = new AskedSubject(subject);
  for (const policy of custom) {
    const rule = matchingRule(policy, asked);
    if (rule < 0) continue;
    if (first === undefined) first = { rule: ruleName(policy, rule), policy, provider: policy.provider };
    else if (first.provider !== policy.provider) return { ...first, provider: undefined };
  }
  return first;
}

/** Counts what the provider said of a match. */
export function countCustom({ policy: { tally } }: CustomPolicyMatch, isRefused: boolean): void {
  tally.hits++;
  if (isRefused) tally.refusals++;
}

/** How the rule is called when its provider cannot be asked for want of a usable configuration. */
export function badCustomRule(rule: string): string {
  return `${rule}-deny-due-to-bad-CUSTOM-action`;
}
