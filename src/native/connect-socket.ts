/**
 * Connects a socket that the addon opened. Within one machine the kernel is done before the call returns, so the event loop is
 * asked for distant destinations alone.
 *
 * Invariant: the descriptor is the caller's again once it is connected, and closed when it is not.
 *
 * A connection may be there, or refused, without a turn of the loop: who tries again has to wait in between.
 */
import type { Clock } from '../base/clock.ts';
import { type FdWatch, nativeAddon } from './addon.ts';
import type { Endpoint } from './endpoint.ts';
import { asNodeError } from './from-errno.ts';
import { closeFd } from './sockets.ts';
import { watchFd } from './watch-fd.ts';

const WRITABLE = 2;

export interface ConnectLimits {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Why a connect came to nothing: as node:net would say it, or who gave up. */
export type ConnectFailure =
  | { readonly kind: 'system'; readonly error: Error }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'aborted' };

/** @returns undefined once it is connected; a promise of the same where that has to be waited for */
export function connectSocket(
  fd: number,
  destination: Endpoint,
  limits: ConnectLimits,
): ConnectFailure | undefined | Promise<ConnectFailure | undefined> {
  const result = nativeAddon().connectNow(fd, destination.address, destination.port);
  if (result === 1) return undefined;
  if (result === 0) return whenConnected(fd, destination, limits);
  closeFd(fd);
  return systemFailure(result, destination);
}

function whenConnected(
  fd: number,
  destination: Endpoint,
  { clock, timeoutMs, signal }: ConnectLimits,
): ConnectFailure | Promise<ConnectFailure | undefined> {
  const addon = nativeAddon();
  let onEvent: (event: number) => void = () => undefined;
  let watch: FdWatch;
  try {
    watch = watchFd(fd, (event) => onEvent(event));
  } catch (cause) {
    return { kind: 'system', error: new Error('the connect cannot be watched', { cause }) };
  }
  return new Promise((resolve) => {
    const settle = (failure: ConnectFailure | undefined) => {
      timer.cancel();
      signal?.removeEventListener('abort', onAbort);
      if (failure === undefined) watch.release();
      else watch.close();
      resolve(failure);
    };
    const onAbort = () => settle({ kind: 'aborted' });
    onEvent = (event) => {
      const result = addon.connectNow(fd, destination.address, destination.port);
      if (result === 1) settle(undefined);
      else if (result < 0 || event < 0) settle(systemFailure(result < 0 ? result : event, destination));
    };
    const timer = clock.after(timeoutMs, () => settle({ kind: 'timeout' }));
    signal?.addEventListener('abort', onAbort, { once: true });
    const started = watch.watch(WRITABLE);
    if (started < 0) settle(systemFailure(started, destination));
  });
}

function systemFailure(result: number, { address, port }: Endpoint): ConnectFailure {
  return { kind: 'system', error: asNodeError(result, 'connect', `${address}:${port}`) };
}
