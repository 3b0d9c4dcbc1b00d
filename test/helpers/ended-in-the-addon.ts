/** Ends worker threads in the middle of calls of the addon. Prints `survived` unless one of them takes the process along. */
import { setTimeout as delay } from 'node:timers/promises';
import { isMainThread, Worker } from 'node:worker_threads';
import { nativeAddon } from '../../src/native/addon.ts';

if (isMainThread) {
  for (let count = 0; count < 12; count++) {
    const worker = new Worker(new URL(import.meta.url));
    await delay(150);
    await worker.terminate();
  }
  console.log('survived');
} else {
  const addon = nativeAddon();
  for (;;) {
    const fd = addon.openTcpSocket({ family: 4, keepAlive: { idleSec: 1, intervalSec: 1, probes: 1 } });
    addon.connectNow(fd, '127.0.0.1', 1);
    addon.closeFd(fd);
  }
}
