/** Frames in both directions, without streams behind them. */
import assert from 'node:assert/strict';
import { BlockPool } from '../../../src/http2/block-pool.ts';
import { FrameReader, type FrameSink } from '../../../src/http2/frame-reader.ts';
import { FrameWriter } from '../../../src/http2/frame-writer.ts';
import { HpackEncoder } from '../../../src/http2/hpack-encoder.ts';
import { OutputQueue } from '../../../src/http2/output-queue.ts';
import type { ByteTransport } from '../../../src/http2/transport.ts';
import type { MicroBench } from '../suite.ts';
import { GRPC } from './header-lists.ts';

/** In one read. */
const FRAMES = 16;
const LIMITS = { maxFrameBytes: 1 << 20, maxHeaderBlockBytes: 65_536, maxContinuations: 16 };
const SETTINGS = Buffer.from('000000040000000000', 'hex');

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

/** Takes every write at once. */
class Drain implements ByteTransport {
  bytes: Buffer[] = [];
  readonly keeps: boolean;

  constructor(keeps = false) {
    this.keeps = keeps;
  }

  write(bytes: Uint8Array): boolean {
    if (this.keeps) this.bytes.push(Buffer.from(bytes));
    return true;
  }

  readonly start = nothing;
  readonly end = nothing;
  readonly destroy = nothing;
}

type Write = (writer: FrameWriter) => void;

function writerOf(transport: ByteTransport): { writer: FrameWriter; output: OutputQueue } {
  const output = new OutputQueue(transport, new BlockPool(), nothing);
  return { writer: new FrameWriter(output, new HpackEncoder()), output };
}

/** The bytes of some frames, as a peer writes them. */
function written(write: Write): Buffer {
  const drain = new Drain(true);
  const { writer, output } = writerOf(drain);
  write(writer);
  output.flush();
  return Buffer.concat(Array<Buffer>(FRAMES).fill(Buffer.concat(drain.bytes)));
}

function read(what: string, write: Write): MicroBench {
  const reader = new FrameReader(SINK, LIMITS, false);
  const bytes = written(write);
  assert.equal(reader.receive(SETTINGS), undefined);
  assert.equal(reader.receive(bytes), undefined);
  assert.equal(reader.framesReceived, FRAMES + 1);
  return { name: `read ${what}`, operations: FRAMES, run: () => reader.receive(bytes) };
}

const nextTick = () => new Promise<void>((resolve) => process.nextTick(resolve));

/** Blocks are free again in a later tick: each call waits for that. */
function wrote(what: string, write: Write): MicroBench {
  const { writer, output } = writerOf(new Drain());
  const run = async () => {
    for (let index = 0; index < FRAMES; index++) write(writer);
    output.flush();
    while (!output.empty) await nextTick();
  };
  return { name: `write ${what}`, operations: FRAMES, run };
}

export function benches(): readonly MicroBench[] {
  const payloads = [64, 1024, 16_000].map((bytes) => Buffer.alloc(bytes, 0x62));
  const kinds: readonly (readonly [what: string, write: Write])[] = [
    ...payloads.map(
      (chunk) =>
        [
          `DATA of ${chunk.length} bytes`,
          (writer: FrameWriter) => writer.data(1, chunk, 0, chunk.length, false),
        ] as const,
    ),
    ['HEADERS of gRPC', (writer) => writer.headers(1, GRPC, false, 16_384)],
    ['WINDOW_UPDATE', (writer) => writer.windowUpdate(1, 32_768)],
    ['RST_STREAM', (writer) => writer.rstStream(1, 8)],
  ];
  return kinds.flatMap(([what, write]) => [read(what, write), wrote(what, write)]);
}
