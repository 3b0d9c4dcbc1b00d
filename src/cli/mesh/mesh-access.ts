/** A mesh as commands see it from outside: which programs there are, and a way to the ports of each. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { AmbitError, errorText } from '../../base/errors.ts';
import type { MeshAgent } from '../../model/mesh-agent.ts';
import { type MeshProxy, type ProxyRole, proxyName } from '../../model/mesh-proxy.ts';

/** A program, or the agent of a node. */
export interface LoggedProgram {
  readonly role: ProxyRole | 'agent';
  readonly namespace: string;
  readonly name: string;
  readonly node: string;
}

export interface MeshAccess {
  /** For people: `cluster NAME`, or `ambit up NAME`. */
  readonly where: string;
  /** @throws AmbitError with what to do */
  proxies(): Promise<readonly MeshProxy[]>;
  /** Opens a connection to a loopback port. @throws AmbitError */
  open(proxy: MeshProxy, port: number): Promise<Duplex>;
  /** The agents of nodes, as their keeper knows them. @throws AmbitError */
  agents(): Promise<readonly MeshAgent[]>;
  /** The last of what a program logged. @throws AmbitError, or of the system */
  logOf(program: LoggedProgram): Promise<string>;
  /** The last of what its keeper logged: the engine of `ambit up`. Undefined where it has none of its own. */
  keeperLog?(): Promise<string>;
  close(): void;
  /** Where the control plane answers questions about itself. */
  readonly controlPort: number;
}

export interface ProxyRequest {
  readonly port: number;
  readonly path: string;
  readonly method?: 'GET' | 'POST';
  /** Until the whole answer is there. */
  readonly timeoutMs?: number;
  /** A longer answer is not read. */
  readonly maxBytes?: number;
}

export interface ProxyAnswer {
  readonly status: number;
  readonly body: Buffer;
}

const DEFAULT_TIMEOUT_MS = 10_000;
const MAX_REASON_CHARS = 500;
const LONGEST_LINE_CHARS = 1024 * 1024;
const MAX_ANSWER_BYTES = 512 * 1024 * 1024;

/** Asks a program of the mesh. @throws AmbitError PROXY_UNREACHABLE */
export async function askProxy(access: MeshAccess, proxy: MeshProxy, asked: ProxyRequest): Promise<ProxyAnswer> {
  const { timeoutMs = DEFAULT_TIMEOUT_MS, maxBytes = MAX_ANSWER_BYTES } = asked;
  const response = await openAnswer(access, proxy, asked, AbortSignal.timeout(timeoutMs));
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw new Error(`the answer is longer than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw unreachable(proxy, asked, error);
  }
  return { status: response.statusCode ?? 0, body: Buffer.concat(chunks) };
}

/**
 * Follows an answer that goes on, line by line, until it ends or the signal ends it.
 * @param onOpen called when it has begun
 * @throws AmbitError PROXY_UNREACHABLE, also when the other side ends it
 */
export async function followProxy(
  access: MeshAccess,
  proxy: MeshProxy,
  asked: ProxyRequest,
  signal: AbortSignal,
  { onOpen, onLine }: { onOpen(): void; onLine(line: string): void },
): Promise<void> {
  const response = await openAnswer(access, proxy, asked, signal);
  try {
    response.setEncoding('utf8');
    if (response.statusCode !== 200) throw new Error(await refusalOf(response));
    onOpen();
    let rest = '';
    for await (const chunk of response as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > LONGEST_LINE_CHARS) throw new Error(`a line is longer than ${LONGEST_LINE_CHARS} characters`);
      for (const line of lines) if (line !== '') onLine(line);
    }
    throw new Error('it ended');
  } catch (error) {
    response.destroy();
    if (!signal.aborted) throw unreachable(proxy, asked, error);
  }
}

/** The status with the reason that is said with it. @param response as text */
async function refusalOf(response: IncomingMessage): Promise<string> {
  let reason = '';
  for await (const chunk of response as AsyncIterable<string>) {
    reason += chunk;
    if (reason.length > MAX_REASON_CHARS) break;
  }
  const said = reason.slice(0, MAX_REASON_CHARS).trim();
  return `it was answered with ${response.statusCode}${said === '' ? '' : `: ${said}`}`;
}

/** @throws Error when the answer is not 200 */
export async function askText(
  access: MeshAccess,
  proxy: MeshProxy,
  port: number,
  path: string,
  bounds: Pick<ProxyRequest, 'maxBytes'> = {},
): Promise<string> {
  const { status, body } = await askProxy(access, proxy, { port, path, ...bounds });
  if (status !== 200) throw new Error(`${path} was answered with ${status}: ${body.toString('utf8').trim()}`);
  return body.toString('utf8');
}

/** @throws Error when the answer is not 200, or no JSON */
export async function askJson(access: MeshAccess, proxy: MeshProxy, port: number, path: string): Promise<unknown> {
  return JSON.parse(await askText(access, proxy, port, path)) as unknown;
}

async function openAnswer(
  access: MeshAccess,
  proxy: MeshProxy,
  asked: ProxyRequest,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const { port, path, method = 'GET' } = asked;
  const stream = await access.open(proxy, port);
  return new Promise((resolve, reject) => {
    const failed = (error: unknown) => {
      stream.destroy();
      reject(unreachable(proxy, asked, error));
    };
    stream.on('error', failed);
    const headers = { host: `localhost:${port}`, connection: 'close', 'content-length': 0 };
    const request = httpRequest({ createConnection: () => stream, method, path, headers, signal });
    request.on('error', failed);
    request.on('response', (response) => {
      response.on('close', () => stream.destroy());
      resolve(response);
    });
    request.end();
  });
}

function unreachable(proxy: MeshProxy, { port, path }: ProxyRequest, error: unknown): AmbitError<'PROXY_UNREACHABLE'> {
  const what = `${proxyName(proxy)}: ${path} on port ${port}`;
  const hint = proxy.ready ? '' : '; it is not ready';
  return new AmbitError('PROXY_UNREACHABLE', `${what}: ${errorText(error)}${hint}`, { side: 'upstream', cause: error });
}
