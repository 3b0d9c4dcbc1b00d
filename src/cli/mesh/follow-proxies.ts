/** One answer that goes on, of every proxy of a mesh: also of those that come later, and of those that start again. */
import { type Clock, sleep } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import { type MeshProxy, proxyName } from '../../model/mesh-proxy.ts';
import { followProxy, type MeshAccess, type ProxyRequest } from './mesh-access.ts';

export interface FollowEvents {
  /** Those that were there at first were all asked. @param open how many answer */
  onListening(open: number, of: number): void;
  onLine(proxy: MeshProxy, line: string): void;
  /** One does not answer at first, or its answer ended. It is asked again. */
  onLost(why: string): void;
  /** One that was not there, or was lost, answers. */
  onFound(proxy: MeshProxy): void;
}

/** A proxy that ended is back after about a second. */
const LIST_PERIOD_MS = 2000;

/**
 * Until the signal ends it, or nobody answers any more.
 * @throws AmbitError when the programs cannot be listed at first
 */
export async function followProxies(
  access: MeshAccess,
  asked: ProxyRequest,
  clock: Clock,
  signal: AbortSignal,
  events: FollowEvents,
): Promise<void> {
  const followed = new Set<string>();
  let open = 0;
  const ended = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  const list = async () => (await access.proxies()).filter(({ role }) => role !== 'control');

  /** Resolves as soon as it is known whether it answers. */
  const follow = (proxy: MeshProxy, isFirst: boolean): Promise<boolean> =>
    new Promise((settle) => {
      let isOpen = false;
      const onOpen = () => {
        isOpen = true;
        open += 1;
        settle(true);
      };
      followed.add(proxyName(proxy));
      followProxy(access, proxy, asked, signal, { onOpen, onLine: (line) => events.onLine(proxy, line) })
        .catch((error: unknown) => {
          // Who is away stays so for a while: it is said once.
          if (isFirst || isOpen) events.onLost(errorText(error));
        })
        .finally(() => {
          if (isOpen) open -= 1;
          followed.delete(proxyName(proxy));
          settle(false);
        });
    });

  const first = await list();
  await Promise.race([Promise.all(first.map((proxy) => follow(proxy, true))), ended]);
  if (signal.aborted) return;
  events.onListening(open, first.length);
  while (open > 0) {
    await sleep(clock, LIST_PERIOD_MS, signal);
    const there = await Promise.race([list().catch(() => []), ended.then(() => [])]);
    if (signal.aborted) return;
    const others = there.filter((proxy) => !followed.has(proxyName(proxy)));
    const ask = async (proxy: MeshProxy) => {
      if (await follow(proxy, false)) events.onFound(proxy);
    };
    await Promise.race([Promise.all(others.map(ask)), ended]);
  }
}
