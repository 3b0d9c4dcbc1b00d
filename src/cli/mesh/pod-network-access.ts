/**
 * The mesh of a cluster, seen from a pod in it: pods are listed with the pod's own account, and their ports called by their
 * addresses. So only those ports answer that are not on a loopback: metrics.
 */
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../base/clock.ts';
import { AmbitError } from '../../base/errors.ts';
import type { MeshAgent } from '../../model/mesh-agent.ts';
import { type MeshProxy, proxyName } from '../../model/mesh-proxy.ts';
import type { ClusterMeshAccess } from './cluster-mesh-access.ts';
import type { LoggedProgram, MeshAccess } from './mesh-access.ts';

const TIMEOUT_MS = 5000;
/** Lists of all pods are not small: pods come and go more slowly than traffic is read. */
const LISTED_MS = 10_000;

export class PodNetworkAccess implements MeshAccess {
  readonly where = 'this cluster';
  readonly controlPort: number;
  readonly #cluster: ClusterMeshAccess;
  readonly #clock: Clock;
  #listed: { readonly proxies: Promise<readonly MeshProxy[]>; readonly endMs: number } | undefined;

  /** @param cluster with the account of the pod */
  constructor(cluster: ClusterMeshAccess, clock: Clock) {
    this.controlPort = cluster.controlPort;
    this.#cluster = cluster;
    this.#clock = clock;
  }

  proxies(): Promise<readonly MeshProxy[]> {
    const now = this.#clock.monotonicMs();
    if (this.#listed !== undefined && now < this.#listed.endMs) return this.#listed.proxies;
    const proxies = this.#cluster.proxies();
    this.#listed = { proxies, endMs: now + LISTED_MS };
    proxies.catch(() => {
      // Whoever waits for it hears why; the next one asks again.
      this.#listed = undefined;
    });
    return proxies;
  }

  open(proxy: MeshProxy, port: number): Promise<Duplex> {
    const failed = (why: string, cause?: unknown) =>
      new AmbitError('PROXY_UNREACHABLE', `${proxyName(proxy)}: ${proxy.ip || 'no address'} port ${port}: ${why}`, {
        cause,
      });
    return new Promise((resolve, reject) => {
      if (proxy.ip === '') return reject(failed('its pod has no address yet'));
      const socket = connect({ host: proxy.ip, port, timeout: TIMEOUT_MS });
      socket.once('connect', () => {
        socket.setTimeout(0);
        resolve(socket);
      });
      socket.once('timeout', () =>
        socket.destroy(failed(`no answer in ${TIMEOUT_MS} ms; does a NetworkPolicy block it?`)),
      );
      socket.once('error', (cause) => reject(cause instanceof AmbitError ? cause : failed(cause.message, cause)));
    });
  }

  agents(): Promise<readonly MeshAgent[]> {
    return this.#cluster.agents();
  }

  logOf(program: LoggedProgram): Promise<string> {
    return this.#cluster.logOf(program);
  }

  close(): void {
    this.#cluster.close();
  }
}
