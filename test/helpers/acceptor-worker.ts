/** A worker thread that listens with SO_REUSEPORT and reports what it accepts. It never closes its listener. */
import { parentPort, workerData } from 'node:worker_threads';
import { Acceptor } from '../../src/native/acceptor.ts';
import { closeFd, openTcpSocket } from '../../src/native/sockets.ts';

const bind = { address: '127.0.0.1', port: Number(workerData) };
const fd = openTcpSocket({ family: 4, bind, reusePort: true, listenBacklog: 512 });
const onAccept = (batch: readonly { readonly fd: number }[]) => {
  for (const record of batch) closeFd(record.fd);
  parentPort?.postMessage(batch.length);
};
new Acceptor(fd, {}, { onAccept }).resume();
parentPort?.postMessage(0);
