/**
 * A connection to a port of a pod by way of the API server, as `kubectl port-forward` makes it: a WebSocket of protocol
 * `v4.channel.k8s.io`, in which the first byte of a message names its channel (data or error) and the first message of each
 * channel holds the port. As a WebSocket is opened by GET, the right `get` on `pods/portforward` is needed; newer versions of
 * Kubernetes want `create` as well.
 */
import { Duplex } from 'node:stream';
import WebSocket from 'ws';
import { errorText } from '../base/errors.ts';
import { fail, ok, type Result } from '../base/result.ts';
import type { KubeConfig } from './kube-config.ts';
import { KubeError, refusal } from './kube-error.ts';
import { loginHeaders, loginTls } from './login.ts';
import { PODS, resourcePath } from './resource-kind.ts';

const PROTOCOL = 'v4.channel.k8s.io';
const DATA = 0;
const ERROR = 1;
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

export interface ForwardTarget {
  readonly namespace: string;
  readonly pod: string;
  readonly port: number;
}

/** Opens the connection. The stream is destroyed with the kubelet's reason when the pod does not take it. */
export async function portForward(
  config: KubeConfig,
  target: ForwardTarget,
  timeoutMs: number,
): Promise<Result<Duplex, KubeError>> {
  try {
    const credentials = await config.credentials();
    const server = new URL(config.server);
    const path = resourcePath(PODS, target.namespace, target.pod, 'portforward');
    const url = new URL(`${server.pathname.replace(/\/$/, '')}${path}?ports=${target.port}`, server);
    url.protocol = server.protocol === 'http:' ? 'ws:' : 'wss:';
    const socket = new WebSocket(url, PROTOCOL, {
      headers: loginHeaders(credentials),
      ...loginTls(config, credentials),
      handshakeTimeout: timeoutMs,
      maxPayload: MAX_MESSAGE_BYTES,
      perMessageDeflate: false,
    });
    return await opened(socket, `POST ${path}`, target, config.forbiddenHint);
  } catch (cause) {
    return fail(cause instanceof KubeError ? cause : new KubeError('KUBE_CONFIG', errorText(cause), { cause }));
  }
}

function opened(
  socket: WebSocket,
  call: string,
  target: ForwardTarget,
  forbiddenHint: string | undefined,
): Promise<Result<Duplex, KubeError>> {
  return new Promise((resolve) => {
    socket.once('open', () => resolve(ok(new ForwardedStream(socket, target))));
    socket.once('unexpected-response', (request, response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text = (text + chunk).slice(0, MAX_REFUSAL_CHARACTERS);
      });
      response.on('close', () => {
        resolve(fail(refusal(call, response.statusCode ?? 0, parsed(text), 0, forbiddenHint)));
        request.destroy();
      });
    });
    socket.on('error', (cause) => {
      const text = `${call}: API server: ${errorText(cause)}`;
      resolve(fail(new KubeError('KUBE_UNREACHABLE', text, { cause, retry: 'idempotent' })));
    });
  });
}

const MAX_REFUSAL_CHARACTERS = 65_536;

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The status says enough.
    return undefined;
  }
}

/** The bytes of the data channel. */
class ForwardedStream extends Duplex {
  readonly #socket: WebSocket;
  readonly #started = new Set<number>();

  constructor(socket: WebSocket, { namespace, pod, port }: ForwardTarget) {
    super();
    this.#socket = socket;
    socket.on('message', (message: Buffer) => {
      const channel = message[0];
      const content = message.subarray(1);
      // The first message of a channel repeats the port.
      if (channel === undefined || !this.#started.has(channel)) return void this.#started.add(channel ?? DATA);
      if (channel === DATA && !this.push(content)) socket.pause();
      if (channel === ERROR && content.length > 0) {
        const text = `port ${port} of pod ${namespace}/${pod}: ${content.toString('utf8').trim()}`;
        this.destroy(new KubeError('KUBE_REFUSED', text));
      }
    });
    socket.on('close', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
  }

  override _read(): void {
    if (this.#socket.isPaused) this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#socket.send(Buffer.concat([Buffer.of(DATA), chunk]), { binary: true }, (error) => done(error ?? null));
  }

  override _final(done: () => void): void {
    this.#socket.close();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.terminate();
    done(error);
  }
}
