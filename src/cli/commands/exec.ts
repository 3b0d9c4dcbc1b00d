/** `ambit exec`: runs a command inside a pod of a mesh that is up. */
import type { Command } from 'commander';
import type { ExecFlags } from '../roles/exec.ts';

/** Adds the command. */
export function addExecCommand(program: Command, environment: NodeJS.ProcessEnv): void {
  program
    .command('exec')
    .description('run a command inside a pod; its exit status is passed on')
    .usage('[options] POD|deploy/NAME -- COMMAND...')
    .option('-n, --namespace <namespace>', 'namespace of the pod', 'default')
    .option('-c, --container <name>', 'container whose folder and variables count (the first)')
    .option('--node <node>', 'run it in the network of a node, with no pod given')
    .option('--name <name>', 'the mesh; not needed when only one is up')
    .argument('[target-and-command...]')
    .action(async (words: string[], flags: ExecFlags) => {
      const { runExec } = await import('../roles/exec.ts');
      runExec(environment, words, flags);
    });
}
