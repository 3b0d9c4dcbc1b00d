/**
 * The agent's HTTP/1.1 interface on a Unix socket: for the CNI plugin (facts ztunnel-wire 3.5) and for the local engine.
 *
 * | request | answer |
 * |---|---|
 * | `POST /cmdadd` | 200 when the pod is in the mesh, or does not belong there; 400 bad body; 500 with a text; 503 when the agent is not ready |
 * | `POST /pods[?running=true]` | the same, with everything about the pod in the body; `running` when its programs run |
 * | `DELETE /pods/UID[?gone=true]` | 200; `gone` when the pod has ended |
 * | `GET /pods` | the pods and their states |
 */
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { dirname } from 'node:path';
import { AmbitError, errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { podText } from '../model/agent-pod.ts';
import type { PodEnroller } from './pod-enroller.ts';
import type { PodRegistry } from './pod-registry.ts';
import { type CmdAdd, parseCmdAdd, parsePod } from './request-schema.ts';

const MAX_BODY_BYTES = 256 * 1024;
const REQUEST_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 256;

export interface AgentServerDeps {
  readonly enroller: Pick<PodEnroller, 'add' | 'remove'>;
  readonly registry: Pick<PodRegistry, 'list'>;
  /** Takes a pod in that the CNI plugin tells of. Without it, as for the local engine, `POST /cmdadd` is unknown. */
  readonly cmdAdd?: (cmdAdd: CmdAdd) => Promise<void>;
  readonly log: Logger;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** What a request is about, for the log; the pod's name is empty until it was read. */
interface Subject {
  pod: string;
}

const DONE: Answer = { status: 200, body: '' };

/** Listens on `path`, replacing a stale socket file. Resolves when requests are answered. */
export function listenAgentHttp(path: string, deps: AgentServerDeps): Promise<Server> {
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { force: true });
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    const subject: Subject = { pod: '' };
    answer(request, deps, subject)
      .catch((error: unknown) => failure(error, subject, deps.log))
      .then((result) => write(response, result))
      .catch((error: unknown) => deps.log.warn('an answer could not be written', { error: errorText(error) }));
  });
  server.maxConnections = MAX_CONNECTIONS;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path }, () => {
      chmodSync(path, 0o600);
      server.removeListener('error', reject);
      server.on('error', (error) => deps.log.error('the agent socket failed', { error: errorText(error) }));
      resolve(server);
    });
  });
}

function write(response: ServerResponse, { status, body }: Answer): void {
  const json = body.startsWith('[') || body.startsWith('{');
  response.writeHead(status, { 'content-type': json ? 'application/json' : 'text/plain; charset=utf-8' });
  response.end(body);
}

function failure(error: unknown, { pod }: Subject, log: Logger): Answer {
  const text = errorText(error);
  // A pod that ztunnel has not taken yet is offered again; that it is away for a moment is no news.
  const isAwaited = error instanceof AmbitError && error.code === 'ZDS_NO_CONNECTION';
  log[isAwaited ? 'debug' : 'warn']('request failed', { ...(pod !== '' && { pod }), error: text });
  if (!(error instanceof AmbitError)) return { status: 500, body: text };
  if (error.code === 'REQUEST_TOO_LARGE') return { status: 413, body: text };
  if (error.code === 'AGENT_NOT_READY' || error.code === 'AGENT_STOPPING') return { status: 503, body: text };
  return { status: error.code === 'REQUEST_INVALID' ? 400 : 500, body: text };
}

async function answer(request: IncomingMessage, deps: AgentServerDeps, subject: Subject): Promise<Answer> {
  const url = new URL(request.url ?? '/', 'http://agent');
  const route = `${request.method} ${url.pathname}`;
  if (route === 'GET /pods') return { status: 200, body: JSON.stringify(describePods(deps)) };
  if (route === 'POST /pods') {
    const running = url.searchParams.get('running') === 'true';
    const pod = parsePod(await readBody(request));
    subject.pod = podText(pod);
    await deps.enroller.add(pod, running ? 'running' : 'write');
    return DONE;
  }
  if (route === 'POST /cmdadd' && deps.cmdAdd !== undefined) {
    const cmdAdd = parseCmdAdd(await readBody(request));
    subject.pod = podText(cmdAdd);
    await deps.cmdAdd(cmdAdd);
    return DONE;
  }
  if (request.method === 'DELETE' && url.pathname.startsWith('/pods/')) {
    await deps.enroller.remove(podUid(url.pathname), url.searchParams.get('gone') === 'true');
    return DONE;
  }
  return { status: 404, body: `no such resource: ${route}` };
}

function podUid(pathname: string): string {
  try {
    return decodeURIComponent(pathname.slice('/pods/'.length));
  } catch (cause) {
    throw new AmbitError('REQUEST_INVALID', 'uid: not percent-encoded UTF-8', { side: 'downstream', cause });
  }
}

function describePods({ registry }: AgentServerDeps): readonly object[] {
  return registry.list().map(({ pod, state }) => ({
    ...pod,
    state: state.kind,
    ...(state.kind === 'partial' ? { reason: state.reason } : {}),
  }));
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) {
      const text = `the body has more than ${MAX_BODY_BYTES} bytes`;
      throw new AmbitError('REQUEST_TOO_LARGE', text, { side: 'downstream' });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
