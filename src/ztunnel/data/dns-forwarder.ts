/**
 * Queries that the mesh cannot answer, asked of the process's own name servers from inside the pod's network (facts
 * ztunnel-wire 12).
 *
 * Invariants:
 * - Every try has a socket with a random port and a random id of its own; an answer counts only from the server that was
 *   asked, with that id and the same question. After some that do not, the try is given up: somebody is guessing.
 * - Every query ends within its deadline, and no more than a fixed number of them are open per pod.
 */
import type { Clock } from '../../base/clock.ts';
import type { DnsQuery } from '../../dns/dns-message.ts';
import { type DnsTransport, MAX_MESSAGE_BYTES } from '../../dns/dns-reply.ts';
import { DnsFrameReader, frameDnsMessage } from '../../dns/dns-stream.ts';
import { RCODE } from '../../dns/record-type.ts';
import { readUpstreamAnswer, type UpstreamAnswer } from '../../dns/upstream-answer.ts';
import type { IpAddress } from '../../model/address.ts';
import { canonicalIp } from '../../model/address.ts';
import type { Nameservers } from './dns-nameservers.ts';
import type { DnsNetwork } from './dns-network.ts';

export interface DnsForwarderDeps {
  readonly network: DnsNetwork;
  readonly nameservers: Nameservers;
  readonly clock: Clock;
  /** Unpredictable numbers from 0 to 65535. */
  readonly randomId: () => number;
}

export type ForwardResult =
  | { readonly kind: 'answer'; readonly answer: UpstreamAnswer }
  | { readonly kind: 'failed'; readonly reason: string };

/** Shorter than the 5 s after which stub resolvers repeat their question. */
const UDP_DEADLINE_MS = 4000;
const TCP_DEADLINE_MS = 10_000;
export const TCP_CONNECT_TIMEOUT_MS = 5000;
export const MAX_FORWARDED_QUERIES = 256;
const MAX_FALSE_ANSWERS = 16;
const DNS_PORT = 53;
/** Answers after which another server is asked, if there is one. */
const TRY_NEXT: ReadonlySet<number> = new Set([RCODE.SERVFAIL, RCODE.NOTIMP, RCODE.REFUSED]);

interface Question {
  readonly query: DnsQuery;
  /** The query as the client sent it. */
  readonly bytes: Uint8Array;
}

export class DnsForwarder {
  readonly #deps: DnsForwarderDeps;
  readonly #aborts = new Set<() => void>();
  #open = 0;
  #stopped = false;

  constructor(deps: DnsForwarderDeps) {
    this.#deps = deps;
  }

  /** Asks the servers one after the other. Never rejects. */
  async forward(query: DnsQuery, bytes: Uint8Array, transport: DnsTransport): Promise<ForwardResult> {
    if (this.#open >= MAX_FORWARDED_QUERIES) return failed(`${MAX_FORWARDED_QUERIES} queries are waiting already`);
    const servers = this.#deps.nameservers.current();
    if (servers.length === 0) return failed('no name server is configured');
    this.#open++;
    const answer = await this.#askAll({ query, bytes }, transport, servers);
    this.#open--;
    return answer === undefined ? failed(`no answer from ${servers.join(', ')}`) : { kind: 'answer', answer };
  }

  /** Gives up what is open. */
  stop(): void {
    this.#stopped = true;
    for (const abort of [...this.#aborts]) abort();
  }

  async #askAll(
    question: Question,
    transport: DnsTransport,
    servers: readonly IpAddress[],
  ): Promise<UpstreamAnswer | undefined> {
    const { clock } = this.#deps;
    const deadlineMs = clock.monotonicMs() + (transport === 'udp' ? UDP_DEADLINE_MS : TCP_DEADLINE_MS);
    // A datagram may get lost: a single server is asked twice.
    const tries = transport === 'udp' && servers.length === 1 ? [...servers, ...servers] : servers;
    let refusal: UpstreamAnswer | undefined;
    let refusedBy: IpAddress | undefined;
    for (const [index, server] of tries.entries()) {
      const remainingMs = deadlineMs - clock.monotonicMs();
      if (this.#stopped || remainingMs <= 0) break;
      if (server === refusedBy) continue;
      const answer = await this.#ask(question, transport, server, remainingMs / (tries.length - index));
      if (answer !== undefined && !TRY_NEXT.has(answer.rcode)) return answer;
      if (answer === undefined) continue;
      refusal = answer;
      refusedBy = server;
    }
    return refusal;
  }

  async #ask(
    question: Question,
    transport: DnsTransport,
    server: IpAddress,
    timeoutMs: number,
  ): Promise<UpstreamAnswer | undefined> {
    if (transport === 'tcp') return this.#askTcp(question, server, timeoutMs);
    const startMs = this.#deps.clock.monotonicMs();
    const answer = await this.#askUdp(question, server, timeoutMs);
    if (answer?.truncated !== true || this.#stopped) return answer;
    const remainingMs = timeoutMs - (this.#deps.clock.monotonicMs() - startMs);
    // What was cut is still better than nothing: the client asks again over TCP by itself.
    return (await this.#askTcp(question, server, remainingMs)) ?? answer;
  }

  async #askUdp({ query, bytes }: Question, server: IpAddress, timeoutMs: number): Promise<UpstreamAnswer | undefined> {
    const socket = await this.#deps.network.connectUdp({ address: server, port: DNS_PORT }).catch(noSocket);
    if (socket === undefined) return undefined;
    const id = this.#deps.randomId();
    return this.#attempt(
      timeoutMs,
      () => socket.close(),
      (finish) => {
        let falseAnswers = 0;
        socket.on('error', () => finish(undefined));
        socket.on('message', (message, { address, port }) => {
          // Connected sockets filter by source, but not what came before they were connected.
          const expected = canonicalIp(address) === server && port === DNS_PORT;
          const answer = expected ? readUpstreamAnswer(message, id, query) : undefined;
          if (answer !== undefined) finish(answer);
          else if (++falseAnswers >= MAX_FALSE_ANSWERS) finish(undefined);
        });
        socket.send(withId(bytes, id), (error) => {
          if (error !== null) finish(undefined);
        });
      },
    );
  }

  async #askTcp({ query, bytes }: Question, server: IpAddress, timeoutMs: number): Promise<UpstreamAnswer | undefined> {
    const { clock, network, randomId } = this.#deps;
    const startMs = clock.monotonicMs();
    const connectMs = Math.min(TCP_CONNECT_TIMEOUT_MS, timeoutMs);
    const socket = await network.connectTcp({ address: server, port: DNS_PORT }, connectMs).catch(noSocket);
    if (socket === undefined) return undefined;
    const id = randomId();
    const remainingMs = timeoutMs - (clock.monotonicMs() - startMs);
    return this.#attempt(
      remainingMs,
      () => socket.destroy(),
      (finish) => {
        const reader = new DnsFrameReader(MAX_MESSAGE_BYTES);
        socket.on('error', () => finish(undefined));
        socket.on('close', () => finish(undefined));
        socket.on('data', (chunk: Buffer) => {
          const [message] = reader.push(chunk) ?? [];
          if (message !== undefined) finish(readUpstreamAnswer(message, id, query));
        });
        socket.on('end', () => finish(undefined));
        socket.write(frameDnsMessage(withId(bytes, id)));
      },
    );
  }

  /** Runs one try until it finishes, its time is over, or the pod stops. */
  #attempt(
    timeoutMs: number,
    close: () => void,
    run: (finish: (answer: UpstreamAnswer | undefined) => void) => void,
  ): Promise<UpstreamAnswer | undefined> {
    return new Promise((resolve) => {
      let done = false;
      const finish = (answer: UpstreamAnswer | undefined) => {
        if (done) return;
        done = true;
        timer.cancel();
        this.#aborts.delete(abort);
        close();
        resolve(answer);
      };
      const abort = () => finish(undefined);
      const timer = this.#deps.clock.after(Math.max(0, timeoutMs), abort);
      this.#aborts.add(abort);
      if (this.#stopped) abort();
      else run(finish);
    });
  }
}

/** A socket that could not be opened or connected is a server that did not answer. */
function noSocket(): undefined {
  return undefined;
}

function failed(reason: string): ForwardResult {
  return { kind: 'failed', reason };
}

function withId(bytes: Uint8Array, id: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt16BE(id, 0);
  return copy;
}
