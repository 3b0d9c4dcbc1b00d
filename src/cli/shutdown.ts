/** SIGTERM and SIGINT: the first asks for a graceful end, a second SIGINT ends at once. */
const INTERRUPTED = 130;

/** Calls `shutdown` once on the first signal. */
export function onShutdownSignal(shutdown: () => void): void {
  let asked = false;
  const ask = (signal: NodeJS.Signals) => {
    if (asked && signal === 'SIGINT') process.exit(INTERRUPTED);
    if (asked) return;
    asked = true;
    shutdown();
  };
  process.on('SIGTERM', ask);
  process.on('SIGINT', ask);
}
