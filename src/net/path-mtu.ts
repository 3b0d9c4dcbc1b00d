/** The longest packet that reaches an address without being cut (RFC 1191, RFC 8201). */
import type { EchoOutcome } from '../native/icmp-echo.ts';

/** Whom packets of a length are sent to; `IcmpEcho` is one. */
export interface PacketProbe {
  readonly linkMtuBytes: number;
  readonly learnedMtuBytes: number;
  ask(packetBytes: number, timeoutMs: number): Promise<EchoOutcome>;
}

export type PathMtu =
  /** As long as the link of the sender takes. */
  | { readonly kind: 'whole'; readonly bytes: number }
  /** Shorter, and the path says so: senders adapt. */
  | { readonly kind: 'told'; readonly bytes: number; readonly linkBytes: number }
  /** Shorter, and what is longer vanishes. */
  | { readonly kind: 'lost'; readonly bytes: number; readonly linkBytes: number }
  /** Not even a short packet is answered. */
  | { readonly kind: 'silent' };

const SHORT_BYTES = 100;
const TRY_MS = 500;
const TRIES = 2;
/** The search ends when no more than this is open. */
const EXACT_BYTES = 4;

/** Takes some 10 s at most. */
export async function findPathMtu(probe: PacketProbe): Promise<PathMtu> {
  const linkBytes = probe.linkMtuBytes;
  if ((await askTwice(probe, SHORT_BYTES)) !== 'answered') return { kind: 'silent' };
  const whole = await askTwice(probe, linkBytes);
  if (whole === 'answered') return { kind: 'whole', bytes: linkBytes };
  if (whole === 'too-big') {
    const bytes = probe.learnedMtuBytes;
    if (bytes < linkBytes && (await askTwice(probe, bytes)) === 'answered') return { kind: 'told', bytes, linkBytes };
  }
  return { kind: 'lost', bytes: await search(probe, SHORT_BYTES, linkBytes), linkBytes };
}

/** A packet may get lost for other reasons. */
async function askTwice(probe: PacketProbe, bytes: number): Promise<EchoOutcome> {
  let outcome: EchoOutcome = 'silent';
  for (let count = 0; count < TRIES && outcome === 'silent'; count++) outcome = await probe.ask(bytes, TRY_MS);
  return outcome;
}

/** @param passes is answered @param fails is not */
async function search(probe: PacketProbe, passes: number, fails: number): Promise<number> {
  let [low, high] = [passes, fails];
  while (high - low > EXACT_BYTES) {
    const middle = Math.floor((low + high) / 2);
    if ((await probe.ask(middle, TRY_MS)) === 'answered') low = middle;
    else high = middle;
  }
  return low;
}
