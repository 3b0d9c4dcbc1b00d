/** Prints the findings of a check, grouped. */
import { type CheckFinding, type CheckLevel, preCheck } from '../../install/pre-check.ts';
import { type ClusterFlags, clusterClient } from '../cluster-client.ts';

/** The flags of the command. */
export interface CheckFlags extends ClusterFlags {
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
  const findings = await preCheck(await clusterClient(flags, environment), flags.namespace);
  if (flags.output === 'json') process.stdout.write(`${JSON.stringify(findings, null, 2)}\n`);
  else process.stdout.write(findingsText(findings, process.stdout.isTTY && !environment['NO_COLOR']));
  if (findings.some(({ level }) => level === 'error')) process.exitCode = 1;
}

/** The findings under their groups. @param colored whether marks have a color */
export function findingsText(findings: readonly CheckFinding[], colored: boolean): string {
  let group = '';
  const lines: string[] = [];
  for (const finding of findings) {
    if (finding.group !== group) lines.push(finding.group);
    group = finding.group;
    const { mark, color } = MARKS[finding.level];
    lines.push(`  ${colored ? `${color}${mark}${RESET}` : mark} ${finding.text}`);
    if (finding.hint !== '') lines.push(`      ${finding.hint}`);
  }
  return `${lines.join('\n')}\n`;
}
