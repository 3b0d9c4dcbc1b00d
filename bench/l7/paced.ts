/**
 * Requests at a fixed pace, whether or not those before were answered. Prints the latency from the moment each was due, as
 * JSON in microseconds. Arguments: URL, requests per second, seconds.
 */
import { Agent, get } from 'node:http';
import { performance } from 'node:perf_hooks';

const [url = '', perSecond = 1000, seconds = 5] = process.argv
  .slice(2)
  .map((text, index) => (index === 0 ? text : +text));
const agent = new Agent({ keepAlive: true, maxSockets: 32 });
const latenciesUs: number[] = [];
let failures = 0;
const total = Number(perSecond) * Number(seconds);
const startMs = performance.now();

function send(dueMs: number): Promise<void> {
  return new Promise((resolve) => {
    const outgoing = get(String(url), { agent }, (response) => {
      if (response.statusCode !== 200) failures += 1;
      response.resume();
      response.on('end', () => {
        latenciesUs.push((performance.now() - dueMs) * 1000);
        resolve();
      });
    });
    outgoing.on('error', () => {
      failures += 1;
      resolve();
    });
  });
}

const pending: Promise<void>[] = [];
await new Promise<void>((resolve) => {
  const tick = () => {
    const elapsedMs = performance.now() - startMs;
    while (pending.length < total && (pending.length * 1000) / Number(perSecond) <= elapsedMs) {
      pending.push(send(startMs + (pending.length * 1000) / Number(perSecond)));
    }
    if (pending.length >= total) resolve();
    else setTimeout(tick, 1);
  };
  tick();
});
await Promise.all(pending);
agent.destroy();
latenciesUs.sort((a, b) => a - b);
const at = (share: number) => latenciesUs[Math.min(latenciesUs.length - 1, Math.floor(latenciesUs.length * share))];
console.log(JSON.stringify({ count: latenciesUs.length, failures, p50Us: at(0.5), p99Us: at(0.99) }));
