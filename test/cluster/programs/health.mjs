// A gRPC server that answers every call with SERVING, as grpc.health.v1.Health/Check does: health.mjs PORT.
import { createServer } from 'node:http2';

const SERVING = Buffer.from([0, 0, 0, 0, 2, 0x08, 0x01]);
createServer()
  .on('stream', (stream) => {
    stream.on('error', () => undefined);
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.resume().on('end', () => stream.end(SERVING));
  })
  .listen(Number(process.argv[2]));
