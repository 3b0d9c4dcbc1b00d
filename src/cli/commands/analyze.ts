/** `ambit analyze`: what is wrong with a configuration. */
import { type Command, Option } from 'commander';
import { collect, outputOption } from '../option-parsers.ts';
import type { AnalyzeFlags } from '../roles/analyze.ts';

/** Adds the command. */
export function addAnalyzeCommand(program: Command, environment: NodeJS.ProcessEnv): void {
  const threshold = new Option('--failure-threshold <level>', 'what makes the exit status 79');
  program
    .command('analyze')
    .description('say what is wrong with the configuration of a folder or a cluster, by the codes of istioctl analyze')
    .option('-f, --file <folder>', 'manifests to look at, in place of a cluster')
    .option('--kubeconfig <file>', 'as for kubectl')
    .option('--context <name>', 'context of the kubeconfig (its current one)')
    .option('-n, --namespace <namespace>', 'objects of it (all)')
    .option('-S, --suppress <code[=object]>', 'leave out a code, or of an object only; may be repeated', collect)
    .addOption(threshold.choices(['Info', 'Warning', 'Error']).default('Error'))
    .addOption(outputOption(['json', 'yaml']))
    .addHelpText('after', EXAMPLES)
    .action(async (flags: AnalyzeFlags) => {
      const { runAnalyze } = await import('../roles/analyze.ts');
      await runAnalyze(flags, environment);
    });
}

const EXAMPLES = `
An object leaves out codes by the annotation galley.istio.io/analyze-suppress: CODE[,CODE], or "*". What a cluster makes of
a folder, such as pods of Deployments, is added before it is looked at.

Examples:
  ambit analyze -f manifests/                                   before anything is applied; exit status 79 on errors
  ambit analyze -n shop                                         what a cluster has in namespace shop
  ambit analyze -f manifests/ --failure-threshold Warning       stricter, for a pipeline
  ambit analyze -S IST0118 -S 'IST0127=AuthorizationPolicy shop/*'`;
