/** One answer that goes on, of every proxy of a mesh: also of those that come later, and of those that start again. */
import { type Clock, sleep } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import { type MeshProxy, proxyName } from '../model/mesh-proxy.ts';

/** What is asked of each of them, on a port of its loopback. */
export interface FollowedAnswer {
  readonly port: number;
  readonly path: string;
}

/** The proxies of a mesh, and a way to ask them. */
export interface FollowedMesh {
  /** @throws AmbitError with what to do */
  proxies(): Promise<readonly MeshProxy[]>;
  /** Line by line, until the answer ends or the signal ends it. @throws AmbitError, also when the other side ends it */
  follow(
    proxy: MeshProxy,
    asked: FollowedAnswer,
    signal: AbortSignal,
    listener: { onOpen(): void; onLine(line: string): void },
  ): Promise<void>;
}

export interface FollowEvents {
  /** Who is there. Called again and again; those who left are lost first. */
  onListed?(there: readonly MeshProxy[]): void;
  /** Those that were there at first were all asked. @param open how many answer */
  onListening?(open: number, of: number): void;
  onLine(proxy: MeshProxy, line: string): void;
  /** It does not answer at first, or its answer ended. It is asked again. */
  onLost(proxy: MeshProxy, why: string): void;
  /** It answers. @param isFirst whether it was asked with those that were there at first */
  onOpen(proxy: MeshProxy, isFirst: boolean): void;
}

export interface FollowOptions {
  readonly asked: FollowedAnswer;
  /** Whether to go on asking while nobody answers. */
  readonly isPatient: boolean;
}

/** A proxy that ended is back after about a second. */
const LIST_PERIOD_MS = 2000;

/**
 * Until the signal ends it or, without patience, nobody answers any more.
 * @throws AmbitError when the programs cannot be listed at first
 */
export async function followProxies(
  mesh: FollowedMesh,
  { asked, isPatient }: FollowOptions,
  clock: Clock,
  signal: AbortSignal,
  events: FollowEvents,
): Promise<void> {
  const followed = new Set<string>();
  let open = 0;
  const ended = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  const list = async () => (await mesh.proxies()).filter(({ role }) => role !== 'control');

  /** Resolves as soon as it is known whether it answers. */
  const follow = (proxy: MeshProxy, isFirst: boolean): Promise<void> =>
    new Promise((settle) => {
      let isOpen = false;
      const onOpen = () => {
        isOpen = true;
        open += 1;
        events.onOpen(proxy, isFirst);
        settle();
      };
      followed.add(proxyName(proxy));
      mesh
        .follow(proxy, asked, signal, { onOpen, onLine: (line) => events.onLine(proxy, line) })
        .catch((error: unknown) => {
          // Who is away stays so for a while: it is said once.
          if (isFirst || isOpen) events.onLost(proxy, errorText(error));
        })
        .finally(() => {
          if (isOpen) open -= 1;
          followed.delete(proxyName(proxy));
          settle();
        });
    });

  const first = await list();
  events.onListed?.(first);
  await Promise.race([Promise.all(first.map((proxy) => follow(proxy, true))), ended]);
  if (signal.aborted) return;
  events.onListening?.(open, first.length);
  while (open > 0 || isPatient) {
    await sleep(clock, LIST_PERIOD_MS, signal);
    const there = await Promise.race([list().catch(() => undefined), ended.then(() => undefined)]);
    if (signal.aborted) return;
    if (there === undefined) continue;
    events.onListed?.(there);
    const others = there.filter((proxy) => !followed.has(proxyName(proxy)));
    await Promise.race([Promise.all(others.map((proxy) => follow(proxy, false))), ended]);
  }
}
