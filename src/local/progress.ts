/** What the user sees: one changing line on a terminal, else one line for each step. */
import type { PodState } from './run-folder.ts';

export interface ProgressOptions {
  readonly terminal: boolean;
  readonly quiet: boolean;
}

export interface ProgressCounts {
  readonly nodes: number;
  readonly nodesUp: number;
  readonly controlReady: boolean;
  readonly pods: number;
  readonly podsReady: number;
}

export class Progress {
  readonly #options: ProgressOptions;
  readonly #write: (text: string) => void;
  #lastLine = '';
  #settled = false;

  constructor(options: ProgressOptions, write: (text: string) => void) {
    this.#options = options;
    this.#write = write;
  }

  /** Shows how far the start is; says nothing after `settle`. */
  update(counts: ProgressCounts): void {
    if (this.#settled || this.#options.quiet) return;
    const line = progressLine(counts);
    if (line === this.#lastLine) return;
    this.#lastLine = line;
    this.#write(this.#options.terminal ? `\r\x1b[K${line}` : `${line}\n`);
  }

  /** A line that stays: a problem, a restart. */
  say(text: string): void {
    this.#write(this.#options.terminal && !this.#settled ? `\r\x1b[K${text}\n${this.#lastLine}` : `${text}\n`);
  }

  /** The start is over: shows the pods. Later calls do nothing. */
  settle(pods: readonly PodState[], hint: string): void {
    if (this.#settled) return;
    this.#settled = true;
    if (this.#options.quiet) return;
    const end = this.#options.terminal && this.#lastLine !== '' ? '\n' : '';
    this.#write(`${end}${podTable(pods)}${hint}\n`);
  }
}

/** `nodes 2/2 · control plane ready · pods 3/5 ready`. */
export function progressLine(counts: ProgressCounts): string {
  const control = counts.controlReady ? 'control plane ready' : 'control plane starting';
  return `nodes ${counts.nodesUp}/${counts.nodes} · ${control} · pods ${counts.podsReady}/${counts.pods} ready`;
}

/** Pods as a table with a heading. */
export function podTable(pods: readonly PodState[]): string {
  const rows = [...pods]
    .sort((a, b) => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1))
    .map((pod) => [
      pod.namespace,
      pod.name,
      pod.node,
      pod.ips[0] ?? '-',
      pod.enrolled ? 'mesh' : '-',
      podStateText(pod),
    ]);
  return formatTable([['NAMESPACE', 'POD', 'NODE', 'ADDRESS', 'MESH', 'STATE'], ...rows]);
}

/** `ready`, `not ready`, or why a container waits; with its restarts and its last end, once there were some. */
export function podStateText({ ready, containers }: Pick<PodState, 'ready' | 'containers'>): string {
  const waiting = containers.find((one) => one.waiting !== '' && one.waiting !== 'ContainerCreating');
  const shown = waiting ?? containers.find(({ lastExit }) => lastExit !== '');
  const text = waiting?.waiting ?? (ready ? 'ready' : 'not ready');
  if (shown === undefined || shown.lastExit === '') return text;
  const restarts = shown.restarts === 1 ? '1 restart' : `${shown.restarts} restarts`;
  return `${text} (${restarts}, last exit: ${shown.lastExit})`;
}

/** Rows with columns of one width. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, index) => {
      widths[index] = Math.max(widths[index] ?? 0, cell.length);
    });
  }
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, index) => cell.padEnd(widths[index] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
