/** `ambit down`: ends a mesh that `ambit up` started. */
import type { Command } from 'commander';

/** Adds the command. */
export function addDownCommand(program: Command, environment: NodeJS.ProcessEnv): void {
  program
    .command('down')
    .description("end a mesh that 'ambit up' started")
    .argument('[name]', 'its name; not needed when only one is up')
    .action(async (name: string | undefined) => {
      const { runDown } = await import('../roles/down.ts');
      await runDown(environment, name);
    });
}
