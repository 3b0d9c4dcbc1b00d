/** Measures one file of bench/micro in a process of its own, and prints a line of JSON for each bench. */
import { type MicroBench, measureBench } from './suite.ts';

const [subject = ''] = process.argv.slice(2);
const { benches } = (await import(`./${subject}.ts`)) as { benches(): readonly MicroBench[] };
const smoke = process.env['MICRO_SMOKE'] === '1';
for (const bench of benches()) process.stdout.write(`${JSON.stringify(await measureBench(bench, smoke))}\n`);
