import { type FdWatch, nativeAddon } from './addon.ts';
import { closeFd } from './sockets.ts';

/**
 * Watches a descriptor, which belongs to the watch from now on: it is closed as well when it cannot be watched.
 *
 * @param onEvent gets a mask (1 readable, 2 writable) or a failure below zero
 * @throws Error when the event loop does not take the descriptor
 */
export function watchFd(fd: number, onEvent: (event: number) => void): FdWatch {
  try {
    return new (nativeAddon().FdWatch)(fd, onEvent);
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}
