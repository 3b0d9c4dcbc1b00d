/** The discovery streams that are open, for people who ask whether proxies have what they should. */

/** What a client has of one type of resources. */
export interface TypeReport {
  readonly typeUrl: string;
  /** `SYNCED`: it has all; `STALE`: something is on its way; `ERROR`: it refused the last that it was sent. */
  readonly state: 'SYNCED' | 'STALE' | 'ERROR';
  /** Numbers of the last message that was sent, and of the last that was answered; 0 for none. */
  readonly sent: number;
  readonly acknowledged: number;
  /** Of these, by wall clock, in milliseconds; undefined for none. */
  readonly sentMs: number | undefined;
  readonly acknowledgedMs: number | undefined;
  /** Resources that wait to be sent. */
  readonly pending: number;
  /** What the client said of the last message that it refused, while that is the last one; empty otherwise. */
  readonly error: string;
}

/** A client. */
export interface StreamReport {
  /** As it introduced itself; empty until it has. */
  readonly node: string;
  /** `namespace/account` of its token. */
  readonly caller: string;
  readonly peer: string;
  /** By wall clock. */
  readonly connectedMs: number;
  readonly types: readonly TypeReport[];
}

export class StreamRegistry {
  readonly #open = new Set<() => StreamReport>();

  /** @returns what ends the entry */
  add(report: () => StreamReport): () => void {
    this.#open.add(report);
    return () => void this.#open.delete(report);
  }

  reports(): StreamReport[] {
    return [...this.#open].map((report) => report());
  }
}
