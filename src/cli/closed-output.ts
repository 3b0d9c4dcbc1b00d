/** A reader that goes away, such as `| head`, ends the printing and not the work. */
import { systemErrorCode } from '../base/errors.ts';

/** From here on what nobody reads is dropped. Other failures of the streams still end the process. */
export function dropUnreadOutput(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error) => {
      if (systemErrorCode(error) !== 'EPIPE') throw error;
    });
  }
}
