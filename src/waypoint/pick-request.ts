/** What a request asks of the choice of its endpoint. */
export interface PickRequest {
  /** The value of the hash key, e.g. a header's; undefined when the request has none. */
  readonly hashKey: string | undefined;
  /** Uids of endpoints that failed this request before, to be avoided if there are others. */
  readonly avoid: ReadonlySet<string>;
  /** Priorities that had their tries, to be left if there are others. */
  readonly leave?: ReadonlySet<number> | undefined;
  /** The id of an endpoint that is to be picked in any case, if it is there and not ejected. */
  readonly endpointId?: string | undefined;
}
