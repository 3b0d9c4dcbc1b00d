/** A map from a key to several values, most often one. */
export class MultiMap<V extends object> {
  readonly #entries = new Map<string, readonly V[]>();

  /** The values of the key in the order of insertion; empty when there is none. */
  get(key: string): readonly V[] {
    return this.#entries.get(key) ?? [];
  }

  add(key: string, value: V): void {
    const values = this.#entries.get(key);
    this.#entries.set(key, values === undefined ? [value] : [...values, value]);
  }

  remove(key: string, value: V): void {
    const rest = this.#entries.get(key)?.filter((candidate) => candidate !== value) ?? [];
    if (rest.length > 0) this.#entries.set(key, rest);
    else this.#entries.delete(key);
  }

  keys(): IterableIterator<string> {
    return this.#entries.keys();
  }
}
