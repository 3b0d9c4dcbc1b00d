/** All policies of a target of a waypoint or gateway, ready to be asked (facts l7-and-control 3.1). */
import type { DefaultDenials } from '../model/policy-tally.ts';
import { AskedSubject } from './asked-subject.ts';
import { CallerIndex } from './caller-index.ts';
import { isShadow, type RequestPolicy, ruleHolds, ruleName } from './request-policy.ts';
import type { RequestSubject } from './request-subject.ts';

export interface RequestDecision {
  readonly allowed: boolean;
  /** `ns[<namespace>]-policy[<name>]-rule[<number>]` of the rule that decided, `none` when none did. */
  readonly rule: string;
  /** Whose rule it is. */
  readonly policy: RequestPolicy | undefined;
}

interface Entry {
  readonly policy: RequestPolicy;
  /** Its number in the policy. */
  readonly rule: number;
}

/** What was found so far. */
interface Findings {
  readonly asked: AskedSubject;
  denied: Entry | undefined;
  allowed: Entry | undefined;
}

export class RequestPolicies {
  readonly all: readonly RequestPolicy[];
  /** Those that have a provider asked. */
  readonly custom: readonly RequestPolicy[];
  /** Those that decide nothing. */
  readonly shadows: readonly RequestPolicy[];
  /** Rules of the others, in their order; made when the first request asks. */
  #entries: readonly Entry[] = [];
  #index: CallerIndex | undefined;
  readonly #deciding: readonly RequestPolicy[];
  readonly #hasAllow: boolean;
  readonly #hasDeny: boolean;

  constructor(all: readonly RequestPolicy[]) {
    this.all = all;
    this.custom = all.filter(({ action }) => action === 'CUSTOM');
    this.shadows = all.filter(isShadow);
    this.#deciding = all.filter((policy) => !isShadow(policy) && policy.action !== 'CUSTOM');
    this.#hasAllow = this.#deciding.some(({ action }) => action === 'ALLOW');
    this.#hasDeny = this.#deciding.some(({ action }) => action === 'DENY');
  }

  /** Decides over a request or connection. */
  authorize(subject: RequestSubject): RequestDecision {
    if (this.#deciding.length === 0) return NOTHING_SAID;
    this.#index ??= this.#makeIndex();
    const asked = new AskedSubject(subject);
    const findings: Findings = { asked, denied: undefined, allowed: undefined };
    this.#index.find(asked, findings, this.#endsAt);
    const { denied, allowed } = findings;
    const decisive = denied ?? allowed;
    if (decisive === undefined) return this.#hasAllow ? NONE_ALLOWS : NOTHING_SAID;
    const { policy, rule } = decisive;
    return { allowed: denied === undefined, rule: ruleName(policy, rule), policy };
  }

  #makeIndex(): CallerIndex {
    this.#entries = this.#deciding.flatMap((policy) => policy.rules.map((_, rule) => ({ policy, rule })));
    return new CallerIndex(this.#entries.map(({ policy, rule }) => policy.rules[rule]?.callers));
  }

  /** Asks a rule; whether no later one can change anything. */
  readonly #endsAt = (number: number, findings: Findings): boolean => {
    const entry = this.#entries[number];
    if (entry === undefined) return false;
    const { policy, rule } = entry;
    const isDeny = policy.action === 'DENY';
    if ((!isDeny && findings.allowed !== undefined) || !ruleHolds(policy, rule, findings.asked)) return false;
    if (isDeny) findings.denied = entry;
    else findings.allowed = entry;
    return isDeny || !this.#hasDeny;
  };
}

export const NO_REQUEST_POLICIES = new RequestPolicies([]);

const NOTHING_SAID: RequestDecision = { allowed: true, rule: 'none', policy: undefined };
const NONE_ALLOWS: RequestDecision = { allowed: false, rule: 'none', policy: undefined };

/** Counts a decision that is carried out. */
export function countDecision({ allowed, policy }: RequestDecision, denials: DefaultDenials): void {
  if (policy !== undefined) policy.tally.hits++;
  else if (!allowed) denials.enforced++;
}
