/**
 * A waypoint of `ambit up` that is attacked: a process of its own, reached with any bytes through the mesh (`client`) and
 * straight on its tunnel port (`stranger`, who is not of the mesh). After each attack it serves somebody else (`friend`).
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CA_FILE } from '../../src/pki/ca-files.ts';
import { eventually } from './eventually.ts';
import { LocalMesh } from './local-mesh.ts';
import { dialFrom, doorCommand } from './pod-door.ts';
import { openTestCa, type TestCa } from './test-ca.ts';

/** The endpoint behind the waypoint tells what it got, to the client and in its log. */
const SITE = `
require('http').createServer({ keepAliveTimeout: 60000 }, async (req, res) => {
  const chunks = [];
  try { for await (const chunk of req) chunks.push(chunk); } catch { return; }
  const { rawHeaders: headers, method, url, rawTrailers: trailers } = req;
  const body = Buffer.concat(chunks).toString('latin1');
  console.log('asked', req.headers.host, method, url, body.length);
  res.end(JSON.stringify({ method, url, headers, trailers, body: body.slice(0, 1000) }));
}).listen(8080, '::');`;

/** What an uncaught exception, or a defect that one request met, looks like. */
const DEFECT = /uncaught|unhandled|request failed|internal error|\n\s+at .*:\d+:\d+/i;

/** How long a connection may be silent until what it said is taken for all. */
const SILENT_MS = 1000;
/** How long nothing at all may be said. */
const MUTE_MS = 6000;

export class AttackedWaypoint implements AsyncDisposable {
  readonly mesh = new LocalMesh();
  #process = '';

  /** Starts it before `site.web:80`. @param more objects of the test @param pods how many pods those are */
  async up(more: readonly object[] = [], pods = 0): Promise<void> {
    const { mesh } = this;
    mesh.write('mesh.yaml', NAMESPACE, GATEWAY, service('site', 80, 8080));
    mesh.write(
      'pods.yaml',
      pod('site', 'node2', ['node', '-e', SITE], {}, 8080),
      pod('client', 'node1', doorCommand(mesh, 'client')),
      pod('friend', 'node1', doorCommand(mesh, 'friend')),
      pod('stranger', 'node1', doorCommand(mesh, 'stranger'), { 'istio.io/dataplane-mode': 'none' }),
    );
    mesh.write('more.yaml', ...more);
    await mesh.up(5 + pods, '--nodes', '2');
    await eventually('the waypoint answers', async () => this.#answers());
    this.#process = this.#find();
  }

  async #answers(): Promise<boolean> {
    const answer = await this.ask(request('GET', '/up')).catch(() => '');
    return answer.startsWith('HTTP/1.1 200') && this.log().includes('path="/up"');
  }

  /** All that the waypoint wrote. */
  log(): string {
    return this.mesh.log(/_gate-/);
  }

  /** Its last line about a request with this path. */
  accessLine(path: string): Promise<string> {
    return this.line(`path="${path}"`);
  }

  /** As `log`, with all that was told before. */
  settledLog(): Promise<string> {
    return this.mesh.settledLog(/_gate-/);
  }

  /** Its last line with this text, once there is one. */
  async line(text: string): Promise<string> {
    await this.settledLog();
    let found = '';
    await eventually(`a line with ${text}`, () => {
      found =
        this.log()
          .split('\n')
          .findLast((line) => line.includes(text)) ?? '';
      return found !== '';
    });
    return found;
  }

  get address(): string {
    return this.mesh.state?.pods.find(({ name }) => name.startsWith('gate-'))?.ips[0] ?? '';
  }

  /** The authority that signs for this mesh. */
  get ca(): TestCa {
    const file = (name: string) => readFileSync(join(this.mesh.run.ca, name), 'utf8');
    return openTestCa(file(CA_FILE.certificate), file(CA_FILE.key), file(CA_FILE.root));
  }

  /** Resident memory. */
  rssBytes(): number {
    const pid = this.#process.split(' ')[0];
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
  }

  /** A connection of a mesh client to a service of the waypoint. */
  dial(host = 'site', port = 80): Promise<Socket> {
    return dialFrom(this.mesh, 'client', host, port);
  }

  /** A connection to the waypoint's tunnel port without ztunnel in between. */
  dialTunnel(port = 15008): Promise<Socket> {
    return dialFrom(this.mesh, 'stranger', this.address, port);
  }

  /** Writes the pieces, one after the other, and reads until the end or until nothing comes any more. */
  async ask(...pieces: readonly (string | Buffer)[]): Promise<string> {
    return exchange(await this.dial(), ...pieces);
  }

  /** The same with a service of the test. */
  async askHost(host: string, ...pieces: readonly (string | Buffer)[]): Promise<string> {
    return exchange(await this.dial(host), ...pieces);
  }

  /** It is the same process, serves others, and nothing escaped its handlers. */
  async withstood(): Promise<void> {
    assert.equal(this.#find(), this.#process, `the waypoint is another process: ${this.log().slice(-2000)}`);
    const sibling = await exchange(await dialFrom(this.mesh, 'friend', 'site', 80), request('GET', '/sibling', CLOSE));
    assert.match(sibling, /^HTTP\/1.1 200 /, 'a sibling is served');
    const log = this.log();
    const defect = DEFECT.exec(log);
    assert.equal(defect, null, log.slice(Math.max(0, (defect?.index ?? 0) - 500), (defect?.index ?? 0) + 500));
  }

  /** `<pid> <start time>` of its process. */
  #find(): string {
    const found = this.mesh.processes().filter((process) => {
      const [pid] = process.split(' ');
      return isWaypoint(pid);
    });
    assert.equal(found.length, 1, `one waypoint process: ${found}`);
    return found[0] ?? '';
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.mesh[Symbol.asyncDispose]();
  }
}

function isWaypoint(pid: string | undefined): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return words[0]?.endsWith('node') === true && words.includes('proxy') && words.includes('waypoint');
  } catch {
    // It has just ended.
    return false;
  }
}

/** Ends the connection after the answer, so that nobody has to wait whether more comes. */
export const CLOSE = 'Connection: close\r\n';

/** A request as it should be; `extra` are further lines. */
export function request(method: string, path: string, extra = '', body = ''): string {
  const length = body === '' ? '' : `Content-Length: ${body.length}\r\n`;
  return `${method} ${path} HTTP/1.1\r\nHost: site\r\n${length}${extra}\r\n${body}`;
}

/** Writes the pieces with a pause between them, and reads as long as something comes. */
export async function exchange(socket: Socket, ...pieces: readonly (string | Buffer)[]): Promise<string> {
  let answer = '';
  let closed = false;
  let heardMs = performance.now();
  socket.on('data', (chunk: Buffer) => {
    answer += chunk.toString('latin1');
    heardMs = performance.now();
  });
  socket.on('end', () => socket.end());
  socket.on('close', () => {
    closed = true;
  });
  for (const [index, piece] of pieces.entries()) {
    if (index > 0) await delay(50);
    if (closed) break;
    socket.write(piece);
  }
  heardMs = performance.now();
  const first = heardMs;
  const isOver = () => {
    const silentMs = performance.now() - heardMs;
    return closed || (answer === '' ? performance.now() - first > MUTE_MS : silentMs > SILENT_MS);
  };
  while (!isOver()) await delay(10);
  socket.destroy();
  return answer;
}

const NAMESPACE = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'web', labels: { 'istio.io/dataplane-mode': 'ambient', 'istio.io/use-waypoint': 'gate' } },
};
const GATEWAY = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'Gateway',
  metadata: { name: 'gate', namespace: 'web' },
  spec: { gatewayClassName: 'istio-waypoint', listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }] },
};

export function service(name: string, port: number, targetPort: number, appProtocol = 'http'): object {
  const ports = [{ name: 'main', port, targetPort, appProtocol }];
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'web' },
    spec: { selector: { app: name }, ports },
  };
}

export function pod(name: string, nodeName: string, command: readonly string[], labels: object = {}, port = 0): object {
  const readinessProbe = port > 0 && { tcpSocket: { port }, periodSeconds: 1 };
  const containers = [{ name: 'main', image: 'none', command, ...(readinessProbe && { readinessProbe }) }];
  const metadata = { name, namespace: 'web', labels: { app: name, ...labels } };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { serviceAccountName: name, nodeName, containers } };
}
