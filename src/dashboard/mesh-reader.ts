/**
 * What the programs of a mesh say of it, asked at most every few seconds however many pages are open.
 *
 * Invariant: answers are kept for each way of asking by itself, so that nobody sees what another's rights brought.
 */
import { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import { AmbitError, errorText } from '../base/errors.ts';
import type { ListedObject } from '../control/objects-dump.ts';
import { type MeshProxy, proxyName } from '../model/mesh-proxy.ts';
import type { CertificateStatus, ProxyStatus } from '../model/proxy-status.ts';
import { MeshFeed } from './mesh-feed.ts';
import type { MeshPrograms } from './mesh-programs.ts';

const feedSchema = z.record(z.string(), z.record(z.string(), z.string()));
const objectsSchema = z.array(
  z.object({
    kind: z.string(),
    namespace: z.string(),
    name: z.string(),
    position: z.string(),
    state: z.enum(['in force', 'stale', 'refused']),
    findings: z.array(z.object({ code: z.string(), name: z.string(), level: z.string(), message: z.string() })),
    spec: z.unknown().optional(),
  }),
);
const statusSchema = z.object({
  version: z.string(),
  connections: z.number(),
  certificates: z.array(
    z.object({
      identity: z.string(),
      state: z.enum(['Initializing', 'Available', 'Unavailable']),
      error: z.string(),
      notAfterMs: z.number(),
    }),
  ),
});
const clustersSchema = z.object({
  clusters: z.array(z.object({ endpoints: z.array(z.object({ uid: z.string(), ejected: z.boolean() })) })),
});

/** A certificate, and which program has it. */
export interface HeldCertificate extends CertificateStatus {
  readonly proxy: string;
}

export type ObjectInForce = Omit<ListedObject, 'findings'> & {
  readonly findings: readonly {
    readonly code: string;
    readonly name: string;
    readonly level: string;
    readonly message: string;
  }[];
};

const ADMIN_PORT = 15000;
const KEEP_MS = 4000;
const AT_A_TIME = 16;

interface Kept {
  readonly untilMs: number;
  readonly answer: Promise<unknown>;
}

export class MeshReader {
  readonly #programs: MeshPrograms;
  readonly #clock: Clock;
  readonly #kept = new Map<string, Kept>();

  constructor(programs: MeshPrograms, clock: Clock) {
    this.#programs = programs;
    this.#clock = clock;
  }

  /** What proxies are fed. @throws AmbitError CONTROL_UNREACHABLE */
  feed(): Promise<MeshFeed> {
    return this.#once('feed', async () => {
      const types = feedSchema.parse(await this.#askControl('/debug/resourcesz'));
      const received = ([name, value]: readonly [string, string]) => ({
        name,
        version: '',
        aliases: [],
        bytes: Buffer.from(value, 'base64'),
      });
      return new MeshFeed(
        new Map(Object.entries(types).map(([typeUrl, all]) => [typeUrl, Object.entries(all).map(received)])),
      );
    });
  }

  /** The objects that configure the mesh. @throws AmbitError CONTROL_UNREACHABLE */
  objects(): Promise<readonly ObjectInForce[]> {
    return this.#once('objects', async () => objectsSchema.parse(await this.#askControl('/debug/objectsz')));
  }

  /** Certificates at all proxies that answer. @throws AmbitError when proxies cannot be listed */
  certificates(): Promise<readonly HeldCertificate[]> {
    return this.#once('certificates', async () => {
      const answers = await this.#askProxies(() => true, '/status');
      return answers.flatMap(({ proxy, value }) => {
        const status: ProxyStatus = statusSchema.parse(value);
        return status.certificates.map((certificate) => ({ proxy: proxyName(proxy), ...certificate }));
      });
    });
  }

  /** Uids of endpoints that some waypoint has taken out of balancing. @throws AmbitError when proxies cannot be listed */
  ejected(): Promise<ReadonlySet<string>> {
    return this.#once('ejected', async () => {
      const answers = await this.#askProxies(({ role }) => role === 'waypoint', '/config_dump');
      const endpoints = answers
        .flatMap(({ value }) => clustersSchema.parse(value).clusters)
        .flatMap((cluster) => cluster.endpoints);
      return new Set(endpoints.filter(({ ejected }) => ejected).map(({ uid }) => uid));
    });
  }

  /** Answers once for all who ask within a few seconds; a failure is not kept. */
  #once<T>(name: string, ask: () => Promise<T>): Promise<T> {
    const nowMs = this.#clock.monotonicMs();
    const kept = this.#kept.get(name);
    // Each name is asked for one type of answer only.
    if (kept !== undefined && nowMs < kept.untilMs) return kept.answer as Promise<T>;
    const answer = ask();
    this.#kept.set(name, { untilMs: nowMs + KEEP_MS, answer });
    answer.catch(() => this.#kept.delete(name));
    return answer;
  }

  /** Of the first control plane that answers: all have the same. */
  async #askControl(path: string): Promise<unknown> {
    const controls = (await this.#programs.proxies()).filter(({ role }) => role === 'control');
    const failures: string[] = [];
    for (const control of controls) {
      try {
        return JSON.parse(await this.#programs.ask(control, this.#programs.controlPort, path)) as unknown;
      } catch (error) {
        failures.push(errorText(error));
      }
    }
    const why = failures.length === 0 ? 'there is none' : failures.join('; ');
    throw new AmbitError('CONTROL_UNREACHABLE', `no control plane answers ${path}: ${why}`);
  }

  /** Those that do not answer are left out: the graph says which they are. */
  async #askProxies(
    wanted: (proxy: MeshProxy) => boolean,
    path: string,
  ): Promise<{ readonly proxy: MeshProxy; readonly value: unknown }[]> {
    const proxies = (await this.#programs.proxies()).filter((proxy) => proxy.role !== 'control' && wanted(proxy));
    const answers: { readonly proxy: MeshProxy; readonly value: unknown }[] = [];
    const work = async () => {
      for (let proxy = proxies.shift(); proxy !== undefined; proxy = proxies.shift()) {
        const text = await this.#programs.ask(proxy, ADMIN_PORT, path).catch(() => undefined);
        if (text !== undefined) answers.push({ proxy, value: JSON.parse(text) as unknown });
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, work));
    return answers;
  }
}
