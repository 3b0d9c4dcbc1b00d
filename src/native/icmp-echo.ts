/**
 * ICMP echo in packets of a given length that nobody may fragment (RFC 792, RFC 4443, RFC 1191).
 *
 * Invariant: the socket hears its destination alone, and only an answer to this question counts.
 */
import type { Clock } from '../base/clock.ts';
import { type IcmpSocketOptions, nativeAddon } from './addon.ts';
import { fromErrno, isWouldBlock, readFailure } from './from-errno.ts';

/** `too-big` where this machine or one on the way says so, `silent` where nobody says anything in time. */
export type EchoOutcome = 'answered' | 'too-big' | 'silent';

const HEADER_BYTES = { 4: 20, 6: 40 } as const;
const ECHO_TYPES = { 4: { request: 8, reply: 0 }, 6: { request: 128, reply: 129 } } as const;
const ICMP_HEADER_BYTES = 8;
/** An IPv4 packet comes with its header, which may be this long. */
const KEPT_BYTES = 60 + ICMP_HEADER_BYTES;
/** A probe is rare and short: asking again is simpler than being told. */
const LOOK_MS = 5;

export class IcmpEcho {
  readonly linkMtuBytes: number;
  readonly #family: 4 | 6;
  readonly #fd: number;
  readonly #id: number;
  readonly #clock: Clock;
  #sequence = 0;
  #closed = false;

  /**
   * @param id tells this asker from others, 16 bits
   * @throws AmbitError NATIVE_*, NATIVE_PERMISSION without CAP_NET_RAW
   */
  constructor(options: IcmpSocketOptions, id: number, clock: Clock) {
    const opened = nativeAddon().openIcmpSocket(options);
    if (typeof opened === 'number') throw fromErrno(opened, `ICMP socket to ${options.destination}`);
    this.#family = options.family;
    this.#fd = opened.fd;
    this.linkMtuBytes = opened.linkMtuBytes;
    this.#id = id;
    this.#clock = clock;
  }

  /** The smallest MTU that somebody on the way spoke of, in bytes. */
  get learnedMtuBytes(): number {
    const mtu = nativeAddon().pathMtu(this.#fd);
    return mtu < 0 ? this.linkMtuBytes : mtu;
  }

  /** @param packetBytes length with the IP header */
  async ask(packetBytes: number, timeoutMs: number): Promise<EchoOutcome> {
    const sequence = ++this.#sequence & 0xffff;
    const sent = nativeAddon().sendNow(this.#fd, this.#request(packetBytes, sequence));
    if (sent < 0) return isTooBig(sent) ? 'too-big' : 'silent';
    const deadlineMs = this.#clock.monotonicMs() + timeoutMs;
    while (!this.#closed && this.#clock.monotonicMs() < deadlineMs) {
      const outcome = this.#look(sequence);
      if (outcome !== undefined) return outcome;
      await new Promise<void>((resolve) => void this.#clock.after(LOOK_MS, resolve));
    }
    return 'silent';
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    nativeAddon().closeFd(this.#fd);
  }

  /** Undefined while there is nothing. */
  #look(sequence: number): EchoOutcome | undefined {
    for (;;) {
      const received = nativeAddon().receiveNow(this.#fd, KEPT_BYTES);
      if (typeof received === 'number') {
        if (isWouldBlock(received)) return undefined;
        return isTooBig(received) ? 'too-big' : 'silent';
      }
      if (this.#isReply(received, sequence)) return 'answered';
    }
  }

  #isReply(packet: Buffer, sequence: number): boolean {
    const icmp = this.#family === 4 ? packet.subarray(((packet[0] ?? 0) & 15) * 4) : packet;
    if (icmp.length < ICMP_HEADER_BYTES || icmp[0] !== ECHO_TYPES[this.#family].reply) return false;
    return icmp.readUInt16BE(4) === this.#id && icmp.readUInt16BE(6) === sequence;
  }

  #request(packetBytes: number, sequence: number): Buffer {
    const message = Buffer.alloc(Math.max(ICMP_HEADER_BYTES, packetBytes - HEADER_BYTES[this.#family]));
    message[0] = ECHO_TYPES[this.#family].request;
    message.writeUInt16BE(this.#id, 4);
    message.writeUInt16BE(sequence, 6);
    // The kernel does it for IPv6, where it covers addresses too.
    if (this.#family === 4) message.writeUInt16BE(checksum(message), 2);
    return message;
  }
}

function isTooBig(failure: number): boolean {
  return readFailure(failure).errnoName === 'EMSGSIZE';
}

/** RFC 1071. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at + 1 < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  if (bytes.length % 2 === 1) sum += (bytes[bytes.length - 1] ?? 0) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
