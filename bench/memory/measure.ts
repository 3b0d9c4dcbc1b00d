/** What the proxies of a node hold and spend: idle, then while programs call through them. */
import { setTimeout as delay } from 'node:timers/promises';
import { cpuUs } from '../l4/process-cost.ts';
import type { Caller } from './light-traffic.ts';
import { type MemoryUse, memoryOf } from './process-memory.ts';

export const CALLS_PER_SEC = 33;
const SETTLE_MS = Number(process.env['SETTLE_MS'] ?? 8000);

export interface NodeSize {
  readonly pods: number;
  readonly services: number;
}

export interface Measured {
  readonly idle: MemoryUse;
  readonly busy: MemoryUse;
  /** Of all callers together. On a busy machine fewer than were asked for. */
  readonly answersPerSec: number;
  /** Of all proxies together, under the calls. Undefined with one pod: it calls its own address, past ztunnel. */
  readonly cpuMsPerSec: number | undefined;
  readonly cpuUsPerAnswer: number | undefined;
}

interface Reading {
  readonly atMs: number;
  readonly cpuUs: number;
  /** Of each caller so far. */
  readonly answers: readonly number[];
}

/**
 * Idle, then under the calls.
 * @param pids the proxies
 * @throws Error when a caller loses its connection, or gets no answer at all
 */
export async function measure(pids: readonly number[], call: () => Promise<readonly Caller[]>): Promise<Measured> {
  await delay(SETTLE_MS);
  const idle = memoryOf(pids);
  const callers = await call();
  try {
    await delay(SETTLE_MS / 2);
    const before = read(pids, callers);
    await delay(SETTLE_MS);
    ensureConnected(callers);
    const after = read(pids, callers);
    ensureAnswered(callers, before, after);
    return { idle, busy: memoryOf(pids), ...between(before, after) };
  } finally {
    for (const caller of callers) caller.stop();
  }
}

function read(pids: readonly number[], callers: readonly Caller[]): Reading {
  const spentUs = pids.reduce((sum, pid) => sum + cpuUs(pid), 0);
  return { atMs: performance.now(), cpuUs: spentUs, answers: callers.map(({ answers }) => answers) };
}

/** Says who is gone before the figures of a process that has ended are looked for. */
function ensureConnected(callers: readonly Caller[]): void {
  for (const [index, { lost }] of callers.entries()) {
    if (lost !== undefined) throw new Error(`caller ${index} lost its connection: ${lost}`);
  }
}

function ensureAnswered(callers: readonly Caller[], before: Reading, after: Reading): void {
  for (const [index, { refused }] of callers.entries()) {
    if (after.answers[index] !== before.answers[index]) continue;
    throw new Error(`caller ${index} got no answer${refused === undefined ? '' : `, but ${refused}`}`);
  }
}

function between(before: Reading, after: Reading): Pick<Measured, 'answersPerSec' | 'cpuMsPerSec' | 'cpuUsPerAnswer'> {
  const total = ({ answers }: Reading) => answers.reduce((sum, count) => sum + count, 0);
  const seconds = (after.atMs - before.atMs) / 1000;
  const answers = total(after) - total(before);
  const spentUs = after.cpuUs - before.cpuUs;
  const isAlone = after.answers.length === 1;
  return {
    answersPerSec: answers / seconds,
    cpuMsPerSec: isAlone ? undefined : spentUs / 1000 / seconds,
    cpuUsPerAnswer: isAlone ? undefined : spentUs / answers,
  };
}
