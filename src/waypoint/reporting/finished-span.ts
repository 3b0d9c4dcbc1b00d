/** One request as a trace shows it: the span of a server (facts l7-and-control 8.3). */
export interface FinishedSpan {
  /** 32 or 16 hexadecimal digits. */
  readonly traceId: string;
  readonly spanId: string;
  /** Undefined for the first one of a trace. */
  readonly parentId: string | undefined;
  readonly state: string;
  readonly name: string;
  /** Of the wall clock. */
  readonly startMs: number;
  readonly durationMs: number;
  readonly failed: boolean;
  /** `ip:port` of the client. */
  readonly clientAddress: string;
  readonly tags: ReadonlyMap<string, string>;
}

/** Who tells of it. */
export interface SpanSource {
  readonly serviceName: string;
  readonly ip: string;
}
