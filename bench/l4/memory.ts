/** Memory of the proxies: idle, with idle tunnels, and after a burst. Anonymous memory, of client's and server's side. */
import { setTimeout as delay } from 'node:timers/promises';
import { bulk, holdTunnels, tunnels, wrk } from './generators.ts';
import { memoryBytes } from './process-cost.ts';
import type { Contestant } from './proxy-pair.ts';

/** Counted one by one. */
const COUNTED_TUNNELS = 2000;
/** Open while idle tunnels are counted: what the first of them cost once is not theirs. */
const WARM_TUNNELS = 1000;
const BURST_PARALLEL = 16;
const BURST_REQUEST_CONNECTIONS = 64;
const BURST_STREAMS = 8;
/** A burst of connections ends by their number. */
const NO_END_SEC = 300;

/** Of the client's and the server's proxy. */
type Sides = readonly number[];

export interface IdleMemory {
  readonly name: string;
  readonly idleProcess: readonly { readonly rss: number; readonly anonymous: number }[];
  readonly idleTunnel: { readonly clientBytes: number; readonly serverBytes: number };
  /** Growth with that many tunnels, and the memory of the processes then; left out where there was no room for them. */
  readonly manyTunnels?: { readonly tunnels: number; readonly addedBytes: Sides; readonly anonymousBytes: Sides };
}

function anonymous({ pair }: Contestant): Sides {
  return [pair.clientPid, pair.serverPid].map((pid) => memoryBytes(pid).anonymous);
}

const minus = (after: Sides, before: Sides): Sides => after.map((bytes, index) => bytes - (before[index] ?? 0));

/**
 * To be asked before any load: memory that a burst left behind would hide what idle tunnels cost.
 * @param most open at last; 0 for no more than are counted
 */
export async function idleMemory(contestant: Contestant, most: number): Promise<IdleMemory> {
  const { pair, name } = contestant;
  const idleProcess = [pair.clientPid, pair.serverPid].map(memoryBytes);
  const start = anonymous(contestant);
  const holders = [await holdTunnels(contestant, WARM_TUNNELS)];
  const warm = anonymous(contestant);
  holders.push(await holdTunnels(contestant, COUNTED_TUNNELS));
  const [client = 0, server = 0] = minus(anonymous(contestant), warm);
  const idleTunnel = { clientBytes: client / COUNTED_TUNNELS, serverBytes: server / COUNTED_TUNNELS };
  const measured = { name, idleProcess, idleTunnel };
  const more = most - WARM_TUNNELS - COUNTED_TUNNELS;
  const manyTunnels = more > 0 ? await manyMore(contestant, more, start, holders) : undefined;
  for (const close of holders) await close();
  const result = manyTunnels === undefined ? measured : { ...measured, manyTunnels: { tunnels: most, ...manyTunnels } };
  printIdle(result);
  return result;
}

async function manyMore(contestant: Contestant, count: number, start: Sides, holders: (() => Promise<void>)[]) {
  holders.push(await holdTunnels(contestant, count));
  const anonymousBytes = anonymous(contestant);
  return { anonymousBytes, addedBytes: minus(anonymousBytes, start) };
}

function printIdle({ name, idleProcess, idleTunnel, manyTunnels }: IdleMemory): void {
  const kib = (bytes: number) => `${(bytes / 1024).toFixed(1)} KB`;
  const sides = (values: Sides) => values.map(mib).join(' + ');
  const { clientBytes, serverBytes } = idleTunnel;
  console.log(
    `${name}: idle tunnel ${kib(clientBytes)} + ${kib(serverBytes)}; idle process anonymous ` +
      `${sides(idleProcess.map((one) => one.anonymous))}, RSS ${sides(idleProcess.map((one) => one.rss))}`,
  );
  if (manyTunnels === undefined) return;
  const { tunnels, addedBytes, anonymousBytes } = manyTunnels;
  console.log(`  ${tunnels} idle tunnels: ${sides(addedBytes)} more, ${sides(anonymousBytes)} then`);
}

const mib = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(1)} MB`;

export interface BurstMemory {
  readonly name: string;
  readonly beforeBytes: Sides;
  readonly burstBytes: Sides;
  readonly waitMs: number;
  readonly afterBytes: Sides;
}

export interface Burst {
  /** Of requests; half of it for bulk each way. */
  readonly seconds: number;
  /** That are opened and closed. */
  readonly connections: number;
  readonly waitMs: number;
}

/** Requests, connections that come and go, and bulk; then nothing for a while, for all contestants at the same time. */
export async function burstMemory(
  contestants: readonly Contestant[],
  { seconds, connections, waitMs }: Burst,
): Promise<readonly BurstMemory[]> {
  const begun = [];
  for (const contestant of contestants) {
    const beforeBytes = anonymous(contestant);
    await wrk(contestant, BURST_REQUEST_CONNECTIONS, seconds);
    await tunnels(contestant, BURST_PARALLEL, NO_END_SEC, connections);
    await bulk(contestant, 'to the server', BURST_STREAMS, seconds / 2);
    await bulk(contestant, 'to the client', BURST_STREAMS, seconds / 2);
    begun.push({ contestant, beforeBytes, burstBytes: anonymous(contestant) });
  }
  await delay(waitMs);
  return begun.map(({ contestant, beforeBytes, burstBytes }) => {
    const afterBytes = anonymous(contestant);
    const sides = (values: Sides) => values.map(mib).join(' + ');
    console.log(
      `${contestant.name}: ${sides(beforeBytes)} before a burst, ${sides(burstBytes)} at its end, ` +
        `${sides(afterBytes)} after ${waitMs / 1000} s`,
    );
    return { name: contestant.name, beforeBytes, burstBytes, waitMs, afterBytes };
  });
}
