/** The mesh of `ambit up`, by the socket in its run folder. */
import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { z } from 'zod';
import { AmbitError, errorText } from '../../base/errors.ts';
import { type MeshProxy, proxyName } from '../../model/mesh-proxy.ts';
import type { MeshAccess } from './mesh-access.ts';

const TIMEOUT_MS = 5000;
const LOG_CHARS = 4 * 1024 * 1024;
const proxySchema = z.object({
  role: z.enum(['control', 'ztunnel', 'waypoint']),
  namespace: z.string(),
  name: z.string(),
  node: z.string(),
  ip: z.string(),
  ready: z.boolean(),
});

export class LocalMeshAccess implements MeshAccess {
  readonly where: string;
  readonly controlPort = 15014;
  readonly #socketPath: string;
  readonly #logs: string;

  /** @param logs folder of the programs' logs */
  constructor(name: string, socketPath: string, logs: string) {
    this.#logs = logs;
    this.where = `ambit up ${name}`;
    this.#socketPath = socketPath;
  }

  async proxies(): Promise<readonly MeshProxy[]> {
    const text = await new Promise<string>((resolve, reject) => {
      const asked = request({ socketPath: this.#socketPath, path: '/proxies', timeout: TIMEOUT_MS }, (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          body += chunk;
        });
        response.on('end', () => resolve(body));
      });
      asked.on('timeout', () => asked.destroy(new Error(`no answer in ${TIMEOUT_MS} ms`)));
      asked.on('error', (error) => reject(this.#gone(error)));
      asked.end();
    });
    return z.array(proxySchema).parse(JSON.parse(text));
  }

  open(proxy: MeshProxy, port: number): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      const path = `${proxyName(proxy)}:${port}`;
      const asked = request({ socketPath: this.#socketPath, method: 'CONNECT', path, timeout: TIMEOUT_MS });
      asked.on('timeout', () => asked.destroy(new Error(`no answer in ${TIMEOUT_MS} ms`)));
      asked.on('connect', (response, socket, head) => {
        socket.setTimeout(0);
        if (response.statusCode === 200) return resolve(socket);
        socket.destroy();
        reject(new AmbitError('PROXY_UNREACHABLE', `${path}: ${head.toString('utf8').trim() || 'refused'}`));
      });
      asked.on('error', (error) => reject(this.#gone(error)));
      asked.end();
    });
  }

  async logOf({ role, name, node }: MeshProxy): Promise<string> {
    const files = readdirSync(this.#logs).filter((file) => {
      if (role === 'control') return file === 'control.log';
      return role === 'ztunnel' ? file.startsWith(`${node}_ztunnel`) : file.includes(name);
    });
    const texts = files.map((file) => readFileSync(join(this.#logs, file), 'utf8').slice(-LOG_CHARS));
    if (texts.length === 0) throw new Error(`${this.#logs} has no log of it`);
    return texts.join('');
  }

  close(): void {
    // Each question has a connection of its own.
  }

  #gone(error: Error): AmbitError<'PROXY_UNREACHABLE'> {
    const hint = 'is it still up, and of this version?';
    return new AmbitError('PROXY_UNREACHABLE', `${this.where}: ${errorText(error)}: ${hint}`, { cause: error });
  }
}
