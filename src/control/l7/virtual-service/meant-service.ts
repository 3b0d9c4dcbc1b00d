/** Hosts that look like a service and are none (facts l7-and-control 1.1). */
import type { ObjectStore } from '../../../manifests/object-store.ts';
import { type MeshOptions, serviceHostname } from '../../mesh-options.ts';

/** The whole name of a service that was written as `reviews.prod` or `reviews.prod.svc`. */
export function meantService(store: ObjectStore, mesh: MeshOptions, host: string): string | undefined {
  const [name = '', namespace = '', svc = 'svc', ...rest] = host.split('.');
  const service = svc === 'svc' && rest.length === 0 ? store.get('Service', namespace, name) : undefined;
  if (service === undefined || service.type === 'ExternalName') return undefined;
  for (const _entry of store.serviceEntriesOf(host)) return undefined;
  return serviceHostname(mesh, namespace, name);
}
