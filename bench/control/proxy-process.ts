/**
 * Some of the proxies of a bench, in a process of their own. All of them know the same: the first one notes it for all.
 * Told over IPC; each command has one reply, and they are sent one after the other.
 */

import { nameAndVersion } from './feed-reader.ts';
import { firstRequest, LightProxy } from './light-proxy.ts';

export type ProxyCommand =
  /** More proxies connect. @see `knows`: with the versions that were held before they were cut */
  | {
      readonly kind: 'open';
      readonly count: number;
      readonly port: number;
      readonly rootsPem: string;
      readonly knows: boolean;
    }
  /** Until so many resources were read by every proxy, or the limit. */
  | { readonly kind: 'await'; readonly names: number; readonly limitMs: number }
  | { readonly kind: 'totals' }
  | { readonly kind: 'cut' };

export interface ProxyTotals {
  /** Of messages, in both directions without acknowledgements. */
  readonly readBytes: number;
  readonly firstRequestBytes: number;
  readonly responses: number;
  readonly resources: number;
}

export type ProxyReply =
  | { readonly kind: 'done' }
  | { readonly kind: 'totals'; readonly totals: ProxyTotals }
  /** By name, when the last proxy read it: the machine's monotonic clock, in nanoseconds. */
  | { readonly kind: 'arrived'; readonly arrivals: readonly (readonly [name: string, atNs: string])[] };

interface Arrival {
  count: number;
  lastNs: bigint;
}

const known = new Map<string, string>();
let proxies: LightProxy[] = [];
let requestBytes = 0;
let arrivals = new Map<string, Arrival>();
let complete = 0;
let wanted = { names: Number.POSITIVE_INFINITY, reached: (): void => undefined };

function note(resource: Buffer): void {
  const { name } = nameAndVersion(resource);
  const arrival = arrivals.get(name) ?? { count: 0, lastNs: 0n };
  arrival.count++;
  arrival.lastNs = process.hrtime.bigint();
  arrivals.set(name, arrival);
  if (arrival.count !== proxies.length) return;
  complete++;
  if (complete >= wanted.names) wanted.reached();
}

async function open({ count, port, rootsPem, knows }: ProxyCommand & { kind: 'open' }): Promise<ProxyReply> {
  const request = firstRequest(knows ? known : new Map());
  const opened = Array.from({ length: count }, (_, index) => {
    const notes = proxies.length + index === 0;
    return new LightProxy({
      port,
      rootsPem,
      firstRequest: request,
      onResource: (resource, isFirst) => {
        if (notes) {
          const { name, version } = nameAndVersion(resource);
          known.set(name, version);
        }
        if (!isFirst) note(resource);
      },
    });
  });
  proxies = [...proxies, ...opened];
  requestBytes += count * request.length;
  await Promise.all(opened.map(({ synced }) => synced));
  return { kind: 'done' };
}

async function awaitArrivals({ names, limitMs }: ProxyCommand & { kind: 'await' }): Promise<ProxyReply> {
  arrivals = new Map();
  complete = 0;
  await new Promise<void>((resolve) => {
    const limit = setTimeout(resolve, limitMs);
    const reached = () => {
      clearTimeout(limit);
      resolve();
    };
    wanted = { names, reached };
  });
  const all = [...arrivals].filter(([, { count }]) => count >= proxies.length);
  return { kind: 'arrived', arrivals: all.map(([name, { lastNs }]) => [name, String(lastNs)]) };
}

function totals(): ProxyTotals {
  const sum = (field: 'bytes' | 'responses' | 'resources') => proxies.reduce((total, proxy) => total + proxy[field], 0);
  return {
    readBytes: sum('bytes'),
    firstRequestBytes: requestBytes,
    responses: sum('responses'),
    resources: sum('resources'),
  };
}

async function answer(command: ProxyCommand): Promise<ProxyReply> {
  switch (command.kind) {
    case 'open':
      return open(command);
    case 'await':
      return awaitArrivals(command);
    case 'totals':
      return { kind: 'totals', totals: totals() };
    case 'cut':
      for (const proxy of proxies) proxy.cut();
      proxies = [];
      requestBytes = 0;
      return { kind: 'done' };
  }
}

// Nobody is left to ask.
process.on('disconnect', () => process.exit());
process.on('message', async (command: ProxyCommand) => process.send?.(await answer(command)));
