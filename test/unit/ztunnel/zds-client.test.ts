import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { type SeqpacketConnection, SeqpacketServer } from '../../../src/native/seqpacket.ts';
import { closeFd } from '../../../src/native/sockets.ts';
import { PodManager } from '../../../src/ztunnel/pod-manager.ts';
import { ZdsClient } from '../../../src/ztunnel/zds-client.ts';
import { eventually } from '../../helpers/eventually.ts';

/** The wire examples of facts ztunnel-wire 3.2. */
const HEX = {
  hello: '0801',
  add: '0a0f0a02753112090a01611201621a0163',
  addWithoutInfo: '0a040a027531',
  del: '120412027531',
  keep: '2a040a027531',
  snapshotSent: '1a00',
  ack: '0a00',
};

async function withAgent(check: (agent: Agent) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ambit-zds-'));
  const agent = new Agent(join(folder, 'z.sock'));
  try {
    await check(agent);
  } finally {
    await agent.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

class Agent {
  readonly received: string[] = [];
  readonly started: string[] = [];
  readonly closed: number[] = [];
  connections = 0;
  protocolErrors = 0;
  readonly pods: PodManager;
  readonly #client: ZdsClient;
  readonly #listener: SeqpacketServer;
  readonly #running: Promise<void>;
  #connection: SeqpacketConnection | undefined;

  constructor(path: string) {
    const close = (fd: number) => {
      this.closed.push(fd);
      closeFd(fd);
    };
    this.#listener = new SeqpacketServer(path, (connection) => {
      this.connections++;
      this.#connection = connection;
      connection.start({
        onPacket: ({ bytes }) => void this.received.push(Buffer.from(bytes).toString('hex')),
        onEnd: () => connection.close(),
      });
    });
    this.pods = new PodManager({
      clock: systemClock,
      logger: silentLogger,
      startPod: async ({ uid, info }) =>
        void this.started.push(`${uid} ${info.namespace}/${info.name}/${info.serviceAccount}`),
      stopPod: async () => undefined,
      closeFd: close,
      netnsId: (fd) => String(fd),
      onChange: () => undefined,
    });
    this.#client = new ZdsClient(path, {
      clock: systemClock,
      random: () => 0.5,
      logger: silentLogger,
      pods: this.pods,
      closeFd: close,
      onProtocolError: () => void this.protocolErrors++,
    });
    this.#running = this.#client.run();
  }

  /** Sends a packet and resolves with the answer's text: empty for an acknowledgement. */
  async send(hex: string, fd?: number): Promise<string> {
    const before = this.received.length;
    await eventually('a connection', () => this.#connection !== undefined);
    await this.#connection?.send(Buffer.from(hex, 'hex'), fd);
    await eventually('an answer', () => this.received.length > before);
    const answer = Buffer.from(this.received.at(-1) ?? '', 'hex');
    return this.received.at(-1) === HEX.ack ? '' : answer.subarray(4).toString();
  }

  async stop(): Promise<void> {
    this.#client.stop();
    await this.#running;
    await this.pods.stop();
    this.#listener.close();
  }
}

describe('the client of the agent', () => {
  it('says hello, takes a pod with its namespace, and acknowledges', () =>
    withAgent(async (agent) => {
      await eventually('hello', () => agent.received[0] === HEX.hello);
      const netns = openSync('/proc/self/ns/net', 'r');
      assert.equal(await agent.send(HEX.add, netns), '');
      closeSync(netns);
      assert.deepEqual(agent.started, ['u1 b/a/c']);
      assert.equal(await agent.send(HEX.keep), '');
      assert.equal(await agent.send(HEX.snapshotSent), '');
      assert.equal(agent.pods.ready, true);
      assert.equal(await agent.send(HEX.del), '');
      assert.equal(agent.pods.counts().active, 0);
      assert.equal(agent.closed.length, 1);
    }));

  for (const [what, hex] of [
    ['that is no message', 'ffff'],
    ['of a kind that is unknown', '22020a00'],
  ] as const) {
    it(`answers a packet ${what} with a reason and connects anew`, () =>
      withAgent(async (agent) => {
        await eventually('hello', () => agent.received.length === 1);
        assert.match(await agent.send(hex), /failure to read message/);
        await eventually('a new connection', () => agent.connections === 2);
        assert.equal(agent.protocolErrors, 0);
      }));
  }

  it('refuses an add without descriptor and a descriptor elsewhere, and closes what came', () =>
    withAgent(async (agent) => {
      await eventually('hello', () => agent.received.length === 1);
      assert.match(await agent.send(HEX.add), /missing control message/);
      await eventually('a new connection', () => agent.connections === 2);
      const netns = openSync('/proc/self/ns/net', 'r');
      assert.match(await agent.send(HEX.snapshotSent, netns), /failure to read message/);
      closeSync(netns);
      assert.equal(agent.closed.length, 1);
    }));

  it('ends the process over what breaks the protocol', () =>
    withAgent(async (agent) => {
      await eventually('hello', () => agent.received.length === 1);
      await agent.send(HEX.snapshotSent);
      assert.match(await agent.send(HEX.snapshotSent), /second snapshot/);
      await eventually('the end', () => agent.protocolErrors === 1);
    }));
});
