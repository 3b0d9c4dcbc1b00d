/** Telemetry of a waypoint that nobody reads, and a client of whom it knows nothing. */
import type { SpiffeId } from '../../src/model/spiffe.ts';
import type { ClientLabels } from '../../src/waypoint/request-telemetry.ts';

export const silentTelemetry = { count: () => undefined };

export const unknownClient: ClientLabels = {
  key: '',
  peer: {
    workload: '',
    namespace: '',
    canonicalService: '',
    canonicalRevision: '',
    cluster: '',
    region: '',
    zone: '',
  },
  principal: '' as SpiffeId,
};
