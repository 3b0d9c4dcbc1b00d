/** `ambit explain`: why a call passes or does not. */
import { type Command, InvalidArgumentError } from 'commander';
import { collect, outputOption, withMesh } from '../option-parsers.ts';
import type { ExplainFlags } from '../roles/explain.ts';

/** Adds the command. */
export function addExplainCommand(program: Command, environment: NodeJS.ProcessEnv): void {
  withMesh(program.command('explain <from> <to>'))
    .description(
      'say which hop, route, policy and rule decides over a call, and what would change it; the exit status is 1 when ' +
        'it is refused',
    )
    .option('-f, --file <folder>', 'what would happen if the manifests in it were the mesh')
    .option('-n, --namespace <namespace>', 'where names without one are')
    .option('--method <method>', 'of the request', 'GET')
    .option('--path <path>', 'of the request', '/')
    .option('--header <name: value>', 'of the request; may be repeated', collect)
    .option('--port <port>', 'that is called, where there are several', parsePortOption)
    .addOption(outputOption(['json', 'yaml']))
    .addHelpText('after', EXAMPLES)
    .action(async (from: string, to: string, flags: ExplainFlags) => {
      const { runExplain } = await import('../roles/explain.ts');
      await runExplain(from, to, flags, environment);
    });
}

function parsePortOption(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new InvalidArgumentError('a port from 1 to 65535 is needed.');
}

const EXAMPLES = `
FROM is a pod or its Deployment, or the word outside for a client that is not in the mesh; TO a service, a pod or an
address, with :PORT where it has several. What proxies are fed is asked by the code that proxies run: no traffic is sent.

Examples:
  ambit explain web.shop cart.shop --path /items --method POST
  ambit explain web.shop cart.shop --header 'x-version: 2'     which route takes it
  ambit explain outside cart.shop                              whether plaintext gets in
  ambit explain -f manifests/ web.shop cart.shop               before anything is applied`;
