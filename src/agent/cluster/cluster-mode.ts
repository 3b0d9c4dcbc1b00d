/**
 * The part of the agent that a cluster node needs: watches, the CNI plugin, the node's probe rules.
 *
 * Order of the start, which nobody waits for: pods and namespaces are listed; the pods of before are taken up again; only
 * then may ztunnel ask for its snapshot, the CNI plugin is installed, and running pods join as ztunnel takes them.
 */
import { closeSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import { Reflector, type ReflectorHandler } from '../../kube/reflector.ts';
import { DAEMON_SETS, NAMESPACES, PODS } from '../../kube/resource-kind.ts';
import { CniInstaller } from '../cni/cni-installer.ts';
import { PLUGIN_TYPE } from '../cni/conf-file.ts';
import { decideDeparture, findDaemonSet, UninstallSigns } from '../cni/uninstall-decision.ts';
import { type AgentConfig, type ClusterConfig, runDirOf } from '../config.ts';
import type { HostProbeExemptions } from '../host/probe-exemptions.ts';
import type { PodEnroller, PodOutcome } from '../pod-enroller.ts';
import type { PodRegistry } from '../pod-registry.ts';
import type { CmdAdd } from '../request-schema.ts';
import { ClusterView } from './cluster-view.ts';
import { handleCmdAdd } from './cmd-add.ts';
import { slimNamespace, slimPod } from './kept-fields.ts';
import { NamespaceFile } from './namespace-file.ts';
import { createPodLookup, type PodLookup } from './pod-lookup.ts';
import { allPodNamespaces, NetnsFinder } from './pod-processes.ts';
import { PodReconciler } from './pod-reconciler.ts';
import { RedirectionAnnotations } from './redirection-annotation.ts';

/** How long ztunnel waits for the pods of before; those that are not found by then it keeps as they are. */
const ADOPTION_BUDGET_MS = 30_000;
/** Together less than the 30 s that a pod has to end. */
const ANNOTATIONS_BUDGET_MS = 5000;
const UNINSTALL_DRAIN_MS = 15_000;

export interface ClusterModeDeps {
  readonly client: KubeClient;
  readonly registry: PodRegistry;
  readonly enroller: PodEnroller;
  readonly probes: HostProbeExemptions;
  /** Lets ztunnel connect. */
  readonly openZds: () => void;
  readonly onInstall: (result: 'success' | 'failure') => void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

export class ClusterMode {
  readonly #config: ClusterConfig;
  readonly #deps: ClusterModeDeps;
  readonly #view: ClusterView;
  readonly #lookup: PodLookup;
  readonly #annotations: RedirectionAnnotations;
  readonly #reconciler: PodReconciler;
  readonly #namespaceFile: NamespaceFile;
  readonly #installer: CniInstaller;
  readonly #reflectors: readonly Reflector[];
  readonly #signs: UninstallSigns;
  #ownWatch: Reflector | undefined;
  #daemonSet: string | undefined;
  #isSynced = false;
  #startProblem: string | undefined = 'pods and namespaces are not listed yet: can the agent reach the API server?';
  #stopped = false;

  constructor(config: AgentConfig, cluster: ClusterConfig, deps: ClusterModeDeps) {
    this.#config = cluster;
    this.#deps = deps;
    const { client, registry, enroller, clock, random, log } = deps;
    this.#view = new ClusterView(cluster.eligibility);
    this.#lookup = createPodLookup(client, cluster.nodeName);
    this.#annotations = new RedirectionAnnotations({ client, clock, log: log.scope('pods') });
    this.#reconciler = new PodReconciler(
      { reconcileRules: cluster.reconcileRules },
      {
        view: this.#view,
        lookup: this.#lookup,
        registry,
        enroller,
        finder: new NetnsFinder(cluster.procRoot),
        annotations: this.#annotations,
        clock,
        log: log.scope('pods'),
      },
    );
    this.#namespaceFile = new NamespaceFile(join(cluster.stateDir, 'namespaces'), {
      clock,
      log: log.scope('cni'),
      namespaces: () => this.#view.enrolledNamespaces(),
    });
    this.#installer = new CniInstaller(cniFilesOf(config, cluster), {
      clock,
      log: log.scope('cni'),
      onInstall: deps.onInstall,
    });
    const reflectorDeps = { client, clock, random, logger: log.scope('watch') };
    this.#signs = new UninstallSigns(cluster.podNamespace);
    const namespaces = withSigns(this.#view.namespaceHandler, this.#signs);
    const fieldSelector = `spec.nodeName=${cluster.nodeName}`;
    this.#reflectors = [
      new Reflector({ kind: NAMESPACES, transform: slimNamespace }, reflectorDeps, namespaces),
      new Reflector({ kind: PODS, fieldSelector, transform: slimPod }, reflectorDeps, this.#view.podHandler),
    ];
  }

  get isCniInstalled(): boolean {
    return this.#installer.problem === undefined;
  }

  /** What keeps the agent from being ready. */
  problems(): readonly string[] {
    if (this.#startProblem !== undefined) return [this.#startProblem];
    const all = [this.#installer.problem, this.#deps.probes.problem, this.#namespaceFile.problem];
    return all.filter((problem) => problem !== undefined);
  }

  /** Begins to watch; everything else follows by itself. */
  start(): void {
    for (const reflector of this.#reflectors) reflector.start();
    void this.#watchDaemonSet();
    this.#bringUp().catch((error: unknown) => {
      this.#startProblem = errorText(error);
      this.#deps.log.error('the agent cannot start', { error: errorText(error) });
    });
  }

  cmdAdd(cmdAdd: CmdAdd): Promise<void> {
    return handleCmdAdd(cmdAdd, {
      view: this.#view,
      lookup: this.#lookup,
      enroller: this.#deps.enroller,
      isSynced: () => this.#isSynced,
      log: this.#deps.log.scope('cni'),
    });
  }

  /** A pod is in the mesh, or offered again: control planes are told. */
  onOutcome(uid: string, outcome: PodOutcome): void {
    if (outcome === 'enrolled' || outcome === 'partial') this.#reconciler.onPod(uid);
  }

  /** Ends everything; takes the mesh off the node when it leaves for good. Never rejects. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const { probes, client } = this.#deps;
    this.#reconciler.stop();
    const { podNamespace: namespace } = this.#config;
    await this.#findDaemonSet();
    const { leaves, canWrite } = await decideDeparture(client, namespace, this.#daemonSet, this.#signs);
    if (leaves) await this.#givePodsBack(canWrite);
    this.#annotations.stop();
    this.#namespaceFile.stop();
    await Promise.all([
      this.#installer.stop(),
      probes.stop(),
      this.#ownWatch?.stop(),
      ...this.#reflectors.map((reflector) => reflector.stop()),
    ]);
    if (leaves) await this.#uninstall(probes);
    if (leaves) await this.#uninstall(this.#namespaceFile);
    client.close();
  }

  /** New pods start without the mesh from here on, those that run go on in plaintext. */
  async #givePodsBack(canWrite: boolean): Promise<void> {
    const { enroller, registry, log } = this.#deps;
    log.info('this agent is deleted for good: pods leave the mesh', { pods: registry.list().length });
    // What is stopped does not put the plugin back.
    await this.#installer.stop();
    await this.#uninstall(this.#installer);
    const left = canWrite ? await this.#removeAnnotations() : registry.list().length;
    if (left > 0)
      log.warn('annotations of pods stay, as the API server does not take them off any more', { pods: left });
    await enroller.removeAll(UNINSTALL_DRAIN_MS);
    await this.#sweep();
  }

  /** @returns how many could not be removed */
  #removeAnnotations(): Promise<number> {
    for (const { pod } of this.#deps.registry.list()) {
      const known = this.#view.pod(pod.uid);
      if (known !== undefined) this.#annotations.set(known, undefined);
    }
    return this.#annotations.settled(ANNOTATIONS_BUDGET_MS);
  }

  /** What this agent has not taken up, because it was told to leave while it started, has rules all the same. */
  async #sweep(): Promise<void> {
    const { enroller, log } = this.#deps;
    let cleared = 0;
    for (const { fd } of await allPodNamespaces(this.#config.procRoot)) {
      try {
        if (await enroller.clearNamespace(fd)) cleared++;
      } catch (error) {
        log.error('a pod of this node is left with its rules', { error: errorText(error) });
      } finally {
        closeSync(fd);
      }
    }
    if (cleared > 0) log.info('pods that were not taken up were given back, too', { pods: cleared });
  }

  async #findDaemonSet(): Promise<void> {
    const { podName: name, podNamespace: namespace } = this.#config;
    this.#daemonSet ??= await findDaemonSet(this.#deps.client, { namespace, name });
  }

  /** Remembers when it is deleted: afterwards nobody may be left to say so. */
  async #watchDaemonSet(): Promise<void> {
    const { client, clock, random, log } = this.#deps;
    await this.#findDaemonSet();
    if (this.#stopped || this.#daemonSet === undefined) return;
    const own = { namespace: this.#config.podNamespace, fieldSelector: `metadata.name=${this.#daemonSet}` };
    const deps = { client, clock, random, logger: log.scope('watch') };
    this.#ownWatch = new Reflector({ kind: DAEMON_SETS, ...own }, deps, this.#signs.daemonSetHandler);
    this.#ownWatch.start();
  }

  async #uninstall(part: { uninstall(): Promise<void> }): Promise<void> {
    await part.uninstall().catch((error: unknown) => {
      this.#deps.log.error('something is left on the node', { error: errorText(error) });
    });
  }

  async #bringUp(): Promise<void> {
    const { probes, openZds, log } = this.#deps;
    await Promise.all(this.#reflectors.map(({ synced }) => synced));
    if (this.#stopped) return;
    this.#view.listen({
      onPod: (uid) => this.#reconciler.onPod(uid),
      onPodList: () => this.#reconciler.onPodList(),
      onNamespaces: () => this.#namespaceFile.changed(),
    });
    await this.#namespaceFile.flush();
    await this.#reconciler.adopt(ADOPTION_BUDGET_MS);
    if (this.#stopped) return;
    openZds();
    this.#isSynced = true;
    await probes.start();
    this.#reconciler.enrol();
    await this.#installer.start();
    this.#startProblem = undefined;
    if (this.#daemonSet === undefined) await this.#watchDaemonSet();
    log.info('the agent serves this node', { node: this.#config.nodeName, daemonSet: this.#daemonSet ?? 'unknown' });
  }
}

function withSigns(handler: ReflectorHandler, signs: UninstallSigns): ReflectorHandler {
  return {
    replace: (objects) => {
      for (const object of objects) signs.onNamespace(object);
      handler.replace(objects);
    },
    upsert: (object) => {
      signs.onNamespace(object);
      handler.upsert(object);
    },
    remove: (object) => handler.remove(object),
  };
}

function cniFilesOf(config: AgentConfig, cluster: ClusterConfig) {
  return {
    sourcePath: cluster.cniBinary,
    binDir: cluster.cniBinDir,
    confDir: cluster.cniConfDir,
    plugin: {
      type: PLUGIN_TYPE,
      name: PLUGIN_TYPE,
      cni_agent_run_dir: runDirOf(config),
      state_dir: cluster.stateDir,
      exclude_namespaces: cluster.eligibility.excludedNamespaces,
      pod_namespace: cluster.podNamespace,
    },
  } as const;
}
