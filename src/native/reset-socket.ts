/** Breaks connections of node:net off. */
import type { Socket } from 'node:net';
import { hasNativeAddon, nativeAddon } from './addon.ts';

/**
 * Resets a connection at once, whatever waits to be written. node:net's own `resetAndDestroy` is refused while an end is under
 * way behind bytes that the peer does not take: it leaves the socket open for good then, and nobody is told.
 */
export function resetSocket(socket: Socket): void {
  if (socket.destroyed) return;
  const { fd = -1 } = (socket as unknown as { readonly _handle?: { readonly fd?: number } | null })._handle ?? {};
  if (fd >= 0 && hasNativeAddon()) {
    nativeAddon().resetOnClose(fd);
    socket.destroy();
  } else if (socket.writableEnded && !socket.writableFinished) {
    socket.destroy();
  } else {
    socket.resetAndDestroy();
  }
}
