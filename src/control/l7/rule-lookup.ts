/** Which DestinationRules hold for a service, for clients of a namespace (facts l7-and-control 2.1). */
import type { DestinationRuleObject, DestinationRuleSubset } from '../../model/manifest/destination-rule.ts';
import { compareAge, compareTexts } from '../../model/manifest/object-order.ts';
import type { TrafficPolicySpec } from '../../model/manifest/traffic-policy.ts';
import type { DestinationRules } from './destination-rules.ts';
import { isExportedTo } from './export-visibility.ts';

/** What rules of one host and namespace say together. */
export interface MergedRule {
  readonly trafficPolicy: TrafficPolicySpec | undefined;
  readonly subsets: readonly DestinationRuleSubset[];
}

interface HostRule {
  readonly host: string;
  readonly rule: DestinationRuleObject;
}

/** The rules whose hosts cover a service, by the namespace that they are in; the best host first. */
export class ServiceRules {
  readonly #rootNamespace: string;
  readonly #serviceNamespace: string;
  readonly #byNamespace = new Map<string, HostRule[]>();

  constructor(rules: DestinationRules, hostname: string, serviceNamespace: string, rootNamespace: string) {
    this.#serviceNamespace = serviceNamespace;
    this.#rootNamespace = rootNamespace;
    for (const group of rules.covering(hostname)) {
      for (const rule of group.values()) {
        // Waypoints are not the clients that such a rule selects.
        if (rule.selectsClients) continue;
        const { namespace } = rule.meta;
        const list = this.#byNamespace.get(namespace);
        const entry = { host: rules.hostOf(rule), rule };
        if (list === undefined) this.#byNamespace.set(namespace, [entry]);
        else list.push(entry);
      }
    }
  }

  /** Namespaces that may see something else than the rest: those with rules, and those that rules are exported to. */
  clientNamespaces(): readonly string[] {
    const namespaces = new Set(this.#byNamespace.keys());
    for (const rules of this.#byNamespace.values()) {
      for (const { rule } of rules) {
        for (const name of rule.exportTo) if (!/^[.*~]$/.test(name)) namespaces.add(name);
      }
    }
    return [...namespaces].sort();
  }

  /** The first level with a rule decides alone. @param client undefined: a namespace that nobody names */
  lookup(client: string | undefined): MergedRule | undefined {
    if (client !== undefined) {
      const isRoot = client === this.#rootNamespace;
      const own = this.#level(client, ({ exportTo }) => !isRoot || exportTo.includes('.'));
      if (own !== undefined) return own;
    }
    const isSeen = (rule: DestinationRuleObject) => isExportedTo(rule.exportTo, rule.meta.namespace, client);
    return this.#level(this.#serviceNamespace, isSeen) ?? this.#level(this.#rootNamespace, isSeen);
  }

  #level(namespace: string, isSeen: (rule: DestinationRuleObject) => boolean): MergedRule | undefined {
    const seen = this.#byNamespace.get(namespace)?.filter(({ rule }) => isSeen(rule));
    const best = seen?.[0]?.host;
    if (seen === undefined || best === undefined) return undefined;
    const sameHost = seen.flatMap(({ host, rule }) => (host === best ? [rule] : [])).sort(byAge);
    const exported = exportKey(sameHost[0]);
    return merged(sameHost.filter((rule) => exportKey(rule) === exported));
  }
}

function exportKey(rule: DestinationRuleObject | undefined): string {
  const exportTo = rule?.exportTo ?? [];
  return exportTo.length === 0 ? '*' : [...exportTo].sort().join(' ');
}

/** Rules from files have no age: then the name decides. */
function byAge(a: DestinationRuleObject, b: DestinationRuleObject): number {
  return compareAge(a.meta, b.meta) || compareTexts(a.meta.name, b.meta.name);
}

/**
 * What of a rule does not hold because an older one of its host says it, too.
 * @param sameHost all rules of the host, of whatever namespace
 */
export function overruledParts(sameHost: Iterable<DestinationRuleObject>, rule: DestinationRuleObject): string[] {
  const mergedWith = [...sameHost].filter(
    (other) =>
      !other.selectsClients &&
      other.meta.namespace === rule.meta.namespace &&
      exportKey(other) === exportKey(rule) &&
      byAge(other, rule) < 0,
  );
  mergedWith.sort(byAge);
  const overruled = (part: string, holder: DestinationRuleObject | undefined) =>
    holder === undefined ? [] : [`${part} does not hold: DestinationRule ${holder.meta.name} has it for the same host`];
  const has = (name: string) => (other: DestinationRuleObject) => other.subsets.some((subset) => subset.name === name);
  const policyOf = mergedWith.find(({ trafficPolicy }) => trafficPolicy !== undefined);
  return [
    ...(rule.trafficPolicy === undefined ? [] : overruled('trafficPolicy', policyOf)),
    ...rule.subsets.flatMap(({ name }) => overruled(`subset ${name}`, mergedWith.find(has(name)))),
  ];
}

/** The policy of the first that has one, and of subsets of one name the first. */
function merged(rules: readonly DestinationRuleObject[]): MergedRule {
  const subsets = new Map<string, DestinationRuleSubset>();
  for (const subset of rules.flatMap((rule) => rule.subsets)) {
    if (!subsets.has(subset.name)) subsets.set(subset.name, subset);
  }
  return {
    trafficPolicy: rules.find(({ trafficPolicy }) => trafficPolicy !== undefined)?.trafficPolicy,
    subsets: [...subsets.values()],
  };
}
