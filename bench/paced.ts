/**
 * Requests at a fixed pace over kept connections, whether or not those before were answered: one that finds no free
 * connection waits for it, and its latency is counted from the moment it was due. Prints JSON, in microseconds.
 *
 * Run: NODE bench/paced.ts URL REQUESTS_PER_SECOND SECONDS CONNECTIONS
 */
import { createConnection, type Socket } from 'node:net';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

/** How long answers may take after the last request. */
const MAX_WAIT_MS = 20_000;
/** Not counted: this program is slow before it is compiled, and would have its requests wait for that. */
const WARM_UP_SEC = 0.5;

/** Of all threads. */
function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

interface Pace {
  readonly intervalMs: number;
  readonly count: number;
}

/** Says when each request is due: timers of the event loop are too coarse, and this thread has nothing else to do. */
function keepTime({ intervalMs, count }: Pace): void {
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  const startMs = nowMs();
  for (let index = 1; index <= count; index++) {
    const dueMs = startMs + index * intervalMs;
    const waitMs = dueMs - nowMs();
    if (waitMs > 0) Atomics.wait(sleeper, 0, 0, waitMs);
    parentPort?.postMessage(dueMs);
  }
}

/** One request at a time. No HTTP library: what it allocates would be collected in the middle of the measurement. */
class KeptConnection {
  readonly #target: { readonly host: string; readonly port: number };
  readonly #request: string;
  readonly #onAnswer: (isGood: boolean) => void;
  #socket: Socket | undefined;
  #answer = '';
  #isAsked = false;

  /** @param onAnswer also told when the connection ended instead */
  constructor(url: URL, onAnswer: (isGood: boolean) => void) {
    this.#target = { host: url.hostname, port: Number(url.port || 80) };
    this.#request = `GET ${url.pathname} HTTP/1.1\r\nhost: ${url.host}\r\n\r\n`;
    this.#onAnswer = onAnswer;
  }

  ask(): void {
    this.#isAsked = true;
    this.#socket ??= this.#open();
    this.#socket.write(this.#request);
  }

  close(): void {
    this.#socket?.destroy();
  }

  #open(): Socket {
    const socket = createConnection({ ...this.#target, noDelay: true }).setEncoding('latin1');
    socket.on('data', (text: string) => this.#read(text));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#socket = undefined;
      this.#end(false);
    });
    return socket;
  }

  #read(text: string): void {
    this.#answer += text;
    const bodyAt = this.#answer.indexOf('\r\n\r\n') + 4;
    if (bodyAt < 4) return;
    const length = /\r\ncontent-length: *(\d+)/i.exec(this.#answer)?.[1];
    if (length === undefined) throw new Error('an answer without content-length');
    if (this.#answer.length >= bodyAt + Number(length)) this.#end(this.#answer.startsWith('HTTP/1.1 200 '));
  }

  #end(isGood: boolean): void {
    this.#answer = '';
    if (!this.#isAsked) return;
    this.#isAsked = false;
    this.#onAnswer(isGood);
  }
}

/** Connections that serve requests in the order in which they were due. */
class Line {
  readonly latenciesUs: number[] = [];
  failures = 0;
  readonly #free: KeptConnection[] = [];
  readonly #all: KeptConnection[] = [];
  readonly #waiting: number[] = [];
  readonly #dueOf = new Map<KeptConnection, number>();

  constructor(url: URL, connections: number) {
    for (let index = 0; index < connections; index++) {
      const connection: KeptConnection = new KeptConnection(url, (isGood) => this.#answered(connection, isGood));
      this.#all.push(connection);
      this.#free.push(connection);
    }
  }

  due(dueMs: number): void {
    const connection = this.#free.pop();
    if (connection === undefined) this.#waiting.push(dueMs);
    else this.#ask(connection, dueMs);
  }

  get done(): number {
    return this.latenciesUs.length + this.failures;
  }

  close(): void {
    for (const connection of this.#all) connection.close();
  }

  #ask(connection: KeptConnection, dueMs: number): void {
    this.#dueOf.set(connection, dueMs);
    connection.ask();
  }

  #answered(connection: KeptConnection, isGood: boolean): void {
    if (isGood) this.latenciesUs.push((nowMs() - (this.#dueOf.get(connection) ?? 0)) * 1000);
    else this.failures += 1;
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(connection);
    else this.#ask(connection, next);
  }
}

/** Until so many requests are over. */
async function finished(line: Line, count: number): Promise<void> {
  const endMs = nowMs() + MAX_WAIT_MS;
  while (line.done < count) {
    if (nowMs() > endMs) throw new Error(`${count - line.done} of ${count} requests were not answered`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Counts from nothing. */
async function keepPace(line: Line, perSecond: number, seconds: number): Promise<void> {
  line.latenciesUs.length = 0;
  const count = Math.round(perSecond * seconds);
  const pace: Pace = { intervalMs: 1000 / perSecond, count };
  const metronome = new Worker(new URL(import.meta.url), { workerData: pace });
  metronome.on('message', (dueMs: number) => line.due(dueMs));
  await new Promise((resolve) => metronome.once('exit', resolve));
  await finished(line, count);
}

async function run([
  url = '',
  perSecond = '1000',
  seconds = '5',
  connections = '16',
]: readonly string[]): Promise<void> {
  const line = new Line(new URL(url), Number(connections));
  // Opening the connections is not measured.
  for (let index = 0; index < Number(connections); index++) line.due(nowMs());
  await finished(line, Number(connections));
  if (line.failures > 0) throw new Error(`${line.failures} of the connections to ${url} failed`);
  await keepPace(line, Number(perSecond), WARM_UP_SEC);
  if (line.failures > 0) throw new Error(`${line.failures} of the first requests to ${url} failed`);
  await keepPace(line, Number(perSecond), Number(seconds));
  line.close();
  const sorted = line.latenciesUs.sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  const quantiles = { p50Us: at(0.5), p99Us: at(0.99), p999Us: at(0.999), maxUs: at(1) };
  console.log(JSON.stringify({ count: sorted.length, failures: line.failures, ...quantiles }));
}

if (isMainThread) await run(process.argv.slice(2));
else keepTime(workerData as Pace);
