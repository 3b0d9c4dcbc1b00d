/** A resource of the feed, as it is put into a store. */
export interface StoredResource {
  readonly name: string;
  /** Hash of the content; empty for types that are always re-sent (facts ztunnel-wire 5.4). */
  readonly version: string;
  /** The encoded message. */
  readonly value: Buffer;
  /** Other names of this very resource, sent to on-demand clients. */
  readonly aliases: readonly string[];
  /** Names of resources to which this one belongs: who asks for the service also gets its workloads. */
  readonly groups: readonly string[];
}
