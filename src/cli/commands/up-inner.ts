/** The inner half of `ambit up`, which the outer one starts. */
import type { Command } from 'commander';

/** Adds the command; it is no use by itself and not shown. */
export function addUpInnerCommand(program: Command, environment: NodeJS.ProcessEnv): void {
  program
    .command('up-inner', { hidden: true })
    .argument('<options>')
    .argument('<init-pid>')
    .action(async (options: string, initPid: string) => {
      const { runInside } = await import('../roles/up-inner.ts');
      await runInside(environment, options, Number(initPid));
    });
}
