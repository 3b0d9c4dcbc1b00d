/**
 * Cost of the HTTP/2 codec alone, in memory: HPACK for a tunnel's headers, frame reading, a whole request between two
 * connections. Run: NODE bench/micro/http2.ts
 */
import { systemClock } from '../../src/base/clock.ts';
import { BlockPool } from '../../src/http2/block-pool.ts';
import { Http2Connection } from '../../src/http2/connection.ts';
import { FrameReader, type FrameSink } from '../../src/http2/frame-reader.ts';
import type { Header } from '../../src/http2/header.ts';
import { checkRequest } from '../../src/http2/header-rules.ts';
import { HpackDecoder } from '../../src/http2/hpack-decoder.ts';
import { HpackEncoder } from '../../src/http2/hpack-encoder.ts';
import type { Http2Stream, StreamHandler } from '../../src/http2/stream.ts';
import type { ByteTransport, TransportSink } from '../../src/http2/transport.ts';

const REQUEST: readonly Header[] = [
  [':method', 'CONNECT'],
  [':authority', '10.244.1.17:8080'],
  ['baggage', 'k8s.cluster.name=Kubernetes,k8s.namespace.name=default,k8s.deployment.name=app,service.name=app'],
  ['forwarded', 'for="10.244.0.9:48222";host=app.default.svc.cluster.local'],
  ['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00'],
];

function measure(name: string, unit: string, rounds: number, run: (rounds: number) => void): void {
  run(rounds / 4);
  const started = performance.now();
  run(rounds);
  const nanoseconds = ((performance.now() - started) * 1e6) / rounds;
  console.log(`${name.padEnd(44)} ${nanoseconds.toFixed(0).padStart(8)} ns per ${unit}`);
}

function nothing(): undefined {
  return undefined;
}

const SINK: FrameSink = {
  onDataFrame: nothing,
  onDataBytes: nothing,
  onDataFrameEnd: nothing,
  onHeaderBlock: nothing,
  onPriority: nothing,
  onRstStream: nothing,
  onSettings: nothing,
  onPing: nothing,
  onGoaway: nothing,
  onWindowUpdate: nothing,
  onUnknownFrame: nothing,
};

function dataFrames(count: number, bytes: number): Buffer {
  const one = Buffer.alloc(9 + bytes);
  one.writeUIntBE(bytes, 0, 3);
  one.writeUInt32BE(1, 5);
  return Buffer.concat([Buffer.from('000000040000000000', 'hex'), ...Array.from({ length: count }, () => one)]);
}

/** Delivers at once to the other end, and completes writes when told to. */
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

async function tunnels(rounds: number): Promise<void> {
  const [a, b] = [new Pipe(), new Pipe()];
  a.other = b;
  b.other = a;
  const options = { clock: systemClock, pool: new BlockPool(), pingIntervalMs: 0 };
  const echo: StreamHandler = {
    onHeaders: nothing,
    onData: (stream: Http2Stream, chunk: Buffer) => {
      stream.consume(chunk.length);
      stream.write(chunk);
    },
    onEnd: (stream: Http2Stream) => stream.end(),
    onClosed: nothing,
    onWritable: nothing,
  };
  new Http2Connection(b, 'server', options, {
    onStream(stream) {
      stream.respond([[':status', '200']]);
      return echo;
    },
    onClosed: nothing,
  });
  const client = new Http2Connection(a, 'client', options, { onClosed: nothing });
  const message = Buffer.alloc(1024);
  let done = 0;
  const user: StreamHandler = {
    ...echo,
    onData: (stream, chunk) => stream.consume(chunk.length),
    onEnd: nothing,
    onClosed: () => (done += 1),
  };
  const started = performance.now();
  while (done < rounds) {
    for (let count = 0; count < 50; count += 1) {
      const opened = client.request(REQUEST, user);
      if (opened.ok) opened.value.end(message);
    }
    while (client.openStreams > 0) {
      await new Promise((resolve) => setImmediate(resolve));
      while (a.pump() || b.pump());
    }
  }
  const micros = ((performance.now() - started) * 1000) / done;
  console.log(
    `${'tunnel: open, 1 KB echo, close (both ends)'.padEnd(44)} ${(micros * 1000).toFixed(0).padStart(8)} ns per tunnel`,
  );
}

const target = Buffer.alloc(4096);
const encoder = new HpackEncoder();
const decoder = new HpackDecoder({ maxHeaderListBytes: 65_536, maxHeaders: 256 });
measure('HPACK encode, tunnel request', 'block', 400_000, (rounds) => {
  for (let round = 0; round < rounds; round += 1) encoder.encode(REQUEST, target, 0);
});
const plain = new HpackEncoder().encode(REQUEST, target, 0);
const plainBlock = Buffer.from(target.subarray(0, plain));
measure('HPACK decode, tunnel request', 'block', 200_000, (rounds) => {
  for (let round = 0; round < rounds; round += 1) decoder.decode(plainBlock, 0, plainBlock.length);
});
const coded = new HpackEncoder({ huffman: true }).encode(REQUEST, target, 0);
const codedBlock = Buffer.from(target.subarray(0, coded));
measure('HPACK decode, tunnel request, Huffman', 'block', 200_000, (rounds) => {
  for (let round = 0; round < rounds; round += 1) decoder.decode(codedBlock, 0, codedBlock.length);
});
measure('header rules, tunnel request', 'request', 400_000, (rounds) => {
  for (let round = 0; round < rounds; round += 1) checkRequest(REQUEST);
});
for (const bytes of [64, 1024, 16_384]) {
  const chunk = dataFrames(16, bytes);
  const limits = { maxFrameBytes: 1 << 20, maxHeaderBlockBytes: 65_536, maxContinuations: 16 };
  const reader = new FrameReader(SINK, limits, false);
  measure(`frame reader, DATA of ${bytes} B`, 'frame', 1_000_000, (rounds) => {
    for (let round = 0; round < rounds; round += 16) reader.receive(chunk);
  });
}
await tunnels(5000);
await tunnels(50_000);
