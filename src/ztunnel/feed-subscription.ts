/** The subscription to the control plane: everything at once, or addresses one by one (`XDS_ON_DEMAND`). */
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { ADDRESS_TYPE, type FeedOptions, feedHandlers } from '../mesh/feed.ts';
import type { StateChange } from '../mesh/mesh-state.ts';
import type { Node } from '../proto/gen/discovery.ts';
import type { XdsMetrics } from '../telemetry/xds-metrics.ts';
import { DeltaClient } from '../xds/client/delta-client.ts';
import type { ControlPlaneEndpoint } from '../xds/client/grpc-channel.ts';
import type { ZtunnelConfig } from './config.ts';
import { OnDemandAddresses } from './on-demand-addresses.ts';
import type { ControlMessage } from './thread-messages.ts';

type AddressMessage = Extract<
  ControlMessage,
  { type: 'addresses-answered' | 'addresses-overdue' | 'addresses-forgotten' }
>;

export interface FeedSubscriptionDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: XdsMetrics;
  apply(changes: readonly StateChange[]): void;
  /** The control plane took us, for the first time or again. */
  connected(): void;
  /** Tells all data threads. */
  broadcast(message: AddressMessage): void;
}

export class FeedSubscription {
  readonly #deps: FeedSubscriptionDeps;
  readonly #client: DeltaClient;
  readonly #onDemand: OnDemandAddresses | undefined;
  /** Resolves once the control plane gave its first state. */
  readonly synced: Promise<void>;

  /** Connects at once, and again whenever the connection is lost, until `stop`. */
  constructor(config: ZtunnelConfig, deps: FeedSubscriptionDeps) {
    this.#deps = deps;
    const { clock, logger, metrics } = deps;
    const handlers = feedHandlers(this.#options(config), (changes) => deps.apply(changes));
    const waiting = new Set(handlers.filter(({ onDemand }) => !onDemand).map(({ typeUrl }) => typeUrl));
    const { promise, resolve } = Promise.withResolvers<void>();
    this.synced = promise;
    this.#client = new DeltaClient(
      { endpoint: feedEndpoint(config), node: feedNode(config), handlers },
      {
        clock,
        logger: logger.scope('xds'),
        onMessage: (typeUrl, bytes) => metrics.message(typeUrl, bytes),
        onTerminated: (reason) => metrics.terminated(reason),
        onConnected: () => deps.connected(),
        onReady: (typeUrl) => {
          waiting.delete(typeUrl);
          if (waiting.size === 0) resolve();
        },
      },
    );
    this.#onDemand = config.xdsOnDemand ? this.#askOneByOne() : undefined;
    void this.#client.run();
  }

  /** A data thread needs what has this key. */
  want(key: string): void {
    this.#onDemand?.want(key);
  }

  stop(): void {
    this.#onDemand?.stop();
    this.#client.stop();
  }

  #options({ xdsOnDemand }: ZtunnelConfig): FeedOptions {
    return {
      onAddresses: xdsOnDemand ? (resources, removed) => this.#onDemand?.pushed(resources, removed) : undefined,
    };
  }

  #askOneByOne(): OnDemandAddresses {
    const { clock, broadcast } = this.#deps;
    return new OnDemandAddresses({
      clock,
      subscribe: (key) => this.#client.subscribe(ADDRESS_TYPE, key),
      unsubscribe: (keys) => this.#client.unsubscribe(ADDRESS_TYPE, keys),
      answer: (keys) => broadcast({ type: 'addresses-answered', keys }),
      overdue: (keys) => broadcast({ type: 'addresses-overdue', keys }),
      forget: (keys) => broadcast({ type: 'addresses-forgotten', keys }),
    });
  }
}

function feedEndpoint(config: ZtunnelConfig): ControlPlaneEndpoint {
  const { xdsAddress, xdsRootCa, altXdsHostname, authToken, clusterId, xdsHeaders } = config;
  return {
    address: xdsAddress,
    rootCa: xdsRootCa,
    altHostname: altXdsHostname,
    authToken,
    clusterId,
    headers: xdsHeaders,
  };
}

/** How we introduce ourselves to the control plane (facts ztunnel-wire 5.2). */
function feedNode(config: ZtunnelConfig): Node {
  const { instanceIp, podName, podNamespace, nodeName, proxyMetadata } = config;
  return {
    id: `ztunnel~${instanceIp}~${podName}.${podNamespace}~${podNamespace}.svc.cluster.local`,
    cluster: '',
    buildVersion: '',
    metadata: {
      ...Object.fromEntries(proxyMetadata),
      NAME: podName,
      NAMESPACE: podNamespace,
      INSTANCE_IPS: instanceIp,
      NODE_NAME: nodeName,
    },
  };
}
