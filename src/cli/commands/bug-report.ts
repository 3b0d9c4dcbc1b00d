/** `ambit bug-report`: all that helps to find a fault. */
import type { Command } from 'commander';
import { withMesh } from '../option-parsers.ts';
import type { BugReportFlags } from '../roles/bug-report.ts';

/** Adds the command. */
export function addBugReportCommand(program: Command, environment: NodeJS.ProcessEnv): void {
  withMesh(program.command('bug-report'))
    .description(
      'write what every program of the mesh knows, counts and logs into one archive, without keys and tokens',
    )
    .option('-f, --file <path>', 'the archive (ambit-bug-report-TIME.tar.gz)')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: BugReportFlags) => {
      const { runBugReport } = await import('../roles/bug-report.ts');
      await runBugReport(flags, environment);
    });
}

const EXAMPLES = `
Names, addresses and identities of your workloads are in it, and the last of the logs of the mesh's own programs: read it
before you give it away. In paths of access logs the values of parameters whose names say that they carry secrets (password,
token, api_key, code, signature, ...) are masked.

Examples:
  ambit bug-report
  ambit bug-report -f report.tar.gz && tar tzf report.tar.gz`;
