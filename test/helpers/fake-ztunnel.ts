/** The ztunnel half of ZDS, as a test drives it. */

import { SeqpacketConnection } from '../../src/native/seqpacket.ts';
import { closeFd } from '../../src/native/sockets.ts';
import { WorkloadRequest } from '../../src/proto/gen/zds.ts';
import { eventually } from './eventually.ts';

export interface ReceivedRequest {
  readonly hex: string;
  readonly payload: WorkloadRequest['payload'];
  readonly fdCount: number;
}

export const HELLO = Buffer.from('0801', 'hex');
export const ACK = Buffer.from('0a00', 'hex');
/** A refusal with the text "x". */
export const NACK = Buffer.from('0a030a0178', 'hex');

export class FakeZtunnel {
  readonly received: ReceivedRequest[] = [];
  readonly connection: SeqpacketConnection;
  /** Decides the answer; undefined leaves the agent waiting. Default: ack everything. */
  answer: (request: ReceivedRequest) => Buffer | undefined = () => ACK;
  ended = false;

  constructor(path: string) {
    this.connection = SeqpacketConnection.connect(path);
    this.connection.start({
      onPacket: ({ bytes, fds }) => {
        for (const fd of fds) closeFd(fd);
        const { payload } = WorkloadRequest.decode(bytes);
        const request = { hex: bytes.toString('hex'), payload, fdCount: fds.length };
        this.received.push(request);
        const reply = this.answer(request);
        if (reply !== undefined) this.send(reply);
      },
      onEnd: () => {
        this.ended = true;
      },
    });
  }

  /** Connects, says hello, and waits for the end of the snapshot. */
  static async ready(path: string): Promise<FakeZtunnel> {
    const ztunnel = new FakeZtunnel(path);
    ztunnel.send(HELLO);
    await eventually('the snapshot is complete', () => ztunnel.cases().includes('snapshotSent'));
    return ztunnel;
  }

  send(bytes: Uint8Array): void {
    // A test that lets the agent end the connection sends into the void.
    this.connection.send(bytes).catch(() => undefined);
  }

  /** The kinds of the messages received so far. */
  cases(): string[] {
    return this.received.map(({ payload }) => payload?.$case ?? 'none');
  }
}
