/** How long a process leaves a question unanswered: what is seen of the delay of its event loop from outside. */
import { Agent, get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

const PAUSE_MS = 10;

/**
 * Asks again and again while something is done.
 * @returns what came of it, and how long each answer took, in milliseconds
 * @throws Error when an answer is not 200, or what is done fails
 */
export async function whileAsking<T>(
  url: string,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly answersMs: readonly number[] }> {
  const done = new AbortController();
  const working = work().finally(() => done.abort());
  const [result, answersMs] = await Promise.all([working, askUntil(url, done.signal)]);
  return { result, answersMs };
}

async function askUntil(url: string, signal: AbortSignal): Promise<readonly number[]> {
  const agent = new Agent({ keepAlive: true });
  const tookMs: number[] = [];
  try {
    while (!signal.aborted) {
      const startMs = performance.now();
      await ask(url, agent);
      tookMs.push(performance.now() - startMs);
      await delay(PAUSE_MS);
    }
  } finally {
    agent.destroy();
  }
  return tookMs;
}

function ask(url: string, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${url} answered ${response.statusCode}`));
      response.on('end', resolve).resume();
    }).on('error', reject);
  });
}
