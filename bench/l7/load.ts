/** Load generators of the L7 bench: what each is called with, and what its report says. */
import { readWrkReport } from '../wrk-report.ts';
import type { Contestant } from './contestant.ts';

/** Requests that were answered well while load ran, and how many of them a second. */
export interface Served {
  readonly requests: number;
  readonly perSecond: number;
}

/** Of the files that gRPC's programs leave behind: `<name>.cpu`, `<name>.mem`. */
export const PROFILE_NAME = `ambit-bench-${process.pid}`;

/** Runs for a time. @throws Error where a request failed */
export type Load = (contestant: Contestant, seconds: number) => Promise<Served>;

/** HTTP/1.1, as many requests at a time as there are connections. @param headers as `name: value` */
export function http1Load(connections: number, path = '/', headers: readonly string[] = []): Load {
  const options = ['-t1', `-c${connections}`, ...headers.flatMap((header) => ['-H', header])];
  return async ({ url, run }, seconds) => {
    const text = await run('wrk', ...options, `-d${seconds}s`, url + path);
    const { requests, perSecond } = readWrkReport(text);
    return served(text, requests, perSecond);
  };
}

/** HTTP/2 without TLS. @param streams requests at a time on each connection */
export function http2Load(connections: number, streams: number): Load {
  return async ({ url, run }, seconds) => {
    const text = await run('h2load', '-t1', `-c${connections}`, `-m${streams}`, `-D${seconds}`, `${url}/`);
    const bad = ['failed', 'errored', 'timeout'].reduce(
      (sum, kind) => sum + numberIn(text, new RegExp(`(\\d+) ${kind}`)),
      0,
    );
    if (bad !== 0) throw new Error(`${url}: ${bad} requests failed`);
    return served(text, numberIn(text, /(\d+) succeeded/), numberIn(text, /, ([\d.]+) req\/s/));
  };
}

/** Calls of gRPC's own benchmark client. @param kind `streaming`: messages there and back on open streams */
export function grpcLoad(client: string, kind: 'unary' | 'streaming', connections: number, calls: number): Load {
  return async ({ url, run }, seconds) => {
    const port = new URL(url).port;
    const options = ['-port', port, '-c', `${connections}`, '-r', `${calls}`, '-w', '0', '-d', `${seconds}`];
    // It writes a profile of itself into a temporary folder, by this name.
    const name = PROFILE_NAME;
    const sizes = ['-req', '1024', '-resp', '1024'];
    const text = await run('env', 'GOMAXPROCS=1', client, ...options, ...sizes, '-rpc_type', kind, '-test_name', name);
    const perSecond = numberIn(text, /qps: ([\d.]+)/);
    return served(text, perSecond * seconds, perSecond);
  };
}

function numberIn(text: string, pattern: RegExp): number {
  return Number(pattern.exec(text)?.[1] ?? Number.NaN);
}

function served(text: string, requests: number, perSecond: number): Served {
  if (!(requests > 0 && perSecond > 0))
    throw new Error(`the load generator's report is not understood, or nothing was answered:\n${text}`);
  return { requests, perSecond };
}
