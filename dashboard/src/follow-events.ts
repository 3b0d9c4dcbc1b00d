/** Events of the dashboard's server, for as long as somebody wants them. */

/** What of a browser is needed for it. */
export interface EventBrowser {
  open(path: string): EventTarget & { readonly readyState: number; close(): void };
  /** Asks once more, for the reason of a refusal; empty: it is none any more. */
  refusalOf(path: string): Promise<string>;
  /** @returns what calls it off */
  later(act: () => void, ms: number): () => void;
}

/** Takes the data of each event, by its name. */
export type EventTakers = Readonly<Record<string, (data: never) => void>>;

/** Of EventSource (HTML, server-sent events): it does not try again by itself. */
const CLOSED = 2;
const PAUSE_MS = 5000;
const SILENT = 'The dashboard does not answer: it is tried again.';

/**
 * A stream that breaks off is opened again by the browser. One that is refused is not: then it is asked why, and tried anew.
 * @param onFailure hears why there are no events now; empty when there are
 * @returns what ends it
 */
export function followEvents(
  path: string,
  takers: EventTakers,
  onFailure: (reason: string) => void,
  browser: EventBrowser,
): () => void {
  let isOver = false;
  let stop: () => void = () => undefined;
  const listen = () => {
    const source = browser.open(path);
    stop = () => source.close();
    for (const [name, take] of Object.entries(takers))
      source.addEventListener(name, (event) => take(JSON.parse((event as Event & { data: string }).data) as never));
    source.addEventListener('open', () => onFailure(''));
    source.addEventListener('error', async () => {
      if (source.readyState !== CLOSED) return onFailure(SILENT);
      const reason = await browser.refusalOf(path).catch(() => SILENT);
      if (isOver) return;
      onFailure(reason);
      stop = browser.later(listen, PAUSE_MS);
    });
  };
  listen();
  return () => {
    isOver = true;
    stop();
  };
}
