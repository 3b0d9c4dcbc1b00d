/**
 * The engine behind `ambit up`: runs inside the private namespaces and plays the parts that a cluster has around a mesh.
 * Control plane, agents and proxies are the same programs as anywhere; only what they are fed with comes from here.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { sleep, type Timer } from '../base/clock.ts';
import { AmbitError, errorText } from '../base/errors.ts';
import { FolderSource } from '../manifests/folder-source.ts';
import { ObjectStore } from '../manifests/object-store.ts';
import { ProblemChanges } from '../manifests/problem-changes.ts';
import { keyOf, type ManifestObject } from '../model/manifest/manifest-object.ts';
import { formatProblem } from '../model/manifest/manifest-problem.ts';
import { startClusterDns } from './cluster-dns.ts';
import type { EngineContext } from './engine-context.ts';
import { CLUSTER_ID, CONTROL_HOSTNAME, CONTROL_PORT, EngineNode } from './engine-node.ts';
import { shouldEnrol } from './enrolment.ts';
import { followRemarks } from './follow-remarks.ts';
import { localProxies } from './local-proxies.ts';
import { ManagedProcess } from './managed-process.ts';
import { CONTROL_ADDRESS, DNS_ADDRESS, MAX_NODES, planNode } from './network-plan.ts';
import { setUpBackbone } from './network-setup.ts';
import { PodController } from './pod-controller.ts';
import { nodeManifest, podManifest } from './pod-manifest.ts';
import { groupOfDeployment, groupOfPod, type PodGroup } from './pod-plan.ts';
import type { PodRunner } from './pod-runner.ts';
import type { Progress } from './progress.ts';
import { serveProxyGate } from './proxy-gate.ts';
import { type PodState, type RunState, writeState } from './run-folder.ts';
import { followServices } from './service-feed.ts';
import { ServiceView } from './service-view.ts';
import { StatusFolder } from './status-folder.ts';
import { TokenIssuer } from './token-issuer.ts';
import { udpEndpoints } from './udp-endpoints.ts';
import type { UpOptions } from './up-options.ts';
import { vipRules } from './vip-rules.ts';
import { WaypointObjects } from './waypoint-objects.ts';
import { groupOfWaypoint, type WaypointProgram } from './waypoint-pods.ts';

const CONTROL_HTTP_PORT = 15014;
const CONTROL_TIMEOUT_MS = 20_000;
const POLL_MS = 20;
/** Bursts of changes are answered together. */
const GATHER_MS = 10;
/** How long a mesh may take before the table is shown all the same. */
const SETTLE_TIMEOUT_MS = 60_000;

export class Engine {
  readonly #options: UpOptions;
  readonly #context: EngineContext;
  readonly #progress: Progress;
  readonly #initPid: number;
  readonly #store = new ObjectStore();
  readonly #view = new ServiceView();
  readonly #status: StatusFolder;
  readonly #source: FolderSource;
  readonly #nodes: EngineNode[] = [];
  readonly #closers: (() => void | Promise<void>)[] = [];
  readonly #problemChanges = new ProblemChanges();
  #controller: PodController | undefined;
  #waypointObjects: WaypointObjects | undefined;
  #controlReady = false;
  #nodesUp = 0;
  #gathering: Timer | undefined;
  #applyingVips: Promise<void> | undefined;
  #vipsChanged = false;

  constructor(options: UpOptions, initPid: number, context: EngineContext, progress: Progress) {
    this.#options = options;
    this.#initPid = initPid;
    this.#context = context;
    this.#progress = progress;
    this.#status = new StatusFolder(context.run.status);
    const { clock, logger } = context;
    this.#source = new FolderSource(
      { folders: [options.folder] },
      { clock, logger: logger.scope('config'), store: this.#store, onScan: () => this.#manifestsChanged() },
    );
  }

  /** Brings everything up; resolves when pods are being made. */
  async start(): Promise<void> {
    const { clock, run, logger } = this.#context;
    await this.#source.start();
    this.#planNodes();
    this.#writeState();
    this.#showProgress();
    const issuer = await TokenIssuer.create(join(run.path, 'token-keys.pem'), { clock, logger });
    this.#waypointObjects = new WaypointObjects({ run, status: this.#status, issuer, logger });
    this.#closers.push(() => issuer.stop());
    await setUpBackbone(this.#context.ipv6);
    const [subscription] = await Promise.all([
      this.#startControl(issuer),
      ...this.#nodes.map((node) => node.setUpNetwork()),
    ]);
    const plans = this.#nodes.map(({ plan }) => plan);
    await Promise.all(this.#nodes.map((node) => this.#startNode(node, plans, issuer)));
    await this.#startNames(subscription);
    this.#controller = this.#createController();
    const proxies = () => localProxies(this.#nodes, this.#controller?.pods ?? []);
    const agents = () => this.#nodes.flatMap((node) => node.agent() ?? []);
    const gate = await serveProxyGate(run.proxySocket, { proxies, agents }, logger.scope('proxies'));
    this.#closers.push(() => gate.close());
    this.#closers.push(() => this.#source.stop());
    this.#manifestsChanged();
    this.#showRemarks();
    clock.after(SETTLE_TIMEOUT_MS, () => this.#settle());
  }

  /** Ends pods gracefully; the kernel ends the rest with the process. */
  async stop(graceMs: number): Promise<void> {
    await this.#controller?.stopAll(graceMs);
    for (const node of this.#nodes) node.stop();
    for (const close of this.#closers.splice(0).reverse()) await close();
  }

  /** Nodes of the manifests keep their names; more are called node1, node2, ... */
  #planNodes(): void {
    const named = [...this.#store.all('Node')].map(({ meta }) => meta.name).sort();
    const count = Math.max(this.#options.nodes ?? 1, named.length);
    if (count > MAX_NODES) throw new AmbitError('TOO_MANY_NODES', `${count} nodes: at most ${MAX_NODES} fit`);
    for (let number = 1; number <= count; number++) {
      const name = named[number - 1] ?? `node${number}`;
      const plan = planNode(name, number);
      this.#nodes.push(new EngineNode(plan, this.#context));
      if (named[number - 1] === undefined) this.#status.set(`node_${name}`, nodeManifest(plan));
    }
  }

  async #startControl(issuer: TokenIssuer): Promise<string> {
    const { run, ambit, environment, clock, logger, say } = this.#context;
    const control = new ManagedProcess(
      {
        name: 'control',
        command: [...ambit, ...this.#controlCommand()],
        environment,
        logFile: join(run.logs, 'control.log'),
      },
      { clock, logger, say },
    );
    control.start();
    this.#closers.push(() => control.stop());
    const token = join(run.path, 'engine-token');
    const account = { namespace: 'istio-system', serviceAccount: 'ambit-up', podName: 'ambit-up' };
    await issuer.maintain(token, { ...account, nodeName: 'backbone' });
    await this.#waitForControl();
    this.#controlReady = true;
    this.#showProgress();
    return token;
  }

  #controlCommand(): string[] {
    const { run } = this.#context;
    // The status folder comes first: where both folders have a pod, the one with the status counts.
    const folders = ['--config', run.status, '--config', this.#options.folder];
    const listen = ['--grpc-port', String(CONTROL_PORT), '--http-port', String(CONTROL_HTTP_PORT)];
    const files = ['--ca-dir', run.ca, '--token-keys', join(run.path, 'token-keys.pem')];
    return ['control', ...folders, ...listen, ...files, '--status-file', this.#statusFile];
  }

  get #statusFile(): string {
    return join(this.#context.run.path, 'control-status.json');
  }

  #showRemarks(): void {
    if (this.#options.quiet) return;
    const say = (line: string) => this.#progress.say(`note: ${line}`);
    this.#closers.push(followRemarks(this.#statusFile, say, this.#context.logger.scope('config')));
  }

  async #waitForControl(): Promise<void> {
    const { clock, run } = this.#context;
    const deadlineMs = clock.monotonicMs() + CONTROL_TIMEOUT_MS;
    while (clock.monotonicMs() < deadlineMs) {
      try {
        const { ok } = await fetch(`http://127.0.0.1:${CONTROL_HTTP_PORT}/ready`);
        if (ok && existsSync(join(run.ca, 'root-cert.pem'))) return;
      } catch {
        // Not listening yet.
      }
      await sleep(clock, POLL_MS);
    }
    const log = join(run.logs, 'control.log');
    throw new AmbitError('CONTROL_NOT_READY', `the control plane did not start in ${CONTROL_TIMEOUT_MS} ms: ${log}`);
  }

  async #startNode(node: EngineNode, plans: readonly EngineNode['plan'][], issuer: TokenIssuer): Promise<void> {
    await node.setUpRoutes(plans);
    await node.startPrograms(issuer, () => {
      for (const pod of this.#controller?.pods ?? []) if (pod.node === node) pod.enrolAgain();
    });
    this.#nodesUp++;
    this.#showProgress();
  }

  /** Virtual addresses and names for pods outside the mesh. */
  async #startNames(tokenFile: string): Promise<void> {
    const { run, clock, logger } = this.#context;
    const endpoint = {
      address: `https://${CONTROL_ADDRESS}:${CONTROL_PORT}`,
      rootCa: join(run.ca, 'root-cert.pem'),
      altHostname: CONTROL_HOSTNAME,
      authToken: tokenFile,
      clusterId: CLUSTER_ID,
      headers: new Map<string, string>(),
    };
    const onChange = () => this.#servicesChanged();
    const feed = followServices(endpoint, this.#view, { clock, logger: logger.scope('feed'), onChange });
    this.#closers.push(() => feed.stop());
    const lookup = (name: string) => this.#view.lookup(name);
    const dns = await startClusterDns({ address: DNS_ADDRESS, port: 53, lookup }, { logger: logger.scope('dns') });
    this.#closers.push(() => dns.close());
  }

  #createController(): PodController {
    return new PodController({
      context: this.#context,
      nodes: this.#nodes,
      shouldEnrol: (group) => this.#shouldEnrol(group),
      onPod: (pod) => this.#podChanged(pod),
      onPodGone: (pod) => {
        this.#status.remove(statusName(pod));
        this.#gather();
      },
    });
  }

  #shouldEnrol({ namespace, labels, annotations, spec }: PodGroup): boolean {
    const namespaceLabels = this.#store.get('Namespace', '', namespace)?.meta.labels ?? new Map<string, string>();
    return shouldEnrol({ namespace, labels, annotations, hostNetwork: spec.hostNetwork }, namespaceLabels);
  }

  #podChanged(pod: PodRunner): void {
    this.#status.set(statusName(pod), podManifest(pod.view()));
    this.#gather();
  }

  #gather(): void {
    this.#gathering ??= this.#context.clock.after(GATHER_MS, () => {
      this.#gathering = undefined;
      this.#controller?.reconcile();
      this.#servicesChanged();
      this.#writeState();
      this.#showProgress();
    });
  }

  #manifestsChanged(): void {
    const { manifests } = this.#source;
    const { appeared, mended } = this.#problemChanges.look(manifests.problems(), manifests.files);
    for (const problem of appeared) this.#progress.say(`refused: ${formatProblem(problem)}`);
    for (const file of mended) this.#progress.say(`accepted again: ${file}`);
    if (this.#controller === undefined) return;
    this.#waypointObjects?.follow(this.#store.all('Gateway'));
    this.#controller.setGroups(this.#groups());
    this.#servicesChanged();
  }

  #groups(): Map<string, PodGroup> {
    const folders = new Map(
      this.#source.manifests.accepted().map(({ key, position }) => [key, dirname(position.file)]),
    );
    const folderOf = (object: ManifestObject) => folders.get(keyOf(object)) ?? this.#options.folder;
    const groups = new Map<string, PodGroup>();
    for (const deployment of this.#store.all('Deployment')) {
      const group = groupOfDeployment(deployment, folderOf(deployment));
      groups.set(group.key, group);
    }
    for (const gateway of this.#store.all('Gateway')) {
      const group = groupOfWaypoint(gateway, this.#waypointProgram(), folderOf(gateway));
      if (group !== undefined) groups.set(group.key, group);
    }
    for (const pod of this.#store.all('Pod')) {
      const group = groupOfPod(pod, folderOf(pod));
      groups.set(group.key, group);
    }
    return groups;
  }

  #waypointProgram(): WaypointProgram {
    const { run, ambit, ipv6 } = this.#context;
    return {
      ambit,
      ipv6,
      controlAddress: `https://${CONTROL_ADDRESS}:${CONTROL_PORT}`,
      controlHostname: CONTROL_HOSTNAME,
      controlRootCa: join(run.ca, 'root-cert.pem'),
      clusterId: CLUSTER_ID,
      tokenFile: (namespace, name) => run.waypointToken(namespace, name),
    };
  }

  #servicesChanged(): void {
    this.#vipsChanged = true;
    this.#applyingVips ??= this.#applyVips().finally(() => {
      this.#applyingVips = undefined;
    });
  }

  async #applyVips(): Promise<void> {
    while (this.#vipsChanged) {
      this.#vipsChanged = false;
      const rules = vipRules([...this.#view.virtualEndpoints(), ...this.#udpEndpoints()]);
      try {
        await Promise.all(this.#nodes.map((node) => node.applyVipRules(rules)));
      } catch (error) {
        this.#context.logger.error('virtual addresses not applied', { reason: errorText(error) });
      }
    }
  }

  #udpEndpoints() {
    const pods = [...(this.#controller?.pods ?? [])].map((pod) => pod.view());
    return udpEndpoints(this.#store.all('Service'), pods, (hostname) => this.#view.vips(hostname));
  }

  #writeState(): void {
    const { pid, startTime, userNamespace, folder } = this.#options;
    const nodes = this.#nodes.map(({ name, netns, plan }) => ({ name, netns, address: plan.address }));
    const state: RunState = {
      pid,
      startTime,
      initPid: this.#initPid,
      userNamespace,
      folder,
      nodes,
      pods: this.#podStates(),
    };
    writeState(this.#context.run, state);
  }

  #podStates(): PodState[] {
    return [...(this.#controller?.pods ?? [])].filter((pod) => !pod.isStopping).map((pod) => pod.state());
  }

  #showProgress(): void {
    const states = this.#podStates();
    const pods = this.#controller?.wanted ?? 0;
    const podsReady = states.filter(({ ready }) => ready).length;
    const nodes = this.#nodes.length;
    this.#progress.update({ nodes, nodesUp: this.#nodesUp, controlReady: this.#controlReady, pods, podsReady });
    if (this.#controller !== undefined && podsReady >= pods) this.#settle();
  }

  #settle(): void {
    this.#progress.settle(this.#podStates(), `logs in ${this.#context.run.logs} · Ctrl-C to stop`);
  }
}

function statusName(pod: PodRunner): string {
  return `pod_${pod.group.namespace}_${pod.name}`;
}
