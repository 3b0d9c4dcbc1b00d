/** `ambit dump`: the state of one program of the mesh. */
import type { Command } from 'commander';
import { outputOption, withMesh } from '../option-parsers.ts';
import type { DumpFlags } from '../roles/dump.ts';

/** Adds the command. */
export function addDumpCommand(program: Command, environment: NodeJS.ProcessEnv): void {
  withMesh(program.command('dump <proxy>'))
    .description('print what a ztunnel, a waypoint or the control plane has in force, without its secrets')
    .option('--section <name>', 'one part of it, such as services, routes, policies, clusters, certificates')
    .addOption(outputOption(['json', 'yaml']).default('json'))
    .addHelpText('after', EXAMPLES)
    .action(async (proxy: string, flags: DumpFlags) => {
      const { runDump } = await import('../roles/dump.ts');
      await runDump(proxy, flags, environment);
    });
}

const EXAMPLES = `
A proxy is named as ambit status shows it; its name or the beginning of it is enough where that is unique.

Examples:
  ambit dump ztunnel-node1 --section workloads
  ambit dump shop/waypoint --section clusters -o yaml      endpoints, who of them is ejected, what is under way
  ambit dump waypoint --section routes`;
