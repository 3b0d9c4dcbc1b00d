/** The entry of every role. */
import { errorText } from '../base/errors.ts';
import { createProgram } from '../cli/program.ts';
import { processEnvironment } from './config.ts';

try {
  await createProgram(processEnvironment()).parseAsync();
} catch (error) {
  process.stderr.write(`ambit: ${errorText(error)}\n`);
  process.exitCode = 1;
}
