/**
 * Takes hosts that fail again and again out of balancing for a while (facts l7-and-control 2.4).
 *
 * Invariants:
 * - A host goes at once when a row of failures is full, and comes back at a sweep only.
 * - Each ejection lasts longer than the one before, and is forgiven step by step while the host stays.
 */

/** What became of one request, or of the connection for it. */
export type Outcome =
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'connect-failure' | 'timeout' | 'reset' };

/** Rows of failures are off at 0. */
export interface OutlierSettings {
  readonly consecutive5xx: number;
  readonly consecutiveGatewayErrors: number;
  /** Failures that the waypoint itself saw form a row of their own. */
  readonly splitLocalOrigin: boolean;
  readonly consecutiveLocalOrigin: number;
  readonly intervalMs: number;
  readonly baseEjectionMs: number;
  readonly maxEjectionPercent: number;
  /** The statuses that count as failures; empty: all from 500. */
  readonly errorCodes: readonly number[];
}

interface HostRecord {
  row5xx: number;
  rowGateway: number;
  rowLocal: number;
  /** Ejections that are not forgiven yet. */
  ejections: number;
  /** Undefined while it takes part. */
  ejectedUntilMs: number | undefined;
}

const MAX_EJECTION_MS = 300_000;

export class OutlierDetector {
  #settings: OutlierSettings;
  readonly #records = new Map<string, HostRecord>();
  readonly #ejected = new Set<string>();
  #nextSweepMs: number;

  constructor(settings: OutlierSettings, nowMs: number) {
    this.#settings = settings;
    this.#nextSweepMs = nowMs + settings.intervalMs;
  }

  get ejected(): ReadonlySet<string> {
    return this.#ejected;
  }

  /** Other settings, from now on; what is ejected stays so until its time is over. */
  setSettings(settings: OutlierSettings): void {
    this.#settings = settings;
  }

  /**
   * Notes what became of a request.
   * @param hosts how many there are, ejected or not
   * @returns whether the host was ejected by it
   */
  report(id: string, outcome: Outcome, hosts: number, nowMs: number): boolean {
    const record = this.#records.get(id) ?? newRecord();
    this.#records.set(id, record);
    // Answers to requests from before the ejection say nothing new.
    if (record.ejectedUntilMs !== undefined) return false;
    return this.#isOver(record, outcome) && this.#eject(id, record, hosts, nowMs);
  }

  /** Lets hosts back whose time is over, if a sweep is due. @returns whether the set of ejected hosts changed */
  sweep(nowMs: number): boolean {
    if (nowMs < this.#nextSweepMs) return false;
    const { intervalMs } = this.#settings;
    const intervals = 1 + Math.floor((nowMs - this.#nextSweepMs) / intervalMs);
    this.#nextSweepMs += intervals * intervalMs;
    let changed = false;
    for (const [id, record] of this.#records) {
      if (record.ejectedUntilMs === undefined) {
        record.ejections = Math.max(0, record.ejections - intervals);
      } else if (record.ejectedUntilMs <= nowMs) {
        record.ejectedUntilMs = undefined;
        this.#ejected.delete(id);
        changed = true;
      }
    }
    return changed;
  }

  /** Forgets hosts that are gone. */
  keepOnly(ids: { has(id: string): boolean }): void {
    for (const id of this.#records.keys()) {
      if (ids.has(id)) continue;
      this.#records.delete(id);
      this.#ejected.delete(id);
    }
  }

  /** Counts the outcome. @returns whether a row is full */
  #isOver(record: HostRecord, outcome: Outcome): boolean {
    const settings = this.#settings;
    if (outcome.kind !== 'status' && settings.splitLocalOrigin) {
      record.rowLocal += 1;
      return isFull(record.rowLocal, settings.consecutiveLocalOrigin);
    }
    if (outcome.kind === 'status') record.rowLocal = 0;
    const status = outcome.kind === 'status' ? outcome.status : 503;
    const { errorCodes } = settings;
    const isError = outcome.kind !== 'status' || errorCodes.length === 0 ? status >= 500 : errorCodes.includes(status);
    const isGatewayError = isError && status >= 502 && status <= 504;
    record.row5xx = isError ? record.row5xx + 1 : 0;
    record.rowGateway = isGatewayError ? record.rowGateway + 1 : 0;
    return (
      isFull(record.row5xx, settings.consecutive5xx) || isFull(record.rowGateway, settings.consecutiveGatewayErrors)
    );
  }

  /** Always lets the first go, whatever its share is. */
  #eject(id: string, record: HostRecord, hosts: number, nowMs: number): boolean {
    const { baseEjectionMs, maxEjectionPercent } = this.#settings;
    record.row5xx = 0;
    record.rowGateway = 0;
    record.rowLocal = 0;
    const { size } = this.#ejected;
    if (size > 0 && 100 * (size + 1) > maxEjectionPercent * hosts) return false;
    record.ejections += 1;
    const lasts = Math.min(baseEjectionMs * record.ejections, Math.max(MAX_EJECTION_MS, baseEjectionMs));
    record.ejectedUntilMs = nowMs + lasts;
    this.#ejected.add(id);
    return true;
  }
}

function newRecord(): HostRecord {
  return { row5xx: 0, rowGateway: 0, rowLocal: 0, ejections: 0, ejectedUntilMs: undefined };
}

function isFull(row: number, limit: number): boolean {
  return limit > 0 && row >= limit;
}
