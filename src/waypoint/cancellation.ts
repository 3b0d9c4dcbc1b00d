/** Says when a request is over, to those who still do something for it. */
export interface Cancellation {
  readonly aborted: boolean;
  /** Calls the listener once, when the request is over. @returns what takes the listener off again */
  onAbort(listener: () => void): () => void;
}
