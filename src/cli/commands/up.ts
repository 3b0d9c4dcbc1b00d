/** `ambit up`: a whole mesh on this machine, from a folder of Kubernetes manifests. */
import { type Command, InvalidArgumentError } from 'commander';
import { MAX_NODES } from '../../local/network-plan.ts';
import type { UpFlags } from '../roles/up.ts';
import { DEFAULT_RUN_NAME } from '../run-name.ts';

const HELP = `
Every Deployment and Pod in the folder runs as processes of this machine: the image is ignored, the command counts.
Each node and pod is a network namespace. Label a namespace istio.io/dataplane-mode=ambient to put its pods into the
mesh, also while it is up: the folder is watched. Processes, namespaces, mounts and rules go with the command, however it ends.

In other terminals:
  ambit exec -n NAMESPACE deploy/NAME -- COMMAND    run a command in a pod
  ambit down                                        end it`;

/** Adds the command. */
export function addUpCommand(program: Command, environment: NodeJS.ProcessEnv): void {
  program
    .command('up')
    .description('run a whole mesh on this machine, from a folder of Kubernetes manifests')
    .argument('<folder>', 'folder of manifests; it is watched')
    .option('--nodes <count>', 'number of nodes (the Node objects of the folder, else 1)', parseNodes)
    .option('--name <name>', 'name of this mesh, to run several', DEFAULT_RUN_NAME)
    .option('-q, --quiet', 'print problems only', false)
    .option('--keep-logs', 'leave the logs when it ends', false)
    .addHelpText('after', HELP)
    .action(async (folder: string, flags: UpFlags) => {
      const { runUp } = await import('../roles/up.ts');
      await runUp(environment, folder, flags);
    });
}

function parseNodes(text: string): number {
  const count = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= MAX_NODES) return count;
  throw new InvalidArgumentError(`a number from 1 to ${MAX_NODES} is needed.`);
}
