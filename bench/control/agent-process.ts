/**
 * An agent as it runs on a node, with the API server of the bench. The account of its pod lies in a mount namespace of its
 * own, and it has a network namespace of its own: nothing of the machine changes.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { endProcess } from '../end-process.ts';
import { BenchApi } from './bench-api.ts';

const AMBIT = join(import.meta.dirname, '../../bin/ambit');
const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
const READY_LIMIT_MS = 60_000;
const PODS = 1000;
const SERVICES = 10;

interface Kubeconfig {
  readonly clusters: readonly { readonly cluster: { server: string; 'certificate-authority-data': string } }[];
}

export class AgentUnderTest implements AsyncDisposable {
  readonly #api: BenchApi;
  #agent: ChildProcess | undefined;

  private constructor(api: BenchApi) {
    this.#api = api;
  }

  /** Resolves when the agent knows its pods and has installed the plugin. */
  static async start(): Promise<AgentUnderTest> {
    const bench = new AgentUnderTest(await BenchApi.start(PODS, SERVICES));
    try {
      await bench.#startAgent();
      return bench;
    } catch (error) {
      await bench[Symbol.asyncDispose]();
      throw error;
    }
  }

  get pid(): number {
    return this.#agent?.pid ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endProcess(this.#agent);
    await this.#api[Symbol.asyncDispose]();
  }

  async #startAgent(): Promise<void> {
    const file = (name: string) => join(this.#api.folder, name);
    const { clusters } = JSON.parse(readFileSync(this.#api.kubeconfig, 'utf8')) as Kubeconfig;
    const cluster = clusters[0]?.cluster ?? { server: '', 'certificate-authority-data': '' };
    const server = new URL(cluster.server);
    for (const name of ['account', 'net.d', 'bin', 'state']) mkdirSync(file(name));
    writeFileSync(join(file('account'), 'ca.crt'), Buffer.from(cluster['certificate-authority-data'], 'base64'));
    writeFileSync(join(file('account'), 'token'), 'api-token');
    writeFileSync(join(file('account'), 'namespace'), 'istio-system');
    writeFileSync(
      join(file('net.d'), '10-net.conflist'),
      '{"cniVersion":"1.0.0","name":"n","plugins":[{"type":"bridge"}]}',
    );
    // The folder of the account is made on a file system of its own, which nobody else sees.
    const script = `mount -t tmpfs none /var/run && mkdir -p ${ACCOUNT} && cp ${file('account')}/* ${ACCOUNT} && exec "$@"`;
    const flags = Object.entries({
      'ztunnel-uds-address': file('zds.sock'),
      'cni-event-address': file('pluginevent.sock'),
      'readiness-address': '127.0.0.1:0',
      'monitoring-address': '127.0.0.1:0',
      'rule-backend': 'nft',
      'node-name': 'node-0',
      'cni-net-dir': file('net.d'),
      'cni-bin-dir': file('bin'),
      'state-dir': file('state'),
    }).flatMap(([name, value]) => [`--${name}`, value]);
    this.#agent = spawn('unshare', ['--mount', 'sh', '-c', script, 'sh', AMBIT, 'agent', ...flags], {
      env: {
        ...process.env,
        KUBERNETES_SERVICE_HOST: server.hostname,
        KUBERNETES_SERVICE_PORT: server.port,
        POD_NAMESPACE: 'istio-system',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    await this.#serves();
  }

  async #serves(): Promise<void> {
    let log = '';
    for (const stream of [this.#agent?.stdout, this.#agent?.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        log = (log + chunk.toString()).slice(-10_000);
      });
    }
    const endMs = performance.now() + READY_LIMIT_MS;
    while (!log.includes('the pods of this node were looked at')) {
      if (performance.now() > endMs || this.#agent?.exitCode !== null || this.#agent.signalCode !== null)
        throw new Error(`the agent does not serve: ${log}`);
      await delay(50);
    }
  }
}
