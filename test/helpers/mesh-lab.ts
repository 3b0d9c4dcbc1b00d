/**
 * One node of a real mesh for tests: pods as network namespaces, the agent, and a ztunnel in this process, fed by changes
 * that the test gives. Call `enterPrivateNetns(import.meta.url)` first.
 *
 *     await using mesh = await MeshLab.start();
 *     const client = await mesh.addPod('client', { enrolled: true });
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Agent, startAgent } from '../../src/agent/app.ts';
import { parseAgentConfig } from '../../src/agent/config.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import type { StateChange } from '../../src/mesh/mesh-state.ts';
import { type IpAddress, parseIpAddress } from '../../src/model/address.ts';
import { createWorkload, type Workload } from '../../src/model/workload.ts';
import type { LookupAddresses } from '../../src/net/hostname-resolver.ts';
import { LogFilter } from '../../src/telemetry/log-filter.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import type { CertificateSource } from '../../src/xds/client/ca-client.ts';
import { startZtunnel, type ZtunnelHandle } from '../../src/ztunnel/app.ts';
import { readZtunnelConfig } from '../../src/ztunnel/config.ts';
import { eventually } from './eventually.ts';
import { type LabPod, NetnsLab } from './netns.ts';

export interface MeshPodOptions {
  readonly enrolled?: boolean;
  readonly workload?: Partial<Workload>;
}

/** A pod with its record in the feed. */
export interface MeshPod extends LabPod {
  readonly workload: Workload;
  readonly ip: IpAddress;
}

export interface MeshLabOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Of the agent, besides its paths. */
  readonly agentEnvironment?: Readonly<Record<string, string>>;
  /** Let ztunnel run its data plane in workers. */
  readonly workers?: boolean;
  readonly certificateSource?: CertificateSource;
  /** The DNS of workloads that are named by hostname. */
  readonly lookup?: LookupAddresses;
}

export class MeshLab implements AsyncDisposable {
  readonly net = new NetnsLab();
  readonly #folder = mkdtempSync(join(tmpdir(), 'ambit-mesh-'));
  /** The access log and everything else that ztunnel logged, a line each. */
  readonly log: string[] = [];
  ztunnel!: ZtunnelHandle;
  agent!: Agent;

  static async start(options: MeshLabOptions = {}): Promise<MeshLab> {
    const lab = new MeshLab();
    const zdsPath = join(lab.#folder, 'ztunnel.sock');
    const socketPath = join(lab.#folder, 'agent.sock');
    lab.agent = await startAgent(
      parseAgentConfig(
        ['--ztunnel-uds-address', zdsPath, '--cni-event-address', socketPath, '--readiness-address', '127.0.0.1:0'],
        // A pod that is withdrawn is out of the mesh when the call returns.
        { AMBIT_LEAVE_DRAIN: '0s', ...options.agentEnvironment },
      ),
      { log: silentLogger },
    );
    const config = readZtunnelConfig({
      FAKE_CA: 'true',
      XDS_ADDRESS: '',
      NODE_NAME: 'node1',
      INPOD_UDS: zdsPath,
      ADMIN_PORT: '0',
      STATS_PORT: '0',
      READINESS_PORT: '0',
      IPV6_ENABLED: 'true',
      RUST_LOG: 'info',
      ZTUNNEL_WORKER_THREADS: '1',
      ...options.env,
    });
    const logFilter = new LogFilter(config.logLevel);
    const destination = { write: (line: string) => void lab.log.push(line.trimEnd()) };
    lab.ztunnel = await startZtunnel(config, {
      clock: systemClock,
      random: Math.random,
      logger: createLogger({ format: config.logFormat, filter: logFilter, destination }),
      logFilter,
      version: { version: 'test' },
      inThread: options.workers !== true,
      ...(options.certificateSource !== undefined && { certificateSource: options.certificateSource }),
      ...(options.lookup !== undefined && { lookup: options.lookup }),
      onExit: () => undefined,
    });
    await eventually('ztunnel is ready', () => lab.ztunnel.ready());
    return lab;
  }

  /** Adds a pod, tells the feed about it and, when enrolled, hands it to the agent. */
  async addPod(name: string, options: MeshPodOptions = {}): Promise<MeshPod> {
    const pod = this.net.addPod(name);
    const ip = parseIpAddress(pod.ipv4);
    if (ip === undefined) throw new Error('the lab gave no address');
    const workload = createWorkload({
      uid: `Kubernetes//Pod/default/${name}`,
      name,
      namespace: 'default',
      serviceAccount: name,
      addresses: [ip],
      protocol: options.enrolled === true ? 'HBONE' : 'TCP',
      node: 'node1',
      canonicalName: name,
      canonicalRevision: 'latest',
      workloadName: name,
      ...options.workload,
    });
    this.apply([{ kind: 'workload', workload }]);
    if (options.enrolled === true) await this.enrol(pod, workload);
    return { ...pod, exec: pod.exec.bind(pod), workload, ip };
  }

  apply(changes: readonly StateChange[]): void {
    this.ztunnel.apply(changes);
  }

  /** @param running its programs run already and may have connections open */
  async enrol(pod: LabPod, workload: Workload, running = false): Promise<void> {
    const body = {
      uid: `uid-${pod.name}`,
      name: workload.name,
      namespace: workload.namespace,
      serviceAccount: workload.serviceAccount,
      netns: pod.path,
      ips: [pod.ipv4, pod.ipv6],
      annotations: {},
    };
    await this.#agentRequest('POST', running ? '/pods?running=true' : '/pods', JSON.stringify(body));
  }

  async withdraw(pod: LabPod): Promise<void> {
    await this.#agentRequest('DELETE', `/pods/uid-${pod.name}`, '');
  }

  /** The text of an endpoint of ztunnel. */
  fetch(port: number, path: string, method = 'GET'): Promise<{ status: number; body: string }> {
    return new Promise((resolve, reject) => {
      // Without an agent no connection stays open, which tests that count sockets rely on.
      const outgoing = request({ host: '127.0.0.1', port, path, method, agent: false }, (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          body += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      });
      outgoing.on('error', reject);
      outgoing.end();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ztunnel.stop();
    await this.agent.stop();
    this.net[Symbol.dispose]();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #agentRequest(method: string, path: string, body: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const outgoing = request({ socketPath: this.agent.socketPath, path, method }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => {
          if (response.statusCode === 200) resolve();
          else reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`));
        });
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }
}
