/** Gateways on a cluster that may come without the Gateway API. */
import { apply, kubectl, kubectlJson, until } from './cluster.ts';

const GROUP = 'gateway.networking.k8s.io';
const CRD = `gateways.${GROUP}`;

/** As much of the Gateway API as this needs: clusters have it from its own release. */
const gatewayCrd = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: {
    name: CRD,
    annotations: { 'api-approved.kubernetes.io': 'unapproved, a stand-in for tests' },
  },
  spec: {
    group: GROUP,
    scope: 'Namespaced',
    names: { plural: 'gateways', singular: 'gateway', kind: 'Gateway', listKind: 'GatewayList' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        subresources: { status: {} },
      },
    ],
  },
};

/** The kind Gateway: made for a test where the cluster has none. */
export class GatewayCrd {
  #made = false;

  /** Makes it when it is missing, and waits for it. */
  async ensure(): Promise<void> {
    if ((await kubectl(['get', 'crd', CRD, '--ignore-not-found', '-o', 'name'])) === '') {
      await apply(gatewayCrd);
      this.#made = true;
    }
    await kubectl(['wait', '--for=condition=Established', `crd/${CRD}`, '--timeout=30s']);
  }

  /** Leaves the cluster as it was. */
  async restore(): Promise<void> {
    if (this.#made) await kubectl(['delete', 'crd', CRD]);
  }
}

/** A Gateway that asks for a waypoint. */
export function gatewayObject(namespace: string, name: string): object {
  return {
    apiVersion: `${GROUP}/v1`,
    kind: 'Gateway',
    metadata: { name, namespace },
    spec: { gatewayClassName: 'istio-waypoint', listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }] },
  };
}

interface GatewayStatus {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** Waits until a Gateway says that it works. */
export async function programmed(namespace: string, name: string): Promise<void> {
  await until('Programmed', async () => {
    const { status } = await kubectlJson<GatewayStatus>(['get', 'gateway', '-n', namespace, name]);
    return status?.conditions?.some(({ type, status: is }) => type === 'Programmed' && is === 'True') || undefined;
  });
}
