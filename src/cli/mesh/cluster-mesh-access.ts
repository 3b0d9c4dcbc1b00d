/**
 * The mesh of a cluster, with the rights of the person's own kubeconfig: pods are listed, their ports forwarded.
 *
 * Invariant: control planes and ztunnels are pods of the namespace of the mesh alone, whose operators are trusted. Waypoints
 * are pods of anybody's namespace: what they say is for those to judge who ask them.
 */
import type { Duplex } from 'node:stream';
import { AmbitError } from '../../base/errors.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import type { KubeConfig } from '../../kube/kube-config.ts';
import type { KubeObject } from '../../kube/kube-object.ts';
import { portForward } from '../../kube/port-forward.ts';
import { PODS } from '../../kube/resource-kind.ts';
import { fieldsOf } from '../../model/manifest/field-reader.ts';
import type { MeshProxy, ProxyRole } from '../../model/mesh-proxy.ts';
import { GATEWAY_NAME_LABEL } from '../../model/waypoint-objects.ts';
import type { MeshAccess } from './mesh-access.ts';

const TIMEOUT_MS = 10_000;
const LOG_LINES = 5000;
const LOG_BYTES = 4 * 1024 * 1024;

/** How the pods of each role are found (facts l7-and-control 4.2, 7.4). */
const SELECTORS: Readonly<Record<ProxyRole, string>> = {
  control: 'app=istiod',
  ztunnel: 'app=ztunnel',
  waypoint: `${GATEWAY_NAME_LABEL},gateway.istio.io/managed=istio.io-mesh-controller`,
};

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

  async open({ namespace, name }: MeshProxy, port: number): Promise<Duplex> {
    const stream = await portForward(this.#config, { namespace, pod: name, port }, TIMEOUT_MS);
    if (stream.ok) return stream.value;
    throw stream.error;
  }

  async logOf({ namespace, name }: MeshProxy): Promise<string> {
    const bounds = new URLSearchParams({ tailLines: String(LOG_LINES), limitBytes: String(LOG_BYTES) });
    const log = await this.#client.text(`/api/v1/namespaces/${namespace}/pods/${name}/log`, bounds);
    if (log.ok) return log.value;
    throw new AmbitError(log.error.code, log.error.message, { cause: log.error });
  }

  close(): void {
    this.#client.close();
  }

  async #podsOf(role: ProxyRole): Promise<readonly MeshProxy[]> {
    const scope = role === 'waypoint' ? {} : { namespace: this.#namespace };
    const pods = await this.#client.listAll(PODS, { ...scope, labelSelector: SELECTORS[role] });
    if (!pods.ok) throw new AmbitError(pods.error.code, pods.error.message, { cause: pods.error });
    return pods.value.map((pod) => proxyOf(role, pod));
  }
}

function proxyOf(role: ProxyRole, pod: KubeObject): MeshProxy {
  const { nodeName } = fieldsOf(pod['spec']);
  const { podIP, conditions } = fieldsOf(pod['status']);
  const ready = Array.isArray(conditions)
    ? conditions.map(fieldsOf).some(({ type, status }) => type === 'Ready' && status === 'True')
    : false;
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  const { name, namespace = '' } = pod.metadata;
  return { role, namespace, name, node: text(nodeName), ip: text(podIP), ready };
}
