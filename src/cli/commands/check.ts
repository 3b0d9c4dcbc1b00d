/** `ambit check`: whether a cluster can take the mesh, and whether a mesh is well. */
import type { Command } from 'commander';
import { outputOption, withMesh } from '../option-parsers.ts';
import type { CheckFlags } from '../roles/check.ts';

/** Adds the command. */
export function addCheckCommand(program: Command, environment: NodeJS.ProcessEnv): void {
  withMesh(program.command('check'))
    .description(
      'say what is wrong with a mesh, or what a cluster lacks for one; the exit status is 1 when something keeps it from ' +
        'working',
    )
    .option('--pre', 'before an installation: what the cluster lacks', false)
    .option('-n, --namespace <namespace>', 'with --pre: where the mesh is to be installed', 'istio-system')
    .addOption(outputOption(['json']))
    .addHelpText('after', EXAMPLES)
    .action(async (flags: CheckFlags) => {
      const { runCheck } = await import('../roles/check.ts');
      await runCheck(flags, environment);
    });
}

const EXAMPLES = `
Findings are ✓ well, ‼ worth a look, ✗ wrong, each with what to do.

Examples:
  ambit check --pre                      before ambit install
  ambit check                            programs, versions, configuration, certificates, objects
  ambit check -o json`;
