/** How long a process leaves a question unanswered: what is seen of the delay of its event loop from outside. */
import { Agent, get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

const PAUSE_MS = 10;

/** Asks until the signal. @returns how long each answer took, in milliseconds */
export async function askUntil(url: string, signal: AbortSignal): Promise<readonly number[]> {
  const agent = new Agent({ keepAlive: true });
  const tookMs: number[] = [];
  while (!signal.aborted) {
    const startMs = performance.now();
    await new Promise<void>((resolve, reject) => {
      get(url, { agent }, (response) => response.on('end', resolve).resume()).on('error', reject);
    });
    tookMs.push(performance.now() - startMs);
    await delay(PAUSE_MS);
  }
  agent.destroy();
  return tookMs;
}
