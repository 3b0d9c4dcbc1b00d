/** Looks every hour whether an own root is due for the next step of its rotation. */
import type { Clock, Timer } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';

const ROOT_CHECK_MS = 3_600_000;
export const DEFAULT_OVERLAP_MS = 2 * 86_400_000;

/** @param rotate does the due step and names it, `none` when there is none @returns ends it */
export function keepRoot(
  rotate: () => Promise<string>,
  deps: { readonly clock: Clock; readonly logger: Logger },
): () => void {
  const { clock, logger } = deps;
  let timer: Timer | undefined;
  let stopped = false;
  const check = async () => {
    try {
      const step = await rotate();
      if (step !== 'none') logger.info('root certificate rotation', { step });
    } catch (error) {
      logger.error('root certificate rotation failed', { reason: errorText(error) });
    }
    if (!stopped) timer = clock.after(ROOT_CHECK_MS, () => void check());
  };
  void check();
  return () => {
    stopped = true;
    timer?.cancel();
  };
}
