/** DestinationRules by host, so that a service finds its own without looking at the others (facts l7-and-control 2.1). */
import type { DestinationRuleObject } from '../../model/manifest/destination-rule.ts';
import type { ManifestObject } from '../../model/manifest/manifest-object.ts';
import { priorityLabelsOf } from './rule-labels.ts';

type RulesByName = ReadonlyMap<string, DestinationRuleObject>;

const NO_RULES: RulesByName = new Map();

export class DestinationRules {
  readonly #clusterDomain: string;
  /** By full host or pattern, then by `<namespace>/<name>`. */
  readonly #byHost = new Map<string, Map<string, DestinationRuleObject>>();

  /** By rule; only of rules that have some. */
  readonly #priorityLabels = new Map<string, ReadonlySet<string>>();

  /** By rule; only those that name Secrets. */
  readonly #withCredentials = new Map<string, DestinationRuleObject>();

  constructor(clusterDomain: string) {
    this.#clusterDomain = clusterDomain;
  }

  /** Keeps up with an object that changed. */
  note(before: ManifestObject | undefined, after: ManifestObject | undefined): void {
    if (before?.kind === 'DestinationRule') this.#remove(before);
    if (after?.kind === 'DestinationRule') this.#add(after);
  }

  /** The host in full: a name without dots is a Service of the rule's own namespace. */
  hostOf({ host, meta }: DestinationRuleObject): string {
    if (host.includes('.') || host === '*') return host;
    return `${host}.${meta.namespace}.svc.${this.#clusterDomain}`;
  }

  /** The rules whose host covers the name, in groups of one host: the name itself, then longer patterns before shorter. */
  *covering(hostname: string): Iterable<RulesByName> {
    yield this.#byHost.get(hostname) ?? NO_RULES;
    for (let at = 0; at < hostname.length; at++) {
      const isBoundary = hostname[at] === '.' || hostname[at] === '-';
      if (isBoundary) yield this.#byHost.get(`*${hostname.slice(at)}`) ?? NO_RULES;
    }
    yield this.#byHost.get('*') ?? NO_RULES;
  }

  /** All rules that cover the name. */
  *of(hostname: string): Iterable<DestinationRuleObject> {
    for (const rules of this.covering(hostname)) yield* rules.values();
  }

  /** Those of just this host or pattern, in full. */
  ofHost(host: string): Iterable<DestinationRuleObject> {
    return (this.#byHost.get(host) ?? NO_RULES).values();
  }

  /** The labels that failover priorities of any rule compare. */
  priorityLabels(): ReadonlySet<string> {
    return new Set([...this.#priorityLabels.values()].flatMap((labels) => [...labels]));
  }

  /** The rules that name Secrets. */
  withCredentials(): Iterable<DestinationRuleObject> {
    return this.#withCredentials.values();
  }

  #add(rule: DestinationRuleObject): void {
    const host = this.hostOf(rule);
    const rules = this.#byHost.get(host);
    if (rules === undefined) this.#byHost.set(host, new Map([[nameOf(rule), rule]]));
    else rules.set(nameOf(rule), rule);
    const labels = priorityLabelsOf(rule);
    if (labels.size > 0) this.#priorityLabels.set(nameOf(rule), labels);
    if (rule.credentials.length > 0) this.#withCredentials.set(nameOf(rule), rule);
  }

  #remove(rule: DestinationRuleObject): void {
    const host = this.hostOf(rule);
    const rules = this.#byHost.get(host);
    rules?.delete(nameOf(rule));
    this.#priorityLabels.delete(nameOf(rule));
    this.#withCredentials.delete(nameOf(rule));
    if (rules?.size === 0) this.#byHost.delete(host);
  }
}

function nameOf({ meta }: DestinationRuleObject): string {
  return `${meta.namespace}/${meta.name}`;
}
