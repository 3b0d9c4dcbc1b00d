/**
 * The outgoing tunnels of one pod (facts ztunnel-wire 7.5).
 *
 * Invariants:
 * - A tunnel is shared only by connections with the same source identity, source address, accepted identities and target.
 * - One creator per key at a time; whoever asks meanwhile waits for it and shares the result.
 * - A tunnel that reached its stream limit is never given out again; one that nobody asked for during the idle time
 *   closes once its streams are done.
 * - What `acquire` gives out counts as a stream until it is redeemed: of many who waited for one tunnel, no more get it
 *   than it has room for.
 * - After `drain` no tunnel is given out.
 */
import type { Clock, Timer } from '../base/clock.ts';
import { fail, ok, type Result } from '../base/result.ts';
import type { Http2Connection } from '../http2/connection.ts';
import type { SpiffeId } from '../model/spiffe.ts';
import { connectError } from './dialer.ts';
import { type ProxyError, proxyError } from './proxy-error.ts';

/** What makes two connections share a tunnel. */
export interface TunnelKey {
  readonly sourceIdentity: SpiffeId;
  readonly sourceIp: string;
  readonly identities: readonly SpiffeId[];
  readonly targetIp: string;
  readonly targetPort: number;
}

/** A tunnel that is given out until it is full or idle. */
export interface Tunnel {
  readonly connection: Http2Connection;
  /** The identity that the other end proved. */
  readonly peer: SpiffeId;
  /** The other end's certificates as a revocation list names them; undefined without a list. */
  readonly peerKeys?: readonly string[] | undefined;
}

interface PooledTunnel extends Tunnel {
  lastUsedMs: number;
}

interface Slot {
  readonly tunnels: PooledTunnel[];
  creating: Promise<Result<Tunnel, ProxyError>> | undefined;
}

export interface TunnelPoolOptions {
  readonly maxStreams: number;
  readonly idleMs: number;
}

export interface TunnelPoolDeps {
  readonly clock: Clock;
  /** Opens a new tunnel; `onClosed` is called when it ends. */
  open(key: TunnelKey, onClosed: () => void): Promise<Result<Tunnel, ProxyError>>;
}

export class TunnelPool {
  readonly #options: TunnelPoolOptions;
  readonly #deps: TunnelPoolDeps;
  readonly #slots = new Map<string, Slot>();
  /** Every tunnel that is open, given out or not. */
  readonly #open = new Set<Http2Connection>();
  /** Streams that were promised and are not opened yet. */
  readonly #promised = new Map<Http2Connection, number>();
  /** Full ones that wait for those streams. */
  readonly #retired = new Set<Http2Connection>();
  #sweep: Timer | undefined;
  #draining = false;

  constructor(options: TunnelPoolOptions, deps: TunnelPoolDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** A tunnel with room for one more stream when one is at hand. */
  current(key: TunnelKey): Tunnel | undefined {
    const slot = this.#slots.get(keyText(key));
    return slot && !this.#draining ? this.#checkOut(slot) : undefined;
  }

  /** A tunnel with room for one more stream, opened if need be. It has to be redeemed. */
  async acquire(key: TunnelKey): Promise<Result<Tunnel, ProxyError>> {
    for (;;) {
      if (this.#draining) return fail(poolDraining());
      const slot = this.#slot(keyText(key));
      const tunnel = this.#checkOut(slot);
      if (tunnel !== undefined) {
        this.#promise(tunnel.connection);
        return ok(tunnel);
      }
      const creator = slot.creating === undefined;
      slot.creating ??= this.#create(slot, key);
      const created = await slot.creating;
      // The creator has the tunnel for itself first; the others look again, and open more when it is full.
      if (!created.ok || creator) return created;
    }
  }

  /** What `acquire` promised is made use of now, in the same turn, or never. */
  redeem({ connection }: Tunnel): void {
    const promised = this.#promised.get(connection) ?? 0;
    if (promised > 1) {
      this.#promised.set(connection, promised - 1);
      return;
    }
    this.#promised.delete(connection);
    // After the stream of this turn is opened.
    if (this.#retired.delete(connection)) queueMicrotask(() => connection.drain());
  }

  #promise(connection: Http2Connection): void {
    this.#promised.set(connection, (this.#promised.get(connection) ?? 0) + 1);
  }

  /** Gives out nothing more and closes each tunnel once its streams are done. */
  drain(): void {
    this.#draining = true;
    this.#slots.clear();
    this.#sweep?.cancel();
    for (const connection of this.#open) connection.drain();
  }

  /** Closes every tunnel now. */
  destroy(): void {
    this.drain();
    for (const connection of [...this.#open]) connection.destroy();
  }

  #slot(text: string): Slot {
    let slot = this.#slots.get(text);
    if (slot === undefined) {
      slot = { tunnels: [], creating: undefined };
      this.#slots.set(text, slot);
    }
    return slot;
  }

  #checkOut(slot: Slot): Tunnel | undefined {
    for (let tunnel = slot.tunnels.at(-1); tunnel !== undefined; tunnel = slot.tunnels.at(-1)) {
      if (this.#hasRoom(tunnel.connection)) {
        tunnel.lastUsedMs = this.#deps.clock.monotonicMs();
        return tunnel;
      }
      slot.tunnels.pop();
      this.#retire(tunnel.connection);
    }
    return undefined;
  }

  /** Gives a full tunnel out no more; it closes once its streams are done, those that are promised included. */
  #retire(connection: Http2Connection): void {
    if (this.#promised.has(connection)) this.#retired.add(connection);
    else connection.drain();
  }

  #hasRoom(connection: Http2Connection): boolean {
    const limit = Math.min(this.#options.maxStreams, connection.peerMaxConcurrentStreams);
    return connection.acceptsRequests && connection.openStreams + (this.#promised.get(connection) ?? 0) < limit;
  }

  async #create(slot: Slot, key: TunnelKey): Promise<Result<Tunnel, ProxyError>> {
    let closed = false;
    let opened: Http2Connection | undefined;
    const created = await this.#tryOpen(key, () => {
      closed = true;
      if (opened !== undefined) this.#closed(keyText(key), opened);
    });
    slot.creating = undefined;
    if (!created.ok) {
      this.#dropEmpty(keyText(key), slot);
      return created;
    }
    const { connection, peer, peerKeys } = created.value;
    // A peer may hang up before the tunnel was given out even once; the stream that is put on it reports that.
    if (closed) return created;
    opened = connection;
    this.#open.add(connection);
    if (this.#draining) {
      connection.drain();
      return fail(poolDraining());
    }
    // For whoever asked for it first.
    this.#promise(connection);
    slot.tunnels.push({ connection, peer, peerKeys, lastUsedMs: this.#deps.clock.monotonicMs() });
    this.#scheduleSweep();
    return created;
  }

  /** Opening answers with its failures; one that throws would leave its key without a tunnel for good. */
  async #tryOpen(key: TunnelKey, onClosed: () => void): Promise<Result<Tunnel, ProxyError>> {
    try {
      return await this.#deps.open(key, onClosed);
    } catch (error) {
      return fail(connectError(error));
    }
  }

  #closed(text: string, connection: Http2Connection): void {
    this.#open.delete(connection);
    this.#promised.delete(connection);
    this.#retired.delete(connection);
    const slot = this.#slots.get(text);
    const index = slot?.tunnels.findIndex((tunnel) => tunnel.connection === connection) ?? -1;
    if (slot === undefined || index < 0) return;
    slot.tunnels.splice(index, 1);
    this.#dropEmpty(text, slot);
  }

  #dropEmpty(text: string, slot: Slot): void {
    if (slot.tunnels.length === 0 && slot.creating === undefined && this.#slots.get(text) === slot) {
      this.#slots.delete(text);
    }
  }

  #isInUse(connection: Http2Connection): boolean {
    return connection.openStreams > 0 || this.#promised.has(connection);
  }

  /** One timer for the whole pool, and none while it is empty. */
  #scheduleSweep(): void {
    this.#sweep ??= this.#deps.clock.after(this.#options.idleMs / 2, () => {
      this.#sweep = undefined;
      this.#closeIdle(this.#deps.clock.monotonicMs() - this.#options.idleMs);
      if (this.#slots.size > 0 && !this.#draining) this.#scheduleSweep();
    });
  }

  #closeIdle(usedBeforeMs: number): void {
    for (const [text, slot] of [...this.#slots]) {
      for (const tunnel of [...slot.tunnels]) {
        if (tunnel.lastUsedMs > usedBeforeMs || this.#isInUse(tunnel.connection)) continue;
        slot.tunnels.splice(slot.tunnels.indexOf(tunnel), 1);
        tunnel.connection.drain();
      }
      this.#dropEmpty(text, slot);
    }
  }
}

function keyText(key: TunnelKey): string {
  return `${key.sourceIdentity}|${key.sourceIp}|${key.identities.join(',')}|${key.targetIp}|${key.targetPort}`;
}

function poolDraining(): ProxyError {
  return proxyError('POOL_DRAINING', 'pool draining');
}
