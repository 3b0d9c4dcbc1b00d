/**
 * Connections of a waypoint to other machines, never to its own: what listens there, its admin endpoint first, trusts
 * whoever reaches it, and endpoints are named by anybody who may write a route or a ServiceEntry.
 */
import { fail, ok } from '../base/result.ts';
import { connectError, type Dialer } from '../hbone/dialer.ts';
import { proxyError } from '../hbone/proxy-error.ts';
import { canonicalIp, isLoopback } from '../model/address.ts';
import { type DialDeps, dialTcp } from '../net/tcp-dialer.ts';

/** @param dial connects, or rejects with the reason */
export function outwardDialer(deps: DialDeps, dial: typeof dialTcp = dialTcp): Dialer {
  return {
    dial: async (destination, { readInto } = {}) => {
      if (isOwnMachine(destination.address)) return fail(proxyError('CONNECT_FAILED', ownMachineText(destination)));
      try {
        return ok(await dial({ destination, ...(readInto && { readInto }) }, deps));
      } catch (error) {
        return fail(connectError(error));
      }
    },
  };
}

/** Linux takes the unspecified addresses for the loopback ones. */
function isOwnMachine(address: string): boolean {
  const ip = canonicalIp(address);
  return isLoopback(ip) || ip === '::' || ip.startsWith('0.');
}

function ownMachineText({ address }: { readonly address: string }): string {
  return `connection failed: ${address} is the waypoint itself, which is nobody's endpoint: give the address of a pod or host`;
}
