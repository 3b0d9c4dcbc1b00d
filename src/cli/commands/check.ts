/** `ambit check`: whether a cluster can take the mesh, and whether a mesh is well. */
import type { Command } from 'commander';
import { outputOption, parsePortOption, withMesh } from '../option-parsers.ts';
import type { CheckFlags } from '../roles/check.ts';
import type { CheckPathFlags } from '../roles/check-path.ts';

/** Adds the command. */
export function addCheckCommand(program: Command, environment: NodeJS.ProcessEnv): void {
  const check = program.command('check').enablePositionalOptions();
  withMesh(check)
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
  addPathCommand(check, environment);
}

function addPathCommand(check: Command, environment: NodeJS.ProcessEnv): void {
  withMesh(check.command('path <source> <destination>'))
    .description(
      'try the way of a pod to a destination, hop by hop: names, choice of the way, certificate, MTU, port, TLS, the answer ' +
        'to CONNECT, policies; the exit status is 1 when something fails',
    )
    .option('-n, --namespace <namespace>', 'where names without one are')
    .option('--port <port>', 'that is called, where there are several', parsePortOption)
    .option('--method <method>', 'of the request that policies and routes are asked about', 'GET')
    .option('--path <path>', 'of that request', '/')
    .addOption(outputOption(['json']))
    .addHelpText('after', PATH_EXAMPLES)
    .action(async (source: string, destination: string, flags: CheckPathFlags) => {
      if (check.opts()['pre'] === true)
        check.error('error: --pre is about a cluster before an installation: there is no path yet');
      const { runCheckPath } = await import('../roles/check-path.ts');
      await runCheckPath(source, destination, flags, environment);
    });
}

const EXAMPLES = `
Findings are ✓ well, ‼ worth a look, ✗ wrong, each with what to do.

Examples:
  ambit check --pre                      before ambit install
  ambit check                            programs, versions, configuration, certificates, objects
  ambit check path web.shop cart.shop    the way between two of them, tried hop by hop
  ambit check -o json`;

const PATH_EXAMPLES = `
SOURCE is a pod in the mesh or its Deployment, DESTINATION a service, a pod or an address, with :PORT where it has several. The
proxies try it from where they carry connections: from inside the pod's network, with its certificate. Connections are
opened and closed, nothing is sent to programs; packets of ICMP echo find the MTU.

Examples:
  ambit check path web.shop cart.shop
  ambit check path web.shop 10.96.0.12:80
  ambit check path web.shop cart.shop --method POST --path /items
  ambit check path web -n shop cart:7000 -o json`;
