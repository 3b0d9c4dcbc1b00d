/**
 * The life of one pod: network, namespaces, enrolment, containers, readiness, end.
 *
 * Invariants:
 * - A pod that shall be in the mesh starts no container before it is: not one byte leaves in plaintext.
 * - Enrolment follows the wish one step at a time; a step that fails is tried again with backoff.
 * - A pod leaves the feed's tunnels before it leaves the proxy, and the other way round when it joins.
 * - `stop` frees everything that `start` made, however far it came.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Backoff } from '../base/backoff.ts';
import { sleep } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { PodPhase } from '../model/manifest/pod.ts';
import { addPodToMesh, removePodFromMesh } from './agent-client.ts';
import type { PodFields } from './container-env.ts';
import { ContainerRunner } from './container-runner.ts';
import type { EngineContext } from './engine-context.ts';
import type { EngineNode } from './engine-node.ts';
import type { PodAddresses } from './network-plan.ts';
import { removePodNetwork, setUpPod } from './network-setup.ts';
import type { PodStatusView } from './pod-manifest.ts';
import type { PodGroup } from './pod-plan.ts';
import { PodSandbox } from './pod-sandbox.ts';
import { probeReadiness } from './readiness-prober.ts';
import type { PodState } from './run-folder.ts';

export interface PodRunnerOptions {
  readonly group: PodGroup;
  readonly name: string;
  readonly node: EngineNode;
  readonly enrol: boolean;
}

const DEFAULT_ACCOUNT = 'default';
/** A little time for the proxies to learn that a pod leaves the mesh before its tunnels close. */
const LEAVE_DELAY_MS = 100;

export class PodRunner {
  readonly name: string;
  readonly uid = randomUUID();
  readonly node: EngineNode;
  readonly #context: EngineContext;
  readonly #onChange: () => void;
  readonly #createdMs: number;
  readonly #ended = new AbortController();
  readonly #passing = new Map<string, boolean>();
  #group: PodGroup;
  #wanted: boolean;
  #enrolled = false;
  #syncing: Promise<void> | undefined;
  #addresses: PodAddresses | undefined;
  #sandbox: PodSandbox | undefined;
  #containers: ContainerRunner[] = [];
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: PodRunnerOptions, context: EngineContext, onChange: () => void) {
    this.name = options.name;
    this.node = options.node;
    this.#group = options.group;
    this.#wanted = options.enrol;
    this.#context = context;
    this.#onChange = onChange;
    this.#createdMs = context.clock.nowMs();
  }

  get group(): PodGroup {
    return this.#group;
  }

  get isStopping(): boolean {
    return this.#ended.signal.aborted;
  }

  get isReady(): boolean {
    const containers = this.#containers;
    if (this.isStopping || containers.length === 0 || this.#wanted !== this.#enrolled) return false;
    return containers.every(({ name, state }) => state.kind === 'running' && (this.#passing.get(name) ?? true));
  }

  /** Brings the pod up. @throws AmbitError when the machine refuses; `stop` clears up */
  start(): Promise<void> {
    this.#starting ??= this.#start();
    return this.#starting;
  }

  /** Labels and annotations changed in place. */
  setGroup(group: PodGroup): void {
    if (this.#group === group) return;
    this.#group = group;
    this.#onChange();
  }

  /** Into the mesh or out of it. */
  setEnrolment(wanted: boolean): void {
    if (this.#wanted === wanted) return;
    this.#wanted = wanted;
    if (this.#sandbox !== undefined) void this.#syncEnrolment();
  }

  /** The agent has forgotten the pod: tells it again. */
  enrolAgain(): void {
    if (!this.#enrolled || this.isStopping) return;
    this.#enrolled = false;
    void this.#syncEnrolment();
  }

  /** Ends everything. Never rejects. */
  stop(graceMs: number): Promise<void> {
    this.#ended.abort();
    this.#stopping ??= this.#stop(graceMs);
    return this.#stopping;
  }

  view(): PodStatusView {
    return {
      group: this.#group,
      name: this.name,
      uid: this.uid,
      node: this.node.name,
      nodeIp: this.node.plan.address,
      podIps: this.#podIps(),
      phase: this.#phase(),
      ready: this.isReady,
      enrolled: this.#enrolled,
      deleting: this.isStopping,
      createdMs: this.#createdMs,
    };
  }

  state(): PodState {
    return {
      namespace: this.#group.namespace,
      name: this.name,
      deployment: this.#group.kind === 'Deployment' ? this.#group.name : '',
      node: this.node.name,
      ips: [...this.#podIps()],
      ready: this.isReady,
      enrolled: this.#enrolled,
      pid: this.#sandbox?.pid ?? 0,
      containers: this.#containers.map(({ name, folder, env, state, restarts, lastExit }) => ({
        name,
        folder,
        env: Object.fromEntries(env),
        waiting: state.kind === 'waiting' ? state.reason : '',
        restarts,
        lastExit,
      })),
    };
  }

  get #hostNetwork(): boolean {
    return this.#group.spec.hostNetwork;
  }

  get #netns(): string {
    return this.#hostNetwork ? this.node.netns : this.#context.run.netnsOf(`pod-${this.uid}`);
  }

  async #start(): Promise<void> {
    const { ipv6, run } = this.#context;
    if (!this.#hostNetwork) {
      const addresses = this.node.addresses.allocate();
      this.#addresses = addresses;
      await setUpPod(this.node.plan, this.node.netns, addresses, this.#netns, ipv6);
    }
    const { namespace } = this.#group;
    const folder = run.podFolder(namespace, this.name);
    const options = { name: this.name, namespace, netns: this.#netns, podIps: this.#podIps(), folder };
    this.#sandbox = await PodSandbox.create(options);
    // The control plane signs for service accounts of pods that it knows: the pod has to be there first.
    this.#onChange();
    await this.#syncEnrolment();
    if (this.isStopping) return;
    this.#containers = this.#createContainers(this.#sandbox);
    for (const container of this.#containers) container.start();
    this.#startProbes(this.#sandbox);
    this.#onChange();
  }

  #createContainers(sandbox: PodSandbox): ContainerRunner[] {
    const { run, machineEnv, clock, logger, say } = this.#context;
    const { spec, namespace, folder } = this.#group;
    const pod = this.#fields();
    return spec.containers.map(
      (container) =>
        new ContainerRunner(
          {
            container,
            pod,
            folder,
            restartPolicy: spec.restartPolicy,
            logFile: join(run.logs, `${namespace}_${this.name}_${container.name}.log`),
            machineEnv,
          },
          { clock, logger, sandbox, say, onChange: () => this.#onChange() },
        ),
    );
  }

  #startProbes(sandbox: PodSandbox): void {
    const { clock } = this.#context;
    const [address = ''] = this.#podIps();
    for (const container of this.#group.spec.containers) {
      const probe = container.readinessProbe;
      if (probe === undefined) continue;
      this.#passing.set(container.name, false);
      const onResult = (ready: boolean) => {
        this.#passing.set(container.name, ready);
        this.#onChange();
      };
      const target = {
        container,
        address,
        nodeNetnsFd: this.node.netnsFd,
        enterArguments: sandbox.enterArguments,
      };
      void probeReadiness(probe, target, { clock, signal: this.#ended.signal, onResult });
    }
  }

  #syncEnrolment(): Promise<void> {
    this.#syncing ??= this.#reachEnrolment().finally(() => {
      this.#syncing = undefined;
    });
    return this.#syncing;
  }

  async #reachEnrolment(): Promise<void> {
    const { clock, logger } = this.#context;
    const backoff = new Backoff({ initialMs: 20, maxMs: 2000 });
    while (this.#wanted !== this.#enrolled && !this.isStopping) {
      try {
        if (this.#wanted) await this.#join();
        else await this.#leave();
        backoff.reset();
      } catch (error) {
        logger.debug('enrolment is tried again', { pod: this.name, reason: errorText(error) });
        await sleep(clock, backoff.next(), this.#ended.signal);
      }
    }
  }

  async #join(): Promise<void> {
    const { namespace, annotations } = this.#group;
    const pod = {
      uid: this.uid,
      name: this.name,
      namespace,
      serviceAccount: this.#fields().serviceAccount,
      netns: this.#netns,
      ips: this.#podIps(),
      annotations: Object.fromEntries(annotations),
    };
    await addPodToMesh(this.node.agentSocket, pod, this.#containers.length > 0);
    this.#enrolled = true;
    this.#onChange();
  }

  async #leave(): Promise<void> {
    this.#enrolled = false;
    this.#onChange();
    await sleep(this.#context.clock, LEAVE_DELAY_MS, this.#ended.signal);
    try {
      await removePodFromMesh(this.node.agentSocket, this.uid, false);
    } catch (error) {
      // Still in the mesh: the loop tries again.
      this.#enrolled = true;
      throw error;
    }
  }

  async #stop(graceMs: number): Promise<void> {
    const { logger } = this.#context;
    this.#onChange();
    // What is being made cannot be freed; a start that fails has made less.
    await this.#starting?.catch(() => undefined);
    await Promise.all(this.#containers.map((container) => container.stop(graceMs)));
    try {
      await removePodFromMesh(this.node.agentSocket, this.uid, true);
    } catch (error) {
      logger.debug('agent not told of the end of a pod', { pod: this.name, reason: errorText(error) });
    }
    this.#sandbox?.remove();
    if (this.#addresses === undefined) return;
    try {
      await removePodNetwork(this.node.netns, this.#addresses, this.#netns);
      this.node.addresses.release(this.#addresses);
    } catch (error) {
      // The address stays taken, and the mesh takes all with it when it ends.
      logger.warn('network of a pod not removed', { pod: this.name, reason: errorText(error) });
    }
  }

  #phase(): PodPhase {
    const states = this.#containers.map(({ state }) => state);
    if (states.length === 0) return 'Pending';
    if (states.every((state) => state.kind === 'ended')) {
      return states.every((state) => state.succeeded) ? 'Succeeded' : 'Failed';
    }
    return 'Running';
  }

  #podIps(): readonly string[] {
    const { ipv6 } = this.#context;
    const { plan } = this.node;
    if (this.#hostNetwork) return ipv6 ? [plan.address, plan.addressV6] : [plan.address];
    if (this.#addresses === undefined) return [];
    return ipv6 ? [this.#addresses.ipv4, this.#addresses.ipv6] : [this.#addresses.ipv4];
  }

  #fields(): PodFields {
    const { namespace, labels, annotations, spec } = this.#group;
    return {
      name: this.name,
      namespace,
      uid: this.uid,
      nodeName: this.node.name,
      nodeIp: this.node.plan.address,
      serviceAccount: spec.serviceAccount || DEFAULT_ACCOUNT,
      podIps: this.#podIps(),
      labels,
      annotations,
    };
  }
}
