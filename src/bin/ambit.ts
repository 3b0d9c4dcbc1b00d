/** The entry of every role. */
import { errorText } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { dropUnreadOutput } from '../cli/closed-output.ts';
import { processEnvironment } from './config.ts';

/** They log past the streams of the process, which are better left unopened. */
const DAEMONS: ReadonlySet<string> = new Set(['control', 'agent', 'ztunnel']);

/** The proxy of every node starts without the command-line parser: what is not loaded costs no memory there. */
async function main(): Promise<void> {
  // `proxy ztunnel` and `proxy waypoint` are how charts of Istio start their proxies.
  const words = process.argv.slice(2);
  const [role, ...flags] = words[0] === 'proxy' ? words.slice(1) : words;
  if (role === 'ztunnel' && !flags.some((flag) => flag.startsWith('-'))) {
    const { runZtunnel } = await import('../cli/roles/ztunnel.ts');
    return runZtunnel(processEnvironment());
  }
  if (words[0] === 'proxy' && role === 'waypoint') {
    const { runWaypoint } = await import('../cli/roles/waypoint.ts');
    return runWaypoint(processEnvironment());
  }
  if (role === undefined || !DAEMONS.has(role)) dropUnreadOutput();
  const { createProgram } = await import('../cli/program.ts');
  await createProgram(processEnvironment()).parseAsync();
}

try {
  await main();
} catch (error) {
  // What servers and files say is quoted in it.
  const lines = errorText(error).split('\n').map(printable);
  process.stderr.write(`ambit: ${lines.join('\n')}\n`);
  process.exitCode = 1;
}
