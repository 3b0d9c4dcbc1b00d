/** Delta xDS over gRPC: binds `DeltaStream` to a grpc-js stream (AggregatedDiscoveryService). */
import { Metadata, type ServerDuplexStream, status, type UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { AggregatedDiscoveryServiceService, type DeltaDiscoveryRequest } from '../../proto/gen/discovery.ts';
import { decodeRequest } from './decode-request.ts';
import { type DeltaServerStats, DeltaStream, type DeltaStreamDeps, type DeltaStreamOptions } from './delta-server.ts';
import { LargeResponses } from './large-responses.ts';
import { PushLoad } from './push-pacing.ts';
import type { ResourceStore } from './resource-store.ts';
import type { StreamRegistry } from './stream-registry.ts';
import { Turnstile } from './turnstile.ts';

export interface DeltaServiceDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly stats: DeltaServerStats;
  readonly stores: readonly ResourceStore[];
  /** Where open streams are noted. */
  readonly registry: StreamRegistry;
  /** What only this caller sees; `close` is called when its stream is over. */
  readonly openOwn?: (caller: string) => { readonly store: ResourceStore; close(): void };
  /** Who calls, by the value of the authorization header; undefined refuses the stream. */
  readonly authenticate: (authorization: string) => Promise<string | undefined>;
}

/** A stream of discovery whose responses are encoded already. */
export type DiscoveryCall = ServerDuplexStream<DeltaDiscoveryRequest, Buffer>;

/** The handlers of `DISCOVERY_SERVICE`. */
export interface DiscoveryService extends UntypedServiceImplementation {
  readonly deltaAggregatedResources: (call: DiscoveryCall) => void;
}

/** As `AggregatedDiscoveryService` is on the wire; resources are encoded once for all streams, so responses come encoded. */
export const DISCOVERY_SERVICE = {
  deltaAggregatedResources: {
    ...AggregatedDiscoveryServiceService.deltaAggregatedResources,
    requestDeserialize: decodeRequest,
    responseSerialize: (encoded: Buffer): Buffer => encoded,
    responseDeserialize: (encoded: Buffer): Buffer => encoded,
  },
};

/** Of streams whose first request is read. One that sends none in time waits no less for its answer. */
const FIRST_REQUESTS = { places: 8, patienceMs: 500 };

/** The gRPC handlers. Requests that arrive before the caller is known wait in the stream. */
export function createDeltaService(deps: DeltaServiceDeps, options: DeltaStreamOptions = {}): DiscoveryService {
  const shared = {
    ...deps,
    byType: new Map(deps.stores.map((store) => [store.typeUrl, store])),
    load: new PushLoad(() => performance.eventLoopUtilization().active),
    large: new LargeResponses(deps.clock),
  };
  const turnstile = new Turnstile(FIRST_REQUESTS, deps.clock);
  return {
    deltaAggregatedResources: (call: DiscoveryCall) => {
      call.on('error', (error) => deps.logger.debug('stream ended', { reason: errorText(error) }));
      admit(call, deps).then(
        (caller) => {
          if (caller === undefined) return;
          turnstile.enter((leave) => {
            if (call.cancelled) return leave();
            // Nothing of a stream is read before somebody listens.
            for (const event of ['data', 'cancelled', 'error', 'end']) call.once(event, leave);
            serve(call, caller, shared, options);
          });
        },
        (error: unknown) => {
          deps.logger.error('authentication is not possible', { reason: errorText(error) });
          call.emit('error', { code: status.UNAVAILABLE, details: 'authentication is not possible now' });
        },
      );
    },
  };
}

async function admit(call: DiscoveryCall, deps: DeltaServiceDeps): Promise<string | undefined> {
  const [authorization = ''] = call.metadata.get('authorization');
  const caller = await deps.authenticate(String(authorization));
  if (caller === undefined) {
    deps.logger.warn('xDS stream refused: no valid token', { peer: call.getPeer() });
    call.emit('error', { code: status.UNAUTHENTICATED, details: 'authentication failure' });
  }
  return caller;
}

function serve(
  call: DiscoveryCall,
  caller: string,
  deps: DeltaServiceDeps & Pick<DeltaStreamDeps, 'load' | 'large'> & { readonly byType: DeltaStreamDeps['stores'] },
  options: DeltaStreamOptions,
): void {
  const { clock, logger, stats } = deps;
  const own = deps.openOwn?.(caller);
  const stores = own === undefined ? deps.byType : new Map([...deps.byType, [own.store.typeUrl, own.store]]);
  const close = () => {
    forget();
    stream.close();
    own?.close();
  };
  const stream = new DeltaStream(options, {
    clock,
    logger,
    stats,
    load: deps.load,
    large: deps.large,
    stores,
    send: (response, left) => call.write(response, left),
    fail: (reason) => {
      logger.warn('xDS stream ended', { caller, reason });
      close();
      call.emit('error', { code: status.RESOURCE_EXHAUSTED, details: reason });
    },
  });
  let node = '';
  const opened = { caller, peer: call.getPeer(), connectedMs: clock.nowMs() };
  const forget = deps.registry.add(() => ({ ...opened, node, types: stream.report() }));
  // A client with everything up to date hears nothing more for long: it learns at once that it was admitted.
  call.sendMetadata(new Metadata());
  call.on('data', (request: DeltaDiscoveryRequest) => {
    if (node === '' && request.node !== undefined) {
      node = request.node.id;
      logger.info('xDS client connected', { caller, node, peer: call.getPeer() });
    }
    stream.onRequest(request);
  });
  call.on('drain', () => stream.drained());
  call.on('cancelled', close);
  call.on('error', close);
  call.on('end', () => {
    close();
    call.end();
  });
}
