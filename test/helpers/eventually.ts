import { setTimeout as delay } from 'node:timers/promises';

/**
 * Waits until `check` holds; throws with `what` after `timeoutMs`.
 * The limit only ends a test that has failed: it is long, as a machine with two busy cores may be very slow.
 */
export async function eventually(
  what: string,
  check: () => boolean | Promise<boolean>,
  timeoutMs = 60_000,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await delay(5);
  }
}
