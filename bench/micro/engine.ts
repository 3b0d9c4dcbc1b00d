/**
 * The waypoint's engine in memory: no socket, no kernel, so what one request costs in JavaScript. Prints microseconds per
 * request, the best and the median of several rounds. Run: NODE bench/micro/engine.ts      TELEMETRY: `off`, `on` (default:
 * requests are counted), `traced` (and one of a hundred is a span)
 */
import type { Socket } from 'node:net';
import { ok } from '../../src/base/result.ts';
import type { PausableTransport } from '../../src/http1/transport.ts';
import type { TransportSink } from '../../src/http2/transport.ts';
import type { ReadInto } from '../../src/net/inbound-connection.ts';
import { plainEngine } from '../l7/plain-engine.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 20);
const REQUESTS = Number(process.env['REQUESTS'] ?? 20_000);
const CONNECTIONS = Number(process.env['CONNECTIONS'] ?? 64);
const TELEMETRY = process.env['TELEMETRY'] ?? 'on';
const REQUEST = Buffer.from('GET / HTTP/1.1\r\nHost: site.bench.svc.cluster.local\r\n\r\n');
const RESPONSE = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-length: 1024\r\ncontent-type: text/plain\r\n\r\n${'a'.repeat(1024)}`,
);

/** A client that sends its next request when it has the answer, until it is told to stop. */
class Client implements PausableTransport {
  readonly lendsMemory = true;
  #sink: TransportSink | undefined;
  #onAnswer: () => void = () => undefined;

  start(sink: TransportSink): void {
    this.#sink = sink;
  }

  ask(onAnswer: () => void): void {
    this.#onAnswer = onAnswer;
    this.#sink?.onData(REQUEST);
  }

  write(): boolean {
    setImmediate(this.#onAnswer);
    return true;
  }

  readonly end = (): void => undefined;
  readonly destroy = (): void => undefined;
  readonly pause = (): void => undefined;
  readonly resume = (): void => undefined;
  readonly abort = (): void => undefined;
}

/** The part of a socket that the engine uses, with an endpoint behind it that answers each write in the next turn. */
function endpointSocket(readInto: ReadInto | undefined): Socket {
  const answer = () => {
    readInto?.buffer.set(RESPONSE);
    readInto?.callback(RESPONSE.length, readInto.buffer);
  };
  const socket = {
    setNoDelay: () => socket,
    on: () => socket,
    write(_bytes: Uint8Array, onWritten: () => void) {
      process.nextTick(onWritten);
      setImmediate(answer);
      return true;
    },
    pause: () => socket,
    resume: () => socket,
    destroy: () => socket,
    connecting: false,
    destroyed: false,
  };
  return socket as unknown as Socket;
}

const engine = plainEngine({
  endpointPort: 80,
  samplingShare: TELEMETRY === 'traced' ? 0.01 : undefined,
  counts: TELEMETRY !== 'off',
  dialer: { dial: (_destination, options) => Promise.resolve(ok(endpointSocket(options?.readInto))) },
});
const clients = Array.from({ length: CONNECTIONS }, () => new Client());
for (const client of clients) engine.serve(client);

async function round(): Promise<number> {
  const before = process.cpuUsage();
  await new Promise<void>((resolve) => {
    let left = REQUESTS;
    let open = clients.length;
    for (const client of clients) {
      const next = () => {
        if (left-- > 0) client.ask(next);
        else if (--open === 0) resolve();
      };
      next();
    }
  });
  const { user, system } = process.cpuUsage(before);
  return (user + system) / REQUESTS;
}

const samples: number[] = [];
for (let index = 0; index < ROUNDS; index++) samples.push(await round());
samples.sort((a, b) => a - b);
const at = (share: number) => (samples[Math.floor(samples.length * share)] ?? 0).toFixed(2);
console.log(`engine in memory: ${at(0)} µs per request at best, ${at(0.5)} in the median`);
process.exit(0);
