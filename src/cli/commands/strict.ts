/** `ambit strict`: before a namespace asks for mutual TLS. */
import type { Command } from 'commander';
import { outputOption, withMesh } from '../option-parsers.ts';
import type { StrictFlags } from '../roles/strict.ts';

/** Adds the command. */
export function addStrictCommand(program: Command, environment: NodeJS.ProcessEnv): void {
  withMesh(program.command('strict <namespace>'))
    .description(
      'say who still comes into a namespace in plaintext, and would be shut out by mutual TLS; the exit status is 1 when ' +
        'somebody does',
    )
    .usage('<namespace> --dry-run [options]')
    .requiredOption('--dry-run', 'change nothing (required: what is to be applied is printed)')
    .addOption(outputOption(['json', 'yaml']))
    .addHelpText('after', EXAMPLES)
    .action(async (namespace: string, flags: StrictFlags) => {
      const { runStrict } = await import('../roles/strict.ts');
      await runStrict(namespace, flags, environment);
    });
}

const EXAMPLES = `
Who was not seen since its proxy started is not known: let it run for as long as your rarest client pauses. When nobody is
left the PeerAuthentication is printed that asks for mutual TLS.

Examples:
  ambit strict shop --dry-run
  ambit strict shop --dry-run -o json`;
