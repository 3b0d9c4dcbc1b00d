/** A reader that goes away, such as `| head`, ends the printing and not the work. */
import { errorText, systemErrorCode } from '../base/errors.ts';

/** From here on what nobody reads is dropped. Other failures of the streams still end the process. */
export function dropUnreadOutput(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error) => {
      if (systemErrorCode(error) === 'EPIPE') return;
      if (stream !== process.stderr) process.stderr.write(`ambit: the output cannot be written: ${errorText(error)}\n`);
      process.exit(1);
    });
  }
}
