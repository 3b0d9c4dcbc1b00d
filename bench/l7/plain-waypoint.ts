/**
 * The waypoint's engine between plain connections: what a request costs without tunnels. Arguments: the port to listen on,
 * the port of the endpoint, and options as JSON (`PlainWaypointOptions`).
 */
import { ok } from '../../src/base/result.ts';
import type { Dialer } from '../../src/hbone/dialer.ts';
import { pausableTransport } from '../../src/http1/transport.ts';
import { INTAKE_BYTES, SocketIntake } from '../../src/http2/socket-intake.ts';
import { dialTcp } from '../../src/net/tcp-dialer.ts';
import { listenTcp } from '../../src/net/tcp-listener.ts';
import { type ConfigurationOptions, engineConfiguration } from './engine-configuration.ts';
import { plainEngine } from './plain-engine.ts';

export interface PlainWaypointOptions extends ConfigurationOptions {
  /** Of requests that are traced; nothing is without it. */
  readonly samplingShare?: number;
  readonly spoken?: 'http1' | 'http2';
}

const [listenPort = '0', endpointPort = '0', json = '{}'] = process.argv.slice(2);
const { samplingShare, spoken = 'http1', ...configured } = JSON.parse(json) as PlainWaypointOptions;
const dialer: Dialer = {
  dial: async (destination, { readInto } = {}) => ok(await dialTcp({ destination, ...(readInto && { readInto }) })),
};
const configuration = engineConfiguration(configured);
const engine = plainEngine({ endpointPort: Number(endpointPort), samplingShare, spoken, dialer, configuration });

const buffer = Buffer.allocUnsafeSlow(INTAKE_BYTES);
await listenTcp(
  { endpoint: { address: '127.0.0.1', port: Number(listenPort) }, noDelay: true },
  {
    onConnection: (connection) => {
      // What HTTP/2 gets is its own.
      if (spoken === 'http2') return engine.serve(pausableTransport(connection.open()));
      const intake = new SocketIntake(buffer);
      engine.serve(pausableTransport(connection.open(intake.onread), intake));
    },
  },
);
console.log('ready');
