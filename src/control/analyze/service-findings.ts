/** Ports whose protocol has to be found out from the bytes. */

import type { ObjectStore } from '../../manifests/object-store.ts';
import { keyOf } from '../../model/manifest/manifest-object.ts';
import { GATEWAY_NAME_LABEL } from '../../model/waypoint-objects.ts';
import { AppProtocol } from '../../proto/gen/workload.ts';
import { appProtocolOf } from '../app-protocol.ts';
import type { Finding } from './finding.ts';

/** Kubernetes itself is not of the mesh. */
const NOT_OURS: ReadonlySet<string> = new Set(['kube-system', 'kube-public', 'kube-node-lease']);

export function serviceFindings(store: ObjectStore): Finding[] {
  return [...store.all('Service')].flatMap((service) => {
    const { namespace, name, labels } = service.meta;
    // Its ports are what waypoints have.
    if (labels.has(GATEWAY_NAME_LABEL)) return [];
    if (NOT_OURS.has(namespace) || (namespace === 'default' && name === 'kubernetes')) return [];
    return service.ports
      .filter((port) => port.protocol === 'TCP')
      .filter((port) => appProtocolOf(port.port, port.name, port.appProtocol) === AppProtocol.UNKNOWN)
      .map((port) => ({
        code: 'IST0118',
        level: 'Info' as const,
        key: keyOf(service),
        message:
          `port ${port.port} (name "${port.name}") says no protocol, so it is found out from the bytes; ` +
          'name it http-…, grpc-…, tcp-…, or set appProtocol',
      }));
  });
}
