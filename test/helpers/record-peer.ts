/** A record transport over a TCP connection of its own, and a peer that may write to it whatever a test likes. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { RecordMemory } from '../../src/hbone/record-memory.ts';
import { RecordTransport, type TunnelReading } from '../../src/hbone/record-transport.ts';
import { SocketIntake } from '../../src/http2/socket-intake.ts';
import { recordKeys } from '../../src/native/record-keys.ts';
import { RecordingSink } from './secure-pair.ts';
import { type OpenedRecord, TestRecords, type TestSuite } from './tls-records.ts';

const SUITE: TestSuite = 'TLS_AES_128_GCM_SHA256';

export class RecordPeer {
  readonly socket: Socket;
  /** What the peer writes with. */
  readonly writes: TestRecords;
  readonly transport: RecordTransport;
  readonly transportSocket: Socket;
  readonly sink = new RecordingSink();
  readonly #reads: TestRecords;
  readonly #received: Buffer[] = [];

  constructor(
    socket: Socket,
    transportSocket: Socket,
    reading: TunnelReading,
    early: (records: TestRecords) => Buffer,
  ) {
    const [toTransport, fromTransport] = [randomBytes(32), randomBytes(32)];
    this.socket = socket;
    this.transportSocket = transportSocket;
    this.writes = new TestRecords(SUITE, toTransport);
    this.#reads = new TestRecords(SUITE, fromTransport);
    const readKeys = recordKeys({ suite: SUITE, secret: toTransport, direction: 'read' });
    const writeKeys = recordKeys({ suite: SUITE, secret: fromTransport, direction: 'write' });
    if (readKeys === undefined || writeKeys === undefined) throw new Error(`no keys for ${SUITE}`);
    const taken = { readKeys, writeKeys, early: early(this.writes) };
    this.transport = new RecordTransport(transportSocket, reading, taken);
    socket.on('data', (chunk: Buffer) => this.#received.push(chunk));
    socket.on('error', () => undefined);
    this.transport.start(this.sink);
  }

  get receivedBytes(): number {
    return this.#received.reduce((sum, { length }) => sum + length, 0);
  }

  /** Opens everything that the transport wrote, with changes of its keys. To be asked once. */
  opened(): OpenedRecord[] {
    const records: OpenedRecord[] = [];
    for (let bytes = Buffer.concat(this.#received); bytes.length > 0; ) {
      const length = 5 + bytes.readUInt16BE(3);
      const record = this.#reads.open(bytes.subarray(0, length));
      if (record.type === 22 && record.content[0] === 24) this.#reads.update();
      records.push(record);
      bytes = bytes.subarray(length);
    }
    return records;
  }

  close(): void {
    this.socket.destroy();
    this.transportSocket.destroy();
  }
}

/** @param early what was read before the transport was made, sealed by the peer */
export async function recordPeer(early = (_: TestRecords): Buffer => Buffer.alloc(0)): Promise<RecordPeer> {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  const memory = new RecordMemory();
  const reading = { intake: new SocketIntake(memory.readBuffer), memory };
  const near = connect({
    port: (server.address() as AddressInfo).port,
    host: '127.0.0.1',
    allowHalfOpen: true,
    onread: reading.intake.onread,
  });
  await once(near, 'connect');
  const [far] = (await accepted) as [Socket];
  server.close();
  return new RecordPeer(far.setNoDelay(true), near, reading, early);
}
