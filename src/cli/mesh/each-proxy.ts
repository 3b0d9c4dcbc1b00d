/** Asks all programs of a mesh the same. */
import { errorText } from '../../base/errors.ts';
import { type MeshProxy, proxyName } from '../../model/mesh-proxy.ts';

export interface Answers<T> {
  readonly answers: readonly { readonly proxy: MeshProxy; readonly value: T }[];
  /** Why some are missing, for people. */
  readonly missing: readonly string[];
}

const AT_A_TIME = 16;

/** In the order of the proxies. Never rejects. */
export async function eachProxy<T>(
  proxies: readonly MeshProxy[],
  ask: (proxy: MeshProxy) => Promise<T>,
): Promise<Answers<T>> {
  const values = new Map<MeshProxy, T>();
  const missing: string[] = [];
  const waiting = [...proxies];
  const work = async () => {
    for (let proxy = waiting.shift(); proxy !== undefined; proxy = waiting.shift()) {
      try {
        values.set(proxy, await ask(proxy));
      } catch (error) {
        // What an answer lacks says which program it is; other errors do not.
        const text = errorText(error);
        missing.push(text.startsWith(proxyName(proxy)) ? text : `${proxyName(proxy)}: ${text}`);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, proxies.length) }, work));
  const answers = proxies.flatMap((proxy) => {
    const value = values.get(proxy);
    return value === undefined ? [] : [{ proxy, value }];
  });
  return { answers, missing };
}
