/**
 * Remembers the streams this side reset last, whose frames may still be on their way (RFC 9113 5.1, "closed").
 * A ring of ids, made with the first reset.
 */
const REMEMBERED = 256;

export class ClosedStreams {
  #ids: Uint32Array | undefined;
  #next = 0;

  add(streamId: number): void {
    this.#ids ??= new Uint32Array(REMEMBERED);
    this.#ids[this.#next] = streamId;
    this.#next = (this.#next + 1) % REMEMBERED;
  }

  has(streamId: number): boolean {
    return this.#ids?.includes(streamId) ?? false;
  }
}
