/** `/debug/pprof` of the admin endpoint (facts ztunnel-wire 11.4): profiles of all threads together, for `go tool pprof`. */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Clock } from '../base/clock.ts';
import type { HttpAnswer, HttpRequest, HttpRoutes } from '../net/http-endpoint.ts';
import { encodePprof, type StackProfile, type StackSample } from './pprof.ts';
import { HEAP_SAMPLE_BYTES, ThreadProfiler } from './thread-profiler.ts';

const compress = promisify(gzip);
const DEFAULT_SECONDS = 10;
const MAX_SECONDS = 120;
const DEFAULT_HZ = 100;
const MAX_HZ = 1000;

/** Stacks of one thread. */
export interface ThreadSamples {
  readonly thread: string;
  readonly samples: readonly StackSample[];
}

/** The profilers of all threads. */
export interface ThreadProfilers {
  /** Undefined when a profile is being taken already. */
  cpu(durationMs: number, frequencyHz: number): Promise<readonly ThreadSamples[] | undefined>;
  sampleHeap(active: boolean): Promise<void>;
  /** Undefined without sampling. */
  heap(): Promise<readonly ThreadSamples[] | undefined>;
}

export interface ProfileDeps {
  readonly clock: Clock;
  readonly profilers: ThreadProfilers;
}

/** Of a program with one thread. */
export function singleThreadProfilers(clock: Clock): ThreadProfilers {
  const own = new ThreadProfiler(clock);
  const named = (samples: readonly StackSample[] | undefined) => samples && [{ thread: 'main', samples }];
  return {
    cpu: async (durationMs, frequencyHz) => named(await own.cpu(durationMs, frequencyHz)),
    sampleHeap: (active) => own.sampleHeap(active),
    heap: async () => named(await own.heap()),
  };
}

/** The routes. */
export function profileRoutes({ clock, profilers }: ProfileDeps): HttpRoutes {
  return {
    'GET /debug/pprof/profile': async ({ url }) => {
      const seconds = numberOf(url, 'seconds', DEFAULT_SECONDS, MAX_SECONDS);
      const frequencyHz = numberOf(url, 'frequency', DEFAULT_HZ, MAX_HZ);
      if (seconds === undefined || frequencyHz === undefined) return badRequest();
      const atMs = clock.nowMs();
      const threads = await profilers.cpu(seconds * 1000, frequencyHz);
      if (threads === undefined) return { status: 409, body: 'a CPU profile is being taken: wait for its end\n' };
      return pprof({ ...cpuProfile(frequencyHz), atMs, durationMs: seconds * 1000, samples: allStacks(threads) });
    },
    'GET /debug/pprof/heap/profiling': (request) => switchHeap(profilers, request),
    'GET /debug/pprof/heap': async () => {
      const threads = await profilers.heap();
      if (threads === undefined) return { status: 409, body: HEAP_IS_OFF };
      return pprof({ ...HEAP_PROFILE, atMs: clock.nowMs(), durationMs: 0, samples: allStacks(threads) });
    },
  };
}

const HEAP_IS_OFF = 'allocations are not sampled: ask for /debug/pprof/heap/profiling?activate=true first\n';
const HEAP_PROFILE = {
  valueTypes: [
    { type: 'inuse_objects', unit: 'count' },
    { type: 'inuse_space', unit: 'bytes' },
  ],
  periodType: { type: 'space', unit: 'bytes' },
  period: HEAP_SAMPLE_BYTES,
} satisfies Partial<StackProfile>;

function cpuProfile(frequencyHz: number) {
  return {
    valueTypes: [
      { type: 'samples', unit: 'count' },
      { type: 'cpu', unit: 'nanoseconds' },
    ],
    periodType: { type: 'cpu', unit: 'nanoseconds' },
    period: Math.round(1e9 / frequencyHz),
  } satisfies Partial<StackProfile>;
}

async function switchHeap(profilers: ThreadProfilers, { url }: HttpRequest): Promise<HttpAnswer> {
  const activate = url.searchParams.get('activate');
  if (activate !== 'true' && activate !== 'false') return { status: 400, body: 'activate has to be true or false\n' };
  await profilers.sampleHeap(activate === 'true');
  return { status: 200, body: `heap profiling is ${activate === 'true' ? 'active' : 'inactive'}\n` };
}

/** The thread becomes the outermost frame, so that a flame graph has one tower for each. */
function allStacks(threads: readonly ThreadSamples[]): StackSample[] {
  return threads.flatMap(({ thread, samples }) => {
    const outermost = { name: `thread ${thread}`, file: '', line: 0 };
    return samples.map(({ stack, values }) => ({ stack: [...stack, outermost], values }));
  });
}

async function pprof(profile: StackProfile): Promise<HttpAnswer> {
  return { status: 200, body: await compress(encodePprof(profile)), contentType: 'application/octet-stream' };
}

/** A whole number from 1 to `max`; undefined when it is none. */
function numberOf(url: URL, name: string, missing: number, max: number): number | undefined {
  const text = url.searchParams.get(name);
  if (text === null || text === '') return missing;
  const value = Number(text);
  return Number.isInteger(value) && value >= 1 && value <= max ? value : undefined;
}

function badRequest(): HttpAnswer {
  return { status: 400, body: `seconds is from 1 to ${MAX_SECONDS}, frequency from 1 to ${MAX_HZ}\n` };
}
