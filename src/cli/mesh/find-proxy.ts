/** The program of a mesh that a person means. */
import { AmbitError } from '../../base/errors.ts';
import { type MeshProxy, proxyName } from '../../model/mesh-proxy.ts';

/** The port of the admin endpoint of ztunnel and waypoints. */
export const ADMIN_PORT = 15000;

/**
 * By `NAMESPACE/NAME`, by name, or by the beginning of one where that is unique, such as the name of a Gateway.
 * @throws AmbitError PROXY_UNKNOWN that names those that there are
 */
export function findProxy(proxies: readonly MeshProxy[], text: string): MeshProxy {
  const exact = proxies.filter((proxy) => proxyName(proxy) === text || proxy.name === text);
  const found =
    exact.length > 0
      ? exact
      : proxies.filter((proxy) => proxy.name.startsWith(text) || proxyName(proxy).startsWith(text));
  const [first] = found;
  if (first !== undefined && found.length === 1) return first;
  const known = (found.length > 1 ? found : proxies).map(proxyName).sort();
  const which = found.length > 1 ? `"${text}" may be any of` : `there is no proxy "${text}"; there are`;
  throw new AmbitError('PROXY_UNKNOWN', `${which} ${known.join(', ') || 'none'}`);
}

/** @throws AmbitError PROXY_UNKNOWN for the control plane, which has no such endpoint */
export function needAdmin(proxy: MeshProxy): MeshProxy {
  if (proxy.role !== 'control') return proxy;
  const hint = 'name a ztunnel or a waypoint; levels of the control plane are set with ambit control --log-level';
  throw new AmbitError('PROXY_UNKNOWN', `${proxyName(proxy)} is no proxy and has no admin endpoint: ${hint}`);
}
