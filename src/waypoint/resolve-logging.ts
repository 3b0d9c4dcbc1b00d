/** Which access logs tell of a request, by MeshConfig and the Telemetry objects that concern it (facts l7-and-control 6.4). */
import type { Logger } from '../base/logger.ts';
import type { ExpressionContext } from '../expression/attributes.ts';
import { compileCondition } from '../expression/compile-expression.ts';
import type { AccessLogRule, MeshTelemetry, TelemetryRules } from '../proto/gen/ambit.ts';
import type { LogReporters, WriteLine } from './reporting/log-reporters.ts';

/** Which requests it tells of; undefined: of all. */
export type LogFilter = ((context: ExpressionContext) => boolean) | undefined;

export interface AccessLog {
  readonly write: WriteLine;
  readonly filter: LogFilter;
}

export interface LoggingPlan {
  readonly logs: readonly AccessLog[];
  /** The waypoint's own line; undefined: it is not written. */
  readonly ownLine: { readonly filter: LogFilter } | undefined;
}

export interface LoggingResolverDeps {
  readonly logger: Logger;
  readonly lines: LogReporters;
}

/** Names that no provider can have. */
const OWN_LINE = ' own';
const MESH_FILE = ' file';

/** @param rules from the mesh down to the service */
export function resolveLogging(
  mesh: MeshTelemetry,
  rules: readonly TelemetryRules[],
  deps: LoggingResolverDeps,
): LoggingPlan {
  const chosen = chosenProviders(defaultProviders(mesh), rules);
  const logs: AccessLog[] = [];
  let ownLine: LoggingPlan['ownLine'];
  for (const [name, expression] of chosen) {
    const filter = compileFilter(expression, deps.logger);
    if (name === OWN_LINE) ownLine = { filter };
    else {
      const write = writerOf(name, mesh, deps);
      if (write !== undefined) logs.push({ write, filter });
    }
  }
  return { logs, ownLine };
}

function defaultProviders({ defaultAccessLogging, accessLog }: MeshTelemetry): readonly string[] {
  if (defaultAccessLogging.length > 0) return defaultAccessLogging;
  return [accessLog === undefined ? OWN_LINE : MESH_FILE];
}

/** By the name of the provider, the filter. What the lowest object names is all that counts; each may filter or end it. */
function chosenProviders(defaults: readonly string[], rules: readonly TelemetryRules[]): ReadonlyMap<string, string> {
  const levels = rules.map(({ accessLogging }) => accessLogging).filter((entries) => entries.length > 0);
  const named = levels
    .map((entries) => entries.flatMap(({ providers }) => providers))
    .filter((names) => names.length > 0);
  const inScope = new Set(named.at(-1) ?? defaults);
  const chosen = new Map<string, string>();
  if (levels.length === 0) for (const name of defaults) chosen.set(name, '');
  let above = defaults;
  for (const entries of levels) {
    for (const entry of entries) apply(entry, entry.providers.length > 0 ? entry.providers : above, inScope, chosen);
    const own = entries.flatMap(({ providers }) => providers);
    if (own.length > 0) above = own;
  }
  return chosen;
}

function apply(
  { disabled, filter }: AccessLogRule,
  names: readonly string[],
  inScope: ReadonlySet<string>,
  chosen: Map<string, string>,
): void {
  for (const name of names) {
    if (!inScope.has(name)) continue;
    if (disabled) chosen.delete(name);
    else chosen.set(name, filter);
  }
}

/** One that is not understood filters nothing: a line too many is better than one that is missed. */
function compileFilter(expression: string, logger: Logger): LogFilter {
  if (expression === '') return undefined;
  const compiled = compileCondition(expression);
  if (compiled.ok) return compiled.value;
  logger.warn('a filter of access logs is not used', { expression, reason: compiled.error });
  return undefined;
}

function writerOf(name: string, mesh: MeshTelemetry, { logger, lines }: LoggingResolverDeps): WriteLine | undefined {
  const file = mesh.accessLog;
  const provider =
    name === MESH_FILE && file !== undefined
      ? { name, collector: undefined, kind: { $case: 'file' as const, file } }
      : mesh.providers.find((candidate) => candidate.name === name);
  const write = provider && lines.of(provider);
  if (write === undefined) {
    logger.warn('nothing is logged: MeshConfig has no such extension provider for access logs', { provider: name });
  }
  return write;
}
