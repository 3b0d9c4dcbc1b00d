/**
 * Requests and connections of all proxies as they end, for viewers who look just now.
 *
 * Invariants:
 * - At most MAX_VIEWERS look at once, and a few of each person; a viewer who leaves ends what was opened at proxies for it.
 * - Whether a viewer may look, and at what, is decided again every few seconds.
 * - A viewer gets no more than it reads; what is left out, here or at a proxy, is counted and said.
 * - A proxy that starts again, or comes later, is listened to as well.
 * - Nothing is kept.
 */
import { z } from 'zod';
import { type Clock, sleep } from '../base/clock.ts';
import { type MeshProxy, proxyName } from '../model/mesh-proxy.ts';
import { followProxies } from '../traffic/follow-proxies.ts';
import type { MeshPrograms } from './mesh-programs.ts';
import { isAnswer, type Viewer } from './viewer.ts';

/** To one browser. */
export interface EventSink {
  /** @returns false when the browser does not read fast enough: it was not sent */
  send(event: string, data: object): boolean;
  /** Aborted when the browser is gone. */
  readonly signal: AbortSignal;
}

export type StreamHandler = (viewer: Viewer, query: URLSearchParams, sink: EventSink) => Promise<void>;

const ADMIN_PORT = 15000;
/** Proxies take sixteen listeners each, and those of commands are among them. */
const MAX_VIEWERS = 12;
const MAX_OF_PERSON = 2;
/** Where nobody logs in. */
const MAX_OF_OWNER = 4;
const DECIDED_EVERY_MS = 20_000;
const PER_PROXY_PER_SEC = 50;
/** Of those that do not answer, each with its reason. */
const MAX_MISSING = 5;
const FILTERS = ['namespace', 'workload', 'method', 'path', 'status'];
const skippedSchema = z.object({ skipped: z.number() });
const recordSchema = z
  .object({ timeMs: z.number(), kind: z.enum(['request', 'connection']) })
  .catchall(z.union([z.string(), z.number(), z.boolean()]));

export class LiveTap {
  readonly #programs: (viewer: Viewer) => MeshPrograms;
  readonly #clock: Clock;
  /** Who looks, by name; several times who looks with several browsers. */
  readonly #looking: (string | undefined)[] = [];

  constructor(programs: (viewer: Viewer) => MeshPrograms, clock: Clock) {
    this.#programs = programs;
    this.#clock = clock;
  }

  /** Sends events `record`, `skipped` and `listening` until the browser is gone. @throws Error when too many look */
  readonly handler: StreamHandler = async (viewer, query, sink) => {
    const { name } = viewer;
    const own = this.#looking.filter((other) => other === name).length;
    const maxOwn = name === undefined ? MAX_OF_OWNER : MAX_OF_PERSON;
    if (own >= maxOwn) throw new Error(`${maxOwn} of your browsers look at the tap already: close one of them`);
    if (this.#looking.length >= MAX_VIEWERS)
      throw new Error(`${MAX_VIEWERS} browsers look at the tap already: try later`);
    this.#looking.push(name);
    const ended = new AbortController();
    try {
      await this.#follow(this.#whileLetIn(viewer, ended), query, {
        send: (event, data) => sink.send(event, data),
        signal: AbortSignal.any([sink.signal, ended.signal]),
      });
    } finally {
      ended.abort();
      this.#looking.splice(this.#looking.indexOf(name), 1);
    }
  };

  /** The viewer with the rights of the last few seconds. @param ended aborted when they are not let in any more */
  #whileLetIn(viewer: Viewer, ended: AbortController): Viewer {
    let { mayRead } = viewer;
    const decide = async () => {
      while (viewer.again !== undefined) {
        await sleep(this.#clock, DECIDED_EVERY_MS, ended.signal);
        if (ended.signal.aborted) return;
        const admitted = await viewer.again();
        if (isAnswer(admitted)) return ended.abort();
        mayRead = admitted.mayRead;
      }
    };
    decide().catch(() => ended.abort());
    return { ...viewer, mayRead: (namespace) => mayRead(namespace) };
  }

  async #follow(viewer: Viewer, query: URLSearchParams, sink: EventSink): Promise<void> {
    const asked = { port: ADMIN_PORT, path: `/tap?${filterOf(query)}` };
    const state = new ListeningState(sink);
    let skipped = 0;
    await followProxies(this.#programs(viewer), { asked, isPatient: true }, this.#clock, sink.signal, {
      onListed: (there) => state.listed(there),
      onOpen: (proxy) => state.opened(proxy),
      onLost: (proxy, why) => state.lost(proxy, why),
      onLine: (proxy, line) => {
        const value: unknown = JSON.parse(line);
        const left = skippedSchema.safeParse(value);
        if (left.success) skipped += left.data.skipped;
        else {
          const record = recordSchema.parse(value);
          if (!isForViewer(viewer, record)) return;
          if (!sink.send('record', { proxy: proxyName(proxy), ...record })) skipped += 1;
        }
        if (skipped > 0 && sink.send('skipped', { skipped })) skipped = 0;
      },
    });
  }
}

/** Which proxies are listened to, as a browser is told with each change. */
class ListeningState {
  readonly #sink: EventSink;
  readonly #open = new Set<string>();
  /** Why those that are there do not answer. */
  readonly #missing = new Map<string, string>();
  #of = 0;
  #said = '';

  constructor(sink: EventSink) {
    this.#sink = sink;
  }

  listed(there: readonly MeshProxy[]): void {
    const names = new Set(there.map(proxyName));
    this.#of = names.size;
    for (const name of this.#missing.keys()) if (!names.has(name)) this.#missing.delete(name);
    this.#say();
  }

  opened(proxy: MeshProxy): void {
    this.#open.add(proxyName(proxy));
    this.#missing.delete(proxyName(proxy));
    this.#say();
  }

  lost(proxy: MeshProxy, why: string): void {
    this.#open.delete(proxyName(proxy));
    this.#missing.set(proxyName(proxy), why);
    this.#say();
  }

  #say(): void {
    const missing = [...this.#missing.values()].slice(-MAX_MISSING);
    const state = { listening: this.#open.size, of: this.#of, missing };
    const text = JSON.stringify(state);
    if (text !== this.#said && this.#sink.send('listening', state)) this.#said = text;
  }
}

function filterOf(query: URLSearchParams): string {
  const filter = new URLSearchParams({ 'max-rps': String(PER_PROXY_PER_SEC) });
  for (const name of FILTERS) {
    const value = query.get(name) ?? '';
    if (value !== '') filter.set(name, value);
  }
  return filter.toString();
}

/** What begins or ends in a namespace that the viewer may read. */
function isForViewer(viewer: Viewer, record: Readonly<Record<string, unknown>>): boolean {
  const namespaces = [record['src.namespace'], record['dst.namespace']];
  return namespaces.some((namespace) => typeof namespace === 'string' && namespace !== '' && viewer.mayRead(namespace));
}
