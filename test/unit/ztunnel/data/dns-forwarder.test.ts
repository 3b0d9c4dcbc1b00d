import assert from 'node:assert/strict';
import type { Socket as UdpSocket } from 'node:dgram';
import { EventEmitter } from 'node:events';
import { Duplex } from 'node:stream';
import { describe, it } from 'node:test';
import { parseDnsQuery } from '../../../../src/dns/dns-message.ts';
import { encodeDnsReply } from '../../../../src/dns/dns-reply.ts';
import { DnsFrameReader, frameDnsMessage } from '../../../../src/dns/dns-stream.ts';
import { parseIpAddress } from '../../../../src/model/address.ts';
import { DnsForwarder, MAX_FORWARDED_QUERIES } from '../../../../src/ztunnel/data/dns-forwarder.ts';
import type { DnsNetwork } from '../../../../src/ztunnel/data/dns-network.ts';
import { queryBytes, readAnswer } from '../../../helpers/dns-query.ts';
import { ManualClock } from '../../../helpers/manual-clock.ts';

/** What a fake server does with a query: the datagrams or the message it sends back. */
type Behaviour = (query: Buffer, transport: 'udp' | 'tcp') => readonly Buffer[];

class FakeUdpSocket extends EventEmitter {
  closed = false;
  readonly #server: string;
  readonly #behave: Behaviour;

  constructor(server: string, behave: Behaviour) {
    super();
    this.#server = server;
    this.#behave = behave;
  }

  send(query: Buffer, done: (error: Error | null) => void): void {
    done(null);
    const answers = this.#behave(query, 'udp');
    queueMicrotask(() => {
      for (const bytes of answers) {
        if (!this.closed) this.emit('message', bytes, { address: this.#server, port: 53 });
      }
    });
  }

  close(): void {
    this.closed = true;
  }
}

class Lab {
  readonly clock = new ManualClock();
  readonly asked: string[] = [];
  readonly ids: number[] = [];
  readonly sockets: FakeUdpSocket[] = [];
  readonly streams: Duplex[] = [];
  readonly forwarder: DnsForwarder;

  constructor(servers: Readonly<Record<string, Behaviour | 'unreachable'>>) {
    let lastId = 100;
    const behaviourOf = (server: string, transport: 'udp' | 'tcp'): Behaviour => {
      this.asked.push(`${transport} ${server}`);
      const behave = servers[server];
      if (behave === undefined || behave === 'unreachable') throw new Error('connect ENETUNREACH');
      return (query) => {
        this.ids.push(query.readUInt16BE(0));
        return behave(query, transport);
      };
    };
    const network: Pick<DnsNetwork, 'connectTcp' | 'connectUdp'> = {
      connectUdp: async ({ address }) => {
        const socket = new FakeUdpSocket(address, behaviourOf(address, 'udp'));
        this.sockets.push(socket);
        return socket as unknown as UdpSocket;
      },
      connectTcp: async ({ address }) => {
        const stream = fakeStream(behaviourOf(address, 'tcp'));
        this.streams.push(stream);
        return stream as never;
      },
    };
    this.forwarder = new DnsForwarder({
      network: network as DnsNetwork,
      nameservers: { current: () => Object.keys(servers).flatMap((text) => parseIpAddress(text) ?? []) },
      clock: this.clock,
      randomId: () => ++lastId,
    });
  }

  forward(transport: 'udp' | 'tcp' = 'udp') {
    const bytes = queryBytes('a.example', 1, { id: 1 });
    const parsed = parseDnsQuery(bytes);
    assert.ok(parsed.kind === 'query');
    return this.forwarder.forward(parsed.query, bytes, transport);
  }

  /** Result code of the answer, or `failed`. */
  async result(transport: 'udp' | 'tcp' = 'udp'): Promise<number | 'failed'> {
    const forwarded = this.forward(transport);
    const result = await this.#passTime(forwarded);
    return result.kind === 'answer' ? result.answer.rcode : 'failed';
  }

  get nothingOpen(): boolean {
    return this.sockets.every(({ closed }) => closed) && this.streams.every(({ destroyed }) => destroyed);
  }

  /** Lets timers fire whenever nothing else happens. */
  async #passTime<T>(promise: Promise<T>): Promise<T> {
    let done = false;
    void promise.then(() => {
      done = true;
    });
    for (let turn = 0; turn < 100 && !done; turn++) {
      for (let idle = 0; idle < 5; idle++) await new Promise((resolve) => setImmediate(resolve));
      if (!done) this.clock.advance(this.clock.waitingMs[0] ?? 0);
    }
    return promise;
  }
}

function fakeStream(behave: Behaviour): Duplex {
  const reader = new DnsFrameReader(65535);
  const stream: Duplex = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      for (const query of reader.push(chunk) ?? []) {
        for (const bytes of behave(query, 'tcp')) stream.push(frameDnsMessage(bytes));
      }
      done();
    },
  });
  return stream;
}

function answer(query: Buffer, rcode = 0, truncated = false): Buffer {
  const parsed = parseDnsQuery(query);
  assert.ok(parsed.kind === 'query');
  const flags = { authoritative: false, recursionAvailable: true, truncated };
  return encodeDnsReply({ query: parsed.query, rcode, ...flags, answers: [], transport: 'udp' });
}

const silent: Behaviour = () => [];
const good: Behaviour = (query) => [answer(query)];

describe('DnsForwarder', () => {
  it('asks under an id of its own', async () => {
    const lab = new Lab({ '10.0.0.1': good });
    assert.equal(await lab.result(), 0);
    assert.deepEqual([lab.asked, lab.ids], [['udp 10.0.0.1'], [101]]);
    assert.ok(lab.nothingOpen);
  });

  it('passes over answers with another id, another question, or that are none, and gives up after many', async () => {
    const forged = (query: Buffer) => {
      const bytes = answer(query, 3);
      bytes.writeUInt16BE(7, 0);
      return bytes;
    };
    const renamed = (query: Buffer) => {
      const bytes = answer(query, 3);
      bytes.write('b', 13);
      return bytes;
    };
    const lab = new Lab({ '10.0.0.1': (query) => [forged(query), renamed(query), query, answer(query)] });
    assert.equal(await lab.result(), 0);
    const flooded = new Lab({
      '10.0.0.1': (query) => [...Array.from({ length: 16 }, () => forged(query)), answer(query)],
    });
    assert.equal(await flooded.result(), 'failed');
    assert.ok(flooded.nothingOpen);
  });

  it('asks a silent single server twice and every one of several once, within 4 s', async () => {
    const one = new Lab({ '10.0.0.1': silent });
    assert.equal(await one.result(), 'failed');
    assert.deepEqual([one.asked, one.clock.nowMs()], [['udp 10.0.0.1', 'udp 10.0.0.1'], 4000]);
    assert.notEqual(one.ids[0], one.ids[1]);
    const three = new Lab({ '10.0.0.1': silent, '10.0.0.2': 'unreachable', '10.0.0.3': good });
    assert.equal(await three.result(), 0);
    assert.deepEqual(three.asked, ['udp 10.0.0.1', 'udp 10.0.0.2', 'udp 10.0.0.3']);
    assert.ok(three.clock.nowMs() < 4000 && three.nothingOpen);
  });

  it('asks the next server after SERVFAIL or REFUSED, not after NXDOMAIN, and keeps the refusal if all fail', async () => {
    const refusing =
      (rcode: number): Behaviour =>
      (query) => [answer(query, rcode)];
    assert.equal(await new Lab({ '10.0.0.1': refusing(2), '10.0.0.2': good }).result(), 0);
    const unknown = new Lab({ '10.0.0.1': refusing(3), '10.0.0.2': good });
    assert.deepEqual([await unknown.result(), unknown.asked.length], [3, 1]);
    assert.equal(await new Lab({ '10.0.0.1': refusing(5), '10.0.0.2': silent }).result(), 5);
    const single = new Lab({ '10.0.0.1': refusing(2) });
    assert.deepEqual([await single.result(), single.asked.length], [2, 1]);
  });

  it('asks over TCP when the client did, or when the answer was cut; a cut answer is better than none', async () => {
    const tcp = new Lab({ '10.0.0.1': good });
    assert.deepEqual([await tcp.result('tcp'), tcp.asked], [0, ['tcp 10.0.0.1']]);
    assert.ok(tcp.nothingOpen);
    const cut: Behaviour = (query, transport) => (transport === 'udp' ? [answer(query, 0, true)] : [answer(query)]);
    const retried = await new Lab({ '10.0.0.1': cut }).forward();
    assert.ok(retried.kind === 'answer' && !retried.answer.truncated);
    const onlyUdp: Behaviour = (query, transport) => (transport === 'udp' ? [answer(query, 0, true)] : [query]);
    const kept = await new Lab({ '10.0.0.1': onlyUdp }).forward();
    assert.ok(kept.kind === 'answer' && kept.answer.truncated);
    assert.equal(readAnswer(Buffer.from(kept.answer.bytes)).message.truncated, true);
  });

  it('gives up over TCP within 10 s', async () => {
    const lab = new Lab({ '10.0.0.1': silent, '10.0.0.2': silent });
    assert.equal(await lab.result('tcp'), 'failed');
    assert.equal(lab.clock.nowMs(), 10_000);
    assert.ok(lab.nothingOpen);
  });

  it('refuses more than its number of open queries, and ends all of them when it stops', async () => {
    const lab = new Lab({ '10.0.0.1': silent });
    const open = Array.from({ length: MAX_FORWARDED_QUERIES }, () => lab.forward());
    const result = await lab.forward();
    assert.ok(result.kind === 'failed' && result.reason.includes('waiting'));
    await new Promise((resolve) => setImmediate(resolve));
    lab.forwarder.stop();
    const results = await Promise.all(open);
    assert.ok(results.every(({ kind }) => kind === 'failed'));
    assert.ok(lab.nothingOpen);
    assert.deepEqual(lab.clock.waitingMs, []);
  });

  it('fails at once without a server', async () => {
    const lab = new Lab({});
    assert.equal(await lab.result(), 'failed');
    assert.equal(lab.clock.nowMs(), 0);
  });
});
