/**
 * An agent as it runs on a node, with the API server of the bench. The account of its pod lies in a mount namespace of its
 * own, and it shares a network namespace with that server, into which it writes the rules of a node: nothing of the machine
 * changes.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { ENDS_WITH_BENCH, endProcess } from '../end-process.ts';
import { BenchApi } from './bench-api.ts';

const AMBIT = join(import.meta.dirname, '../../bin/ambit');
const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
const CNI_CONFIG = '{"cniVersion":"1.0.0","name":"n","plugins":[{"type":"bridge"}]}';
const READY_LIMIT_MS = 60_000;
/** Of its log, where it does not come up. */
const LINES_SHOWN = 20;
const PODS = 1000;
const SERVICES = 10;

interface Kubeconfig {
  readonly clusters: readonly {
    readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string };
  }[];
}

export class AgentUnderTest implements AsyncDisposable {
  readonly #api: BenchApi;
  #agent: ChildProcess | undefined;

  private constructor(api: BenchApi) {
    this.#api = api;
  }

  /** Resolves when the agent knows its pods and has installed the plugin. */
  static async start(): Promise<AgentUnderTest> {
    const bench = new AgentUnderTest(await BenchApi.startApart(PODS, SERVICES));
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
    const { hostname, port } = this.#writeAccount();
    for (const name of ['net.d', 'bin', 'state']) mkdirSync(this.#file(name));
    writeFileSync(join(this.#file('net.d'), '10-net.conflist'), CNI_CONFIG);
    // The folder of the account is made on a file system of its own, which nobody else sees.
    const script = `mount -t tmpfs none /var/run && mkdir -p ${ACCOUNT} && cp ${this.#file('account')}/* ${ACCOUNT} && exec "$@"`;
    const apart = ['nsenter', `--net=${this.#api.netns}`, 'unshare', '--mount', 'sh', '-c', script, 'sh'];
    const [command = '', ...args] = [...ENDS_WITH_BENCH, ...apart, AMBIT, 'agent', ...this.#flags()];
    this.#agent = spawn(command, args, {
      env: {
        ...process.env,
        KUBERNETES_SERVICE_HOST: hostname,
        KUBERNETES_SERVICE_PORT: port,
        POD_NAMESPACE: 'istio-system',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    await this.#serves();
  }

  #file(name: string): string {
    return join(this.#api.folder, name);
  }

  /** Writes what a pod finds of its account. @returns where the API server is */
  #writeAccount(): URL {
    const { clusters } = JSON.parse(readFileSync(this.#api.kubeconfig, 'utf8')) as Kubeconfig;
    const [entry] = clusters;
    if (entry === undefined) throw new Error(`no cluster in ${this.#api.kubeconfig}`);
    const folder = this.#file('account');
    mkdirSync(folder);
    writeFileSync(join(folder, 'ca.crt'), Buffer.from(entry.cluster['certificate-authority-data'], 'base64'));
    writeFileSync(join(folder, 'token'), 'api-token');
    writeFileSync(join(folder, 'namespace'), 'istio-system');
    return new URL(entry.cluster.server);
  }

  #flags(): string[] {
    return Object.entries({
      'ztunnel-uds-address': this.#file('zds.sock'),
      'cni-event-address': this.#file('pluginevent.sock'),
      'readiness-address': '127.0.0.1:0',
      'monitoring-address': '127.0.0.1:0',
      'rule-backend': 'nft',
      'node-name': 'node-0',
      'cni-net-dir': this.#file('net.d'),
      'cni-bin-dir': this.#file('bin'),
      'state-dir': this.#file('state'),
    }).flatMap(([name, value]) => [`--${name}`, value]);
  }

  async #serves(): Promise<void> {
    const last: string[] = [];
    let serves = false;
    for (const input of [this.#agent?.stdout, this.#agent?.stderr]) {
      if (!input) continue;
      createInterface({ input }).on('line', (line) => {
        serves ||= line.includes('the pods of this node were looked at');
        last.push(line);
        if (last.length > LINES_SHOWN) last.shift();
      });
    }
    const endMs = performance.now() + READY_LIMIT_MS;
    while (!serves) {
      if (performance.now() > endMs || this.#agent?.exitCode !== null || this.#agent.signalCode !== null)
        throw new Error(`the agent does not serve: ${last.join('\n')}`);
      await delay(50);
    }
  }
}
