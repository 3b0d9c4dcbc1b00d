/**
 * The waypoint's engine between plain connections: what a request costs without tunnels. Arguments: the port to listen on,
 * the port of the endpoint, and the share of requests that are traced (none: nothing is).
 */
import { ok } from '../../src/base/result.ts';
import type { Dialer } from '../../src/hbone/dialer.ts';
import { pausableTransport } from '../../src/http1/transport.ts';
import { INTAKE_BYTES, SocketIntake } from '../../src/http2/socket-intake.ts';
import { dialTcp } from '../../src/net/tcp-dialer.ts';
import { listenTcp } from '../../src/net/tcp-listener.ts';
import { plainEngine } from './plain-engine.ts';

const [listenPort = 0, endpointPort = 0, samplingShare] = process.argv.slice(2).map(Number);
const dialer: Dialer = {
  dial: async (destination, { readInto } = {}) => ok(await dialTcp({ destination, ...(readInto && { readInto }) })),
};
const engine = plainEngine({ endpointPort, samplingShare, dialer });

const buffer = Buffer.allocUnsafeSlow(INTAKE_BYTES);
await listenTcp(
  { endpoint: { address: '127.0.0.1', port: listenPort }, noDelay: true },
  {
    onConnection: (connection) => {
      const intake = new SocketIntake(buffer);
      engine.serve(pausableTransport(connection.open(intake.onread), intake));
    },
  },
);
console.log('ready');
