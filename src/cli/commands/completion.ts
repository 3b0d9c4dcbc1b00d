/** `ambit completion`: the words of `ambit` for shells. */
import { Argument, type Command } from 'commander';
import { completionScript, type Shell } from '../completion-scripts.ts';

/** Adds the command; the others have to be there. */
export function addCompletionCommand(program: Command): void {
  program
    .command('completion')
    .description('print a script by which a shell completes commands and flags')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .addHelpText('after', EXAMPLES)
    .action((shell: Shell) => {
      process.stdout.write(completionScript(program, shell));
    });
}

const EXAMPLES = `
Examples:
  source <(ambit completion bash)
  source <(ambit completion zsh)
  ambit completion fish | source`;
