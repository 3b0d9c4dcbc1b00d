/** Follows the control plane's feed of addresses, as a proxy does. */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { type AddressResource, decodeAddress } from '../model/feed-decode.ts';
import { DeltaClient, type ReceivedResource, type RefusedResource } from '../xds/client/delta-client.ts';
import type { ControlPlaneEndpoint } from '../xds/client/grpc-channel.ts';
import type { ServiceView } from './service-view.ts';

const ADDRESS_TYPE = 'type.googleapis.com/istio.workload.Address';

/** Keeps the view up to date until `stop`; `onChange` is called after each push. */
export function followServices(
  endpoint: ControlPlaneEndpoint,
  view: ServiceView,
  deps: { readonly clock: Clock; readonly logger: Logger; readonly onChange: () => void },
): { stop(): void } {
  const apply = (resources: readonly ReceivedResource[], removed: readonly string[]): readonly RefusedResource[] => {
    const decoded: AddressResource[] = [];
    const refused: RefusedResource[] = [];
    for (const { name, bytes } of resources) {
      const result = decodeAddress(bytes);
      if (result.ok) decoded.push(result.value);
      else refused.push({ name, reason: result.error });
    }
    view.apply(decoded, removed);
    deps.onChange();
    return refused;
  };
  const client = new DeltaClient(
    {
      endpoint,
      node: {
        id: `ztunnel~127.0.0.1~ambit-up.istio-system~istio-system.svc.cluster.local~${randomUUID()}`,
        cluster: '',
        metadata: {},
        buildVersion: '',
      },
      handlers: [{ typeUrl: ADDRESS_TYPE, onDemand: false, apply }],
    },
    {
      clock: deps.clock,
      logger: deps.logger,
      onMessage: () => undefined,
      onTerminated: (reason) => deps.logger.debug('feed ended, connecting again', { reason }),
      onConnected: () => undefined,
      onReady: () => undefined,
    },
  );
  void client.run();
  return { stop: () => client.stop() };
}
