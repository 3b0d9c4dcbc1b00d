/** A node of the local mesh: a network namespace with an agent and a proxy of its own. */
import { existsSync, mkdirSync, openSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { sleep } from '../base/clock.ts';
import { AmbitError } from '../base/errors.ts';
import type { MeshAgent } from '../model/mesh-agent.ts';
import type { EngineContext } from './engine-context.ts';
import { ManagedProcess } from './managed-process.ts';
import { CONTROL_ADDRESS, type NodePlan, PodAddressPool } from './network-plan.ts';
import { setUpNode, setUpNodeRoutes } from './network-setup.ts';
import { runProgram } from './run-program.ts';
import type { TokenIssuer } from './token-issuer.ts';

/** Where and as what the control plane is reached. */
export const CONTROL_PORT = 15012;
export const CONTROL_HOSTNAME = 'istiod.istio-system.svc';
export const CLUSTER_ID = 'Kubernetes';
const READY_TIMEOUT_MS = 15_000;
const POLL_MS = 20;

export class EngineNode {
  readonly plan: NodePlan;
  readonly netns: string;
  readonly agentSocket: string;
  readonly addresses: PodAddressPool;
  readonly #context: EngineContext;
  readonly #processes: ManagedProcess[] = [];
  #agent: ManagedProcess | undefined;
  #netnsFd = -1;
  #vipRules = '';

  constructor(plan: NodePlan, context: EngineContext) {
    this.plan = plan;
    this.#context = context;
    this.netns = context.run.netnsOf(plan.name);
    this.agentSocket = context.run.nodeFile(plan.name, 'agent.sock');
    this.addresses = new PodAddressPool(plan);
  }

  get name(): string {
    return this.plan.name;
  }

  /** Open for as long as the engine lives. */
  get netnsFd(): number {
    return this.#netnsFd;
  }

  /** Makes its namespace, links and addresses. */
  async setUpNetwork(): Promise<void> {
    await setUpNode(this.plan, this.netns, this.#context.ipv6);
    this.#netnsFd = openSync(this.netns, 'r');
  }

  setUpRoutes(all: readonly NodePlan[]): Promise<void> {
    const others = all.filter(({ name }) => name !== this.name);
    return others.length === 0 ? Promise.resolve() : setUpNodeRoutes(this.netns, others, this.#context.ipv6);
  }

  /** Starts agent and proxy; resolves when the agent answers. @param onAgentRestart the agent has forgotten its pods */
  async startPrograms(issuer: TokenIssuer, onAgentRestart: () => void): Promise<void> {
    mkdirSync(dirname(this.agentSocket), { recursive: true, mode: 0o700 });
    await issuer.maintain(this.#file('token'), {
      namespace: 'istio-system',
      serviceAccount: 'ztunnel',
      podName: `ztunnel-${this.name}`,
      nodeName: this.name,
    });
    const agentReady = () => this.#waitForAgent();
    this.#agent = this.#start('agent', this.#agentEnv(), () => void agentReady().then(onAgentRestart, onAgentRestart));
    await agentReady();
    this.#start('ztunnel', this.#ztunnelEnv(), () => undefined);
  }

  /** Undefined before it was started for the first time. */
  agent(): MeshAgent | undefined {
    if (this.#agent === undefined) return undefined;
    const { pid, history } = this.#agent;
    const ready = pid !== 0 && existsSync(this.agentSocket);
    return { namespace: 'istio-system', name: `agent-${this.name}`, node: this.name, ready, ...history };
  }

  /** Replaces the node's rules for virtual addresses; the same rules again cost nothing. */
  async applyVipRules(rules: string): Promise<void> {
    if (rules === this.#vipRules) return;
    await runProgram('nsenter', [`--net=${this.netns}`, 'nft', '-f', '-'], rules);
    this.#vipRules = rules;
  }

  stop(): void {
    for (const process of this.#processes) process.stop();
  }

  #file(name: string): string {
    return this.#context.run.nodeFile(this.name, name);
  }

  #start(role: string, own: NodeJS.ProcessEnv, onRestart: () => void): ManagedProcess {
    const { ambit, environment, run, clock, logger, say } = this.#context;
    const managed = new ManagedProcess(
      {
        name: `${this.name}/${role}`,
        command: ['nsenter', `--net=${this.netns}`, ...ambit, role],
        environment: { ...environment, ...own },
        logFile: join(run.logs, `${this.name}_${role}.log`),
      },
      { clock, logger, say, onRestart },
    );
    this.#processes.push(managed);
    managed.start();
    return managed;
  }

  #agentEnv(): NodeJS.ProcessEnv {
    return {
      ZTUNNEL_UDS_ADDRESS: this.#file('zds.sock'),
      CNI_EVENT_ADDRESS: this.agentSocket,
      READINESS_ADDRESS: '127.0.0.1:8000',
      // The agent of a cluster node has one; what the user's shell exports must not make this one such.
      NODE_NAME: '',
      AMBIENT_IPV6: String(this.#context.ipv6),
    };
  }

  #ztunnelEnv(): NodeJS.ProcessEnv {
    const address = `https://${CONTROL_ADDRESS}:${CONTROL_PORT}`;
    const root = join(this.#context.run.ca, 'root-cert.pem');
    return {
      NODE_NAME: this.name,
      POD_NAME: `ztunnel-${this.name}`,
      POD_NAMESPACE: 'istio-system',
      SERVICE_ACCOUNT: 'ztunnel',
      INSTANCE_IP: this.plan.address,
      CLUSTER_ID,
      INPOD_UDS: this.#file('zds.sock'),
      XDS_ADDRESS: address,
      CA_ADDRESS: address,
      XDS_ROOT_CA: root,
      CA_ROOT_CA: root,
      ALT_XDS_HOSTNAME: CONTROL_HOSTNAME,
      ALT_CA_HOSTNAME: CONTROL_HOSTNAME,
      AUTH_TOKEN: this.#file('token'),
      IPV6_ENABLED: String(this.#context.ipv6),
    };
  }

  async #waitForAgent(): Promise<void> {
    const { clock } = this.#context;
    const deadlineMs = clock.monotonicMs() + READY_TIMEOUT_MS;
    while (clock.monotonicMs() < deadlineMs) {
      if (existsSync(this.agentSocket)) return;
      await sleep(clock, POLL_MS);
    }
    const log = join(this.#context.run.logs, `${this.name}_agent.log`);
    throw new AmbitError(
      'AGENT_NOT_READY',
      `the agent of ${this.name} did not start in ${READY_TIMEOUT_MS} ms: ${log}`,
    );
  }
}
