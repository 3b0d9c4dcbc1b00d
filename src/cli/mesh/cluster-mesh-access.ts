/**
 * The mesh of a cluster, with the rights of the person's own kubeconfig: pods are listed, their ports forwarded.
 *
 * Invariant: control planes and ztunnels are pods of the namespace of the mesh alone, whose operators are trusted. Waypoints
 * are pods of anybody's namespace: what they say is for those to judge who ask them.
 */
import type { Duplex } from 'node:stream';
import { AmbitError } from '../../base/errors.ts';
import { AGENT_NAME } from '../../install/objects/agent-objects.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import type { KubeConfig } from '../../kube/kube-config.ts';
import type { KubeObject } from '../../kube/kube-object.ts';
import { portForward } from '../../kube/port-forward.ts';
import { PODS } from '../../kube/resource-kind.ts';
import { fieldsOf } from '../../model/manifest/field-reader.ts';
import type { MeshAgent } from '../../model/mesh-agent.ts';
import type { MeshProxy, ProxyRole } from '../../model/mesh-proxy.ts';
import { GATEWAY_NAME_LABEL } from '../../model/waypoint-objects.ts';
import type { LoggedProgram, MeshAccess } from './mesh-access.ts';

const TIMEOUT_MS = 10_000;
const LOG_LINES = 5000;
const LOG_BYTES = 4 * 1024 * 1024;

/** How the pods of each role are found (facts l7-and-control 4.2, 7.4). */
const SELECTORS: Readonly<Record<ProxyRole, string>> = {
  control: 'app=istiod',
  ztunnel: 'app=ztunnel',
  waypoint: `${GATEWAY_NAME_LABEL},gateway.istio.io/managed=istio.io-mesh-controller`,
};

const AGENT_SELECTOR = `app.kubernetes.io/name=${AGENT_NAME}`;

export class ClusterMeshAccess implements MeshAccess {
  readonly where: string;
  readonly controlPort = 8080;
  readonly #client: KubeClient;
  readonly #config: KubeConfig;
  readonly #namespace: string;

  /** @param namespace of the mesh: where it is installed */
  constructor(client: KubeClient, config: KubeConfig, namespace: string) {
    this.#namespace = namespace;
    this.where = `cluster ${config.server}`;
    this.#client = client;
    this.#config = config;
  }

  async proxies(): Promise<readonly MeshProxy[]> {
    const roles = Object.keys(SELECTORS) as ProxyRole[];
    const lists = await Promise.all(roles.map((role) => this.#podsOf(role)));
    return lists.flat();
  }

  async agents(): Promise<readonly MeshAgent[]> {
    return (await this.#podsWith(AGENT_SELECTOR, this.#namespace)).map(agentOf);
  }

  async open({ namespace, name }: MeshProxy, port: number): Promise<Duplex> {
    const stream = await portForward(this.#config, { namespace, pod: name, port }, TIMEOUT_MS);
    if (stream.ok) return stream.value;
    throw stream.error;
  }

  async logOf({ namespace, name }: LoggedProgram): Promise<string> {
    const bounds = new URLSearchParams({ tailLines: String(LOG_LINES), limitBytes: String(LOG_BYTES) });
    const log = await this.#client.text(`/api/v1/namespaces/${namespace}/pods/${name}/log`, bounds);
    if (log.ok) return log.value;
    throw new AmbitError(log.error.code, log.error.message, { cause: log.error });
  }

  close(): void {
    this.#client.close();
  }

  async #podsOf(role: ProxyRole): Promise<readonly MeshProxy[]> {
    const pods = await this.#podsWith(SELECTORS[role], role === 'waypoint' ? undefined : this.#namespace);
    return pods.map((pod) => ({ ...podOf(pod), role, ip: text(fieldsOf(pod['status'])['podIP']) }));
  }

  async #podsWith(labelSelector: string, namespace: string | undefined): Promise<readonly KubeObject[]> {
    const pods = await this.#client.listAll(PODS, { ...(namespace !== undefined && { namespace }), labelSelector });
    if (!pods.ok) throw new AmbitError(pods.error.code, pods.error.message, { cause: pods.error });
    return pods.value;
  }
}

function podOf(pod: KubeObject): Pick<MeshProxy, 'namespace' | 'name' | 'node' | 'ready'> {
  const { nodeName } = fieldsOf(pod['spec']);
  const { conditions } = fieldsOf(pod['status']);
  const ready = listOf(conditions).some(({ type, status }) => type === 'Ready' && status === 'True');
  const { name, namespace = '' } = pod.metadata;
  return { namespace, name, node: text(nodeName), ready };
}

/** How its one container fares (Kubernetes API, ContainerStatus). */
function agentOf(pod: KubeObject): MeshAgent {
  const [container = {}] = listOf(fieldsOf(pod['status'])['containerStatuses']);
  const { restartCount: restarts } = container;
  // Between two attempts the last end is the present state; after the next start it is the last one.
  const ended = [container['state'], container['lastState']]
    .map((state) => fieldsOf(fieldsOf(state)['terminated']))
    .find(({ exitCode }) => exitCode !== undefined);
  const common = { ...podOf(pod), restarts: typeof restarts === 'number' ? restarts : 0 };
  if (ended === undefined) return { ...common, lastExit: '' };
  const { exitCode, signal, reason, finishedAt } = ended;
  const how = typeof signal === 'number' && signal > 0 ? `signal ${signal}` : `status ${String(exitCode)}`;
  const why = text(reason) === '' || reason === 'Error' ? '' : `, ${text(reason)}`;
  const lastExitMs = Date.parse(text(finishedAt));
  return { ...common, lastExit: `${how}${why}`, ...(Number.isFinite(lastExitMs) && { lastExitMs }) };
}

function listOf(value: unknown): Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.map(fieldsOf) : [];
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
