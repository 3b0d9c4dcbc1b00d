/** `ambit profile`: where a proxy spends time and memory. */
import { type Command, InvalidArgumentError } from 'commander';
import { withMesh } from '../option-parsers.ts';
import type { ProfileFlags } from '../roles/profile.ts';

const DEFAULT_SECONDS = 10;
const LONGEST_SECONDS = 120;

/** Adds the command. */
export function addProfileCommand(program: Command, environment: NodeJS.ProcessEnv): void {
  withMesh(program.command('profile <proxy>'))
    .description('take a profile of a ztunnel or waypoint, for go tool pprof')
    .option('--seconds <count>', 'how long', parseSeconds, DEFAULT_SECONDS)
    .option('--heap', 'what is allocated and stays, in place of where time goes', false)
    .option('-f, --file <path>', 'where to write it (NAME-cpu.pb.gz)')
    .addHelpText('after', EXAMPLES)
    .action(async (proxy: string, flags: ProfileFlags) => {
      const { runProfile } = await import('../roles/profile.ts');
      await runProfile(proxy, flags, environment);
    });
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= LONGEST_SECONDS) return seconds;
  throw new InvalidArgumentError(`a whole number from 1 to ${LONGEST_SECONDS} is needed.`);
}

const EXAMPLES = `
Examples:
  ambit profile ztunnel-node1 --seconds 30
  ambit profile shop/waypoint --heap -f heap.pb.gz
  go tool pprof -http=: ztunnel-node1-cpu.pb.gz`;
