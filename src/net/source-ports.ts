/**
 * Source ports for connections that are made with the address of a client.
 *
 * The kernel would choose from the range of its own ephemeral ports, which is that of the client's kernel too: the choice
 * can then be a port from which the client has a connection to the same server already, past ztunnel, and one of the two
 * dies. So ports outside the range are taken, in turn: the one that was used longest ago is the most likely to be free.
 */
import { readFileSync } from 'node:fs';

/** `first<tab>last`; of this namespace, where a pod that does not change it has the same. */
const RANGE_PATH = '/proc/sys/net/ipv4/ip_local_port_range';
/** Of the kernel, where it cannot be read. */
const DEFAULT_RANGE = '32768 60999';
/** Below are the ports that programs listen on. */
const LOWEST_PORT = 16_384;
const HIGHEST_PORT = 65_535;
/** Ports that are tried before the kernel is left to choose. */
const TRIES = 8;
/** Between the tries: what is taken stands close together. A prime, so that small ranges are not tried at one place only. */
const STRIDE = 2617;

/** Ports in order; counted and not listed, as every pod has them. */
export interface PortList {
  readonly length: number;
  /** @param index below `length` */
  at(index: number): number;
}

/** The ports outside the range that the text of `ip_local_port_range` gives; none when it covers them all. */
export function portsOutside(rangeText: string): PortList {
  const [first = Number.NaN, last = Number.NaN] = rangeText.trim().split(/\s+/).map(Number);
  if (Number.isNaN(first) || Number.isNaN(last)) return portsOutside(DEFAULT_RANGE);
  const below = Math.max(0, Math.min(first, HIGHEST_PORT + 1) - LOWEST_PORT);
  const firstAbove = Math.max(last + 1, LOWEST_PORT + below);
  const above = Math.max(0, HIGHEST_PORT + 1 - firstAbove);
  return {
    length: below + above,
    at: (index) => (index < below ? LOWEST_PORT + index : firstAbove + index - below),
  };
}

/** The range that is in force. */
export function readPortRange(): string {
  try {
    return readFileSync(RANGE_PATH, 'utf8');
  } catch {
    // Without /proc the kernel's default is as good a guess as any.
    return DEFAULT_RANGE;
  }
}

export class SourcePorts {
  readonly #ports: PortList;
  #next: number;

  /**
   * @param rangeText as in `ip_local_port_range`
   * @param random uniform in [0, 1): threads that serve the same pod begin at different places
   */
  constructor(rangeText: string, random: () => number) {
    this.#ports = portsOutside(rangeText);
    this.#next = Math.floor(random() * this.#ports.length);
  }

  /** The ports to try for one connection, in order; empty when the kernel has to choose. */
  candidates(): readonly number[] {
    const ports = this.#ports;
    if (ports.length === 0) return [];
    const start = this.#next;
    this.#next = (start + 1) % ports.length;
    return Array.from({ length: TRIES }, (_, index) => ports.at((start + index * STRIDE) % ports.length));
  }
}
