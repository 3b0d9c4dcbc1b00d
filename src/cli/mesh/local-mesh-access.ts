/** The mesh of `ambit up`, by the socket in its run folder. */
import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { z } from 'zod';
import { AmbitError, errorText } from '../../base/errors.ts';
import type { MeshAgent } from '../../model/mesh-agent.ts';
import { type MeshProxy, proxyName } from '../../model/mesh-proxy.ts';
import type { LoggedProgram, MeshAccess } from './mesh-access.ts';

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

const agentSchema = z.object({
  namespace: z.string(),
  name: z.string(),
  node: z.string(),
  ready: z.boolean(),
  restarts: z.number(),
  lastExit: z.string(),
  lastExitMs: z.number().optional(),
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
    return z.array(proxySchema).parse(await this.#list('/proxies'));
  }

  async agents(): Promise<readonly MeshAgent[]> {
    return z.array(agentSchema).parse(await this.#list('/agents'));
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

  async logOf({ role, name, node }: LoggedProgram): Promise<string> {
    return this.#lastOf((file) => {
      if (role === 'control') return file === 'control.log';
      return role === 'waypoint' ? file.includes(name) : file.startsWith(`${node}_${role}`);
    });
  }

  async keeperLog(): Promise<string> {
    return this.#lastOf((file) => file === 'up.log');
  }

  close(): void {
    // Each question has a connection of its own.
  }

  #lastOf(isWanted: (file: string) => boolean): string {
    const files = readdirSync(this.#logs).filter(isWanted);
    const texts = files.map((file) => readFileSync(join(this.#logs, file), 'utf8').slice(-LOG_CHARS));
    if (texts.length === 0) throw new Error(`${this.#logs} has no log of it`);
    return texts.join('');
  }

  async #list(path: string): Promise<unknown> {
    const text = await new Promise<string>((resolve, reject) => {
      const asked = request({ socketPath: this.#socketPath, path, timeout: TIMEOUT_MS }, (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          body += chunk;
        });
        response.on('end', () => {
          if (response.statusCode === 200) resolve(body);
          else reject(this.#gone(new Error(`${path} was answered with ${response.statusCode}`)));
        });
      });
      asked.on('timeout', () => asked.destroy(new Error(`no answer in ${TIMEOUT_MS} ms`)));
      asked.on('error', (error) => reject(this.#gone(error)));
      asked.end();
    });
    return JSON.parse(text);
  }

  #gone(error: Error): AmbitError<'PROXY_UNREACHABLE'> {
    const hint = 'is it still up, and of this version?';
    return new AmbitError('PROXY_UNREACHABLE', `${this.where}: ${errorText(error)}: ${hint}`, { cause: error });
  }
}
