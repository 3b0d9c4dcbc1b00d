/**
 * What MeshConfig and Telemetry objects say of requests, by what these are for (facts l7-and-control 6.4): the object of the
 * root namespace, then that of the waypoint's namespace, then those of the waypoint, then those of the service. What a lower
 * one says holds in place of what a higher one says.
 */
import { errorText } from '../base/errors.ts';
import type { LogFields, Logger } from '../base/logger.ts';
import { MESH_TELEMETRY_TYPE, TELEMETRY_RULES_TYPE } from '../model/waypoint-feed.ts';
import { MESH_TARGET, namespaceTarget } from '../model/waypoint-target.ts';
import { MeshTelemetry, TelemetryRules } from '../proto/gen/ambit.ts';
import type { ReceivedResource, RefusedResource, ResourceHandler } from '../xds/client/delta-client.ts';
import type { TracingPlan } from './request-tracer.ts';
import { type LoggingPlan, type LoggingResolverDeps, resolveLogging } from './resolve-logging.ts';
import { type MetricsPlan, resolveMetrics } from './resolve-metrics.ts';
import { resolveTracing, type TracingResolverDeps } from './resolve-tracing.ts';

/** What is done about the requests of some service. */
export interface TelemetryPlan extends LoggingPlan {
  /** Undefined: nothing is traced. */
  readonly tracing: TracingPlan | undefined;
  /** Undefined: all metrics as they are. */
  readonly metrics: MetricsPlan | undefined;
}

export interface TelemetrySettingsDeps extends TracingResolverDeps, LoggingResolverDeps {
  /** Of the waypoint. */
  readonly namespace: string;
}

/** Where nothing is configured. */
export const NO_TELEMETRY: TelemetryPlan = {
  tracing: undefined,
  metrics: undefined,
  logs: [],
  ownLine: { filter: undefined },
};

export class TelemetrySettings {
  readonly #deps: TelemetrySettingsDeps;
  readonly #rules = new Map<string, TelemetryRules>();
  #mesh: MeshTelemetry | undefined;
  /** By the targets that were asked for together; new at each change. */
  #plans = new Map<string, TelemetryPlan>();
  #byList = new WeakMap<readonly string[], TelemetryPlan>();

  /** What was said since the last change: many services have the same to say. */
  #said = new Set<string>();

  constructor(deps: TelemetrySettingsDeps) {
    this.#deps = { ...deps, logger: { ...deps.logger, warn: (text, fields) => this.#warn(deps.logger, text, fields) } };
  }

  /** The subscriptions that fill this. */
  handlers(): readonly ResourceHandler[] {
    return [
      {
        typeUrl: MESH_TELEMETRY_TYPE,
        onDemand: false,
        apply: (resources, removed) =>
          this.#apply(resources, removed, ({ bytes }) => {
            this.#mesh = MeshTelemetry.decode(bytes);
          }),
      },
      {
        typeUrl: TELEMETRY_RULES_TYPE,
        onDemand: false,
        apply: (resources, removed) =>
          this.#apply(resources, removed, ({ name, bytes }) => {
            this.#rules.set(name, TelemetryRules.decode(bytes));
          }),
      },
    ];
  }

  /** @param targets what requests are for: classes, the waypoint, the service; the same list for the same connection */
  of(targets: readonly string[]): TelemetryPlan {
    const own = this.#byList.get(targets);
    if (own !== undefined) return own;
    const key = targets.join(' ');
    const plan = this.#plans.get(key) ?? this.#resolve(targets);
    this.#plans.set(key, plan);
    this.#byList.set(targets, plan);
    return plan;
  }

  #resolve(targets: readonly string[]): TelemetryPlan {
    const mesh = this.#mesh;
    if (mesh === undefined) return NO_TELEMETRY;
    const classes = targets.filter((target) => target.startsWith('GatewayClass/'));
    const others = targets.filter((target) => !classes.includes(target));
    const levels = [MESH_TARGET, ...classes, namespaceTarget(this.#deps.namespace), ...others];
    const rules = levels.map((target) => this.#ruleOf(target)).filter((rule) => rule !== undefined);
    const metrics = resolveMetrics(rules, this.#deps.logger);
    return { tracing: resolveTracing(mesh, rules, this.#deps), metrics, ...resolveLogging(mesh, rules, this.#deps) };
  }

  /** Of several for the same, the oldest; without times the first by name. */
  #ruleOf(target: string): TelemetryRules | undefined {
    const all = [...this.#rules.values()].filter(({ targets }) => targets.includes(target));
    return all.sort((a, b) => a.createdMs - b.createdMs || (a.name < b.name ? -1 : 1))[0];
  }

  #warn(logger: Logger, text: string, fields: LogFields | undefined): void {
    const key = `${text} ${JSON.stringify(fields)}`;
    if (this.#said.has(key)) return;
    this.#said.add(key);
    logger.warn(text, fields);
  }

  #apply(
    resources: readonly ReceivedResource[],
    removed: readonly string[],
    take: (resource: ReceivedResource) => void,
  ): readonly RefusedResource[] {
    const refused: RefusedResource[] = [];
    for (const name of removed) this.#rules.delete(name);
    for (const resource of resources) {
      try {
        take(resource);
      } catch (error) {
        // The last good one stays.
        refused.push({ name: resource.name, reason: `it cannot be decoded: ${errorText(error)}` });
      }
    }
    this.#plans = new Map();
    this.#byList = new WeakMap();
    this.#said = new Set();
    return refused;
  }
}
