/** `ambit authz`: which policies are in force where, and how often each decided. */
import { systemClock } from '../../base/clock.ts';
import { ageText } from '../age-text.ts';
import { policiesInForce } from '../authz/policies-in-force.ts';
import { type PolicyReport, policyReports, readRemarks } from '../authz/policy-report.ts';
import { readDecisions } from '../authz/read-decisions.ts';
import { commandClock } from '../command-clock.ts';
import { controlResources } from '../explain/feed-resources.ts';
import { meshModel } from '../explain/mesh-model.ts';
import { findMesh, type MeshFlags } from '../mesh/find-mesh.ts';
import type { MeshAccess } from '../mesh/mesh-access.ts';
import { printLine } from '../print-line.ts';
import { printValue } from '../print-value.ts';
import { textTable } from '../text-table.ts';

export interface AuthzFlags extends MeshFlags {
  readonly output?: 'json' | 'yaml' | 'wide';
}

/** More names than this make a table too wide. */
const SHOWN_PROXIES = 2;

/** The exit status is 1 when not all proxies answered. @throws AmbitError */
export async function runAuthz(
  namespace: string | undefined,
  flags: AuthzFlags,
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  const access = await findMesh(flags, environment);
  try {
    const { reports, missing } = await readReports(access);
    for (const line of missing) process.stderr.write(`missing: ${line}\n`);
    if (missing.length > 0) process.exitCode = 1;
    const wanted = reports.filter(
      ({ policy, isMeshWide }) => namespace === undefined || isMeshWide || policy.startsWith(`${namespace}/`),
    );
    if (flags.output === 'json' || flags.output === 'yaml') return printValue(wanted, flags.output);
    if (wanted.length === 0) return printLine(`there is no policy${namespace === undefined ? '' : ` in ${namespace}`}`);
    print(wanted, flags.output === 'wide', systemClock.nowMs());
  } finally {
    access.close();
  }
}

async function readReports(access: MeshAccess) {
  const proxies = (await access.proxies()).filter(({ role }) => role !== 'control');
  const [resources, remarks, { read, missing }] = await Promise.all([
    controlResources(access),
    readRemarks(access),
    readDecisions(access, proxies),
  ]);
  const inForce = policiesInForce(meshModel(resources, commandClock, Math.random), proxies);
  return { reports: policyReports(inForce, read, remarks), missing };
}

function print(reports: readonly PolicyReport[], wide: boolean, nowMs: number): void {
  const heading = ['POLICY', 'ACTION', 'APPLIES TO', 'ENFORCED BY', 'ALLOWED', 'DENIED', 'DRY RUN', 'AUDITED', 'SINCE'];
  process.stdout.write(
    textTable(
      heading,
      reports.map((report) => cellsOf(report, wide, nowMs)),
    ),
  );
  for (const { policy, note } of reports) if (note !== '') printLine(`${policy} is enforced nowhere: ${note}`);
}

function cellsOf(report: PolicyReport, wide: boolean, nowMs: number): string[] {
  const { policy, action, dryRun, appliesTo, enforcedBy, allowed, denied, audited, sinceMs } = report;
  return [
    policy || '(none)',
    dryRun ? `${action} (dry run)` : action,
    appliesTo,
    proxiesText(enforcedBy, wide),
    String(allowed),
    String(denied),
    dryRunText(report),
    String(audited),
    sinceMs === undefined ? '-' : ageText(Math.max(0, nowMs - sinceMs)),
  ];
}

function proxiesText(proxies: readonly string[], wide: boolean): string {
  if (proxies.length === 0) return 'nowhere';
  return wide || proxies.length <= SHOWN_PROXIES ? proxies.join(', ') : `${proxies.length} proxies`;
}

function dryRunText({ dryRun, wouldAllow, wouldDeny }: PolicyReport): string {
  const parts = [
    ...(wouldAllow > 0 ? [`would allow ${wouldAllow}`] : []),
    ...(wouldDeny > 0 ? [`would deny ${wouldDeny}`] : []),
  ];
  return parts.join(', ') || (dryRun ? 'no match' : '-');
}
