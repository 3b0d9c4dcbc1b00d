/**
 * Memory of the control plane and of the agent when small and with 2,000 pods and 200 services. Writes
 * bench/results/memory.json.
 *
 * Run: make bench-memory    as root, for the agent's sockets
 */
import { setTimeout as delay } from 'node:timers/promises';
import { memoryBytes } from '../l4/process-cost.ts';
import { writeResults } from '../results.ts';
import { AgentUnderTest } from './agent-process.ts';
import { ControlUnderTest } from './control-process.ts';

const SETTLE_MS = 5000;

interface Line {
  readonly what: string;
  readonly rssMb: number;
  readonly anonymousMb: number;
  readonly aim: string;
}

const lines: Line[] = [];

async function take(what: string, aim: string, pid: number): Promise<void> {
  await delay(SETTLE_MS);
  const { rss, anonymous } = memoryBytes(pid);
  lines.push({ what, rssMb: rss / 1e6, anonymousMb: anonymous / 1e6, aim });
}

for (const [what, aim, pods, services] of [
  ['control plane, 20 pods, 5 services', 'RSS <= 110 MB (istiod: 127 MiB)', 20, 5],
  ['control plane, 2,000 pods, 200 services', 'RSS <= 150 MB (istiod: 167 MiB)', 2000, 200],
] as const) {
  await using control = await ControlUnderTest.start(pods, services);
  await take(what, aim, control.pid);
}
{
  await using agent = await AgentUnderTest.start();
  await take('agent, 50 pods on its node of 1,000', 'RSS <= 75 MB, anonymous <= 30 MB', agent.pid);
}
for (const { what, rssMb, anonymousMb, aim } of lines) {
  console.log(
    `${what.padEnd(46)} RSS ${rssMb.toFixed(0).padStart(4)} MB   anonymous ${anonymousMb.toFixed(0).padStart(4)} MB   ${aim}`,
  );
}
writeResults('memory', { lines });
