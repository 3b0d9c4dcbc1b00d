/** Prints the findings of a check, grouped. */
import { systemClock } from '../../base/clock.ts';
import { printable } from '../../base/printable.ts';
import { type CheckFinding, type CheckLevel, preCheck } from '../../install/pre-check.ts';
import { clusterClient } from '../cluster-client.ts';
import { checkMesh } from '../mesh/check-mesh.ts';
import { findMesh, type MeshFlags } from '../mesh/find-mesh.ts';

/** The flags of the command. */
export interface CheckFlags extends MeshFlags {
  /** Before an installation. */
  readonly pre: boolean;
  readonly namespace: string;
  readonly output?: string;
}

const MARKS: Readonly<Record<CheckLevel, { readonly mark: string; readonly color: string }>> = {
  ok: { mark: '✓', color: '\u001b[32m' },
  warning: { mark: '‼', color: '\u001b[33m' },
  error: { mark: '✗', color: '\u001b[31m' },
};
const RESET = '\u001b[0m';

/** Sets the exit status to 1 when a finding is an error. @throws AmbitError when no cluster is configured */
export async function runCheck(flags: CheckFlags, environment: NodeJS.ProcessEnv): Promise<void> {
  const findings = flags.pre
    ? await preCheck(await clusterClient(flags, environment), flags.namespace)
    : await runningCheck(flags, environment);
  printFindings(findings, flags.output, environment);
}

/** Sets the exit status to 1 when a finding is an error. */
export function printFindings(
  findings: readonly CheckFinding[],
  output: string | undefined,
  environment: NodeJS.ProcessEnv,
): void {
  if (output === 'json') process.stdout.write(`${JSON.stringify(findings, null, 2)}\n`);
  else process.stdout.write(findingsText(findings, process.stdout.isTTY && !environment['NO_COLOR']));
  if (findings.some(({ level }) => level === 'error')) process.exitCode = 1;
}

async function runningCheck(flags: CheckFlags, environment: NodeJS.ProcessEnv): Promise<readonly CheckFinding[]> {
  const access = await findMesh(flags, environment);
  try {
    return await checkMesh(access, systemClock.nowMs());
  } finally {
    access.close();
  }
}

/** The findings under their groups. @param colored whether marks have a color */
export function findingsText(findings: readonly CheckFinding[], colored: boolean): string {
  let group = '';
  const lines: string[] = [];
  for (const finding of findings) {
    if (finding.group !== group) lines.push(finding.group);
    group = finding.group;
    const { mark, color } = MARKS[finding.level];
    lines.push(`  ${colored ? `${color}${mark}${RESET}` : mark} ${printable(finding.text)}`);
    if (finding.hint !== '') lines.push(`      ${finding.hint}`);
  }
  return `${lines.join('\n')}\n`;
}
