/** The discovery service with an end: streams are ended one after the other, so that clients go to another replica. */
import { type Clock, sleep } from '../base/clock.ts';
import type { DiscoveryCall, DiscoveryService } from '../xds/server/delta-service.ts';

export interface DrainingDiscovery {
  readonly service: DiscoveryService;
  /** Ends every stream in order, spread over `spreadMs`. */
  drain(spreadMs: number): Promise<void>;
}

/** Notes the streams of a discovery service. */
export function drainingDiscovery(service: DiscoveryService, clock: Clock): DrainingDiscovery {
  const calls = new Set<DiscoveryCall>();
  return {
    service: {
      ...service,
      deltaAggregatedResources: (call: DiscoveryCall) => {
        calls.add(call);
        const gone = () => calls.delete(call);
        call.on('cancelled', gone);
        call.on('error', gone);
        call.on('end', gone);
        service.deltaAggregatedResources(call);
      },
    },
    drain: async (spreadMs) => {
      const open = [...calls];
      for (const call of open) {
        call.end();
        await sleep(clock, spreadMs / open.length);
      }
    },
  };
}
