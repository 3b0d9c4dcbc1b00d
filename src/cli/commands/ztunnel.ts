/** `ambit ztunnel`: the node proxy. */
import type { Command } from 'commander';

/** Adds the command. Arguments after it are accepted and ignored, as in `proxy ztunnel`. */
export function addZtunnelCommand(program: Command, environment: NodeJS.ProcessEnv): void {
  program
    .command('ztunnel')
    .description('run the node proxy (L4, mutual TLS tunnels) of this node; configured by environment variables')
    .argument('[ignored...]')
    .action(async () => {
      const { runZtunnel } = await import('../roles/ztunnel.ts');
      await runZtunnel(environment);
    });
}
