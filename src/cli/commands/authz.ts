/** `ambit authz`: the policies of a mesh and what they decided. */
import type { Command } from 'commander';
import { outputOption, withMesh } from '../option-parsers.ts';
import type { AuthzFlags } from '../roles/authz.ts';

/** Adds the command. */
export function addAuthzCommand(program: Command, environment: NodeJS.ProcessEnv): void {
  withMesh(program.command('authz [namespace]'))
    .description(
      'show every authorization policy: where it is enforced, what it allowed and denied, what a dry run would',
    )
    .addOption(outputOption(['json', 'yaml', 'wide']))
    .addHelpText('after', EXAMPLES)
    .action(async (namespace: string | undefined, flags: AuthzFlags) => {
      const { runAuthz } = await import('../roles/authz.ts');
      await runAuthz(namespace, flags, environment);
    });
}

const EXAMPLES = `
A policy that nobody enforces is named, with the reason. Counts are those of requests at waypoints and of connections at
ztunnels; SINCE is the time since when all proxies that enforce it count. The row (none) has what was denied because there
are ALLOW policies and none matched, in all namespaces together: proxies count it in one number. With a namespace: its
policies and those of the whole mesh.

Examples:
  ambit authz
  ambit authz shop -o wide               with the names of all proxies
  ambit authz -o json | jq '.[] | select(.enforcedBy == [])'
  ambit authz -o json | jq '.[] | select(.dryRun and .wouldDeny > 0)'`;
