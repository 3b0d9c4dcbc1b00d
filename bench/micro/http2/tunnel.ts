/** A tunnel from end to end in memory: both connections with their streams, flow control and HPACK, and no socket. */
import { systemClock } from '../../../src/base/clock.ts';
import { BlockPool } from '../../../src/http2/block-pool.ts';
import { Http2Connection } from '../../../src/http2/connection.ts';
import type { Http2Stream, StreamHandler } from '../../../src/http2/stream.ts';
import type { ByteTransport, TransportSink } from '../../../src/http2/transport.ts';
import type { MicroBench } from '../suite.ts';
import { TUNNEL } from './header-lists.ts';

/** Opened together, as by connections that were ready in one turn. */
const TUNNELS = 50;
const MESSAGE = Buffer.alloc(1024, 0x62);

function nothing(): undefined {
  return undefined;
}

/** Completes writes when told to, and delivers them to the other end. */
class Pipe implements ByteTransport {
  other: Pipe | undefined;
  sink: TransportSink | undefined;
  pending: (() => void)[] = [];

  start(sink: TransportSink): void {
    this.sink = sink;
  }

  write(bytes: Uint8Array, onWritten: () => void): boolean {
    const copy = Buffer.from(bytes);
    this.pending.push(() => {
      onWritten();
      this.other?.sink?.onData(copy);
    });
    return false;
  }

  pump(): boolean {
    const writes = this.pending.splice(0);
    for (const write of writes) write();
    return writes.length > 0;
  }

  end(): void {
    this.sink?.onClosed(undefined);
  }

  destroy(): void {
    this.end();
  }
}

const ECHO: StreamHandler = {
  onHeaders: nothing,
  onData: (stream: Http2Stream, chunk: Buffer) => {
    stream.consume(chunk.length);
    stream.write(chunk);
  },
  onEnd: (stream: Http2Stream) => stream.end(),
  onClosed: nothing,
  onWritable: nothing,
};

/** One connection for all calls. */
function connected(): { client: Http2Connection; pump: () => boolean } {
  const [near, far] = [new Pipe(), new Pipe()];
  near.other = far;
  far.other = near;
  const options = { clock: systemClock, pool: new BlockPool(), pingIntervalMs: 0 };
  new Http2Connection(far, 'server', options, {
    onStream(stream) {
      stream.respond([[':status', '200']]);
      return ECHO;
    },
    onClosed: nothing,
  });
  const client = new Http2Connection(near, 'client', options, { onClosed: nothing });
  return { client, pump: () => near.pump() || far.pump() };
}

export function benches(): readonly MicroBench[] {
  const { client, pump } = connected();
  let answered = 0;
  const user: StreamHandler = {
    ...ECHO,
    onData: (stream, chunk) => {
      answered += chunk.length;
      stream.consume(chunk.length);
    },
    onEnd: nothing,
  };
  const run = async () => {
    answered = 0;
    for (let count = 0; count < TUNNELS; count += 1) {
      const opened = client.request(TUNNEL, user);
      if (opened.ok) opened.value.end(MESSAGE);
    }
    while (client.openStreams > 0) {
      await new Promise((resolve) => setImmediate(resolve));
      while (pump());
    }
    if (answered !== TUNNELS * MESSAGE.length) throw new Error(`only ${answered} bytes came back`);
  };
  return [{ name: 'open, 1 KB there and back, close: both ends', operations: TUNNELS, run }];
}
