/** Plain HTTP of the control plane: `/ready`, and what it has under `/debug` (facts l7-and-control 9.1, 9.2). */
import type { HttpAnswer, HttpRequest, HttpRoutes } from '../net/http-endpoint.ts';
import type { StreamRegistry } from '../xds/server/stream-registry.ts';

export interface DebugRoutesDeps {
  readonly isReady: () => boolean;
  readonly ambientz: () => unknown;
  /** The same as it goes over the wire, with what waypoints get. */
  readonly resources: () => unknown;
  readonly status: () => unknown;
  /** The objects that configure the mesh, with what is wrong with them. */
  readonly objects: () => unknown;
  readonly version: string;
  /** Whether proxies have what they should. */
  readonly registry: StreamRegistry;
}

export function debugRoutes({
  isReady,
  ambientz,
  resources,
  status,
  objects,
  version,
  registry,
}: DebugRoutesDeps): HttpRoutes {
  return {
    'GET /ready': () => (isReady() ? { status: 200, body: 'ready\n' } : { status: 503, body: 'not ready\n' }),
    'GET /version': () => ({ status: 200, body: `${version}\n` }),
    'GET /debug/ambientz': (request) => localOnly(request, ambientz),
    'GET /debug/resourcesz': (request) => localOnly(request, resources),
    'GET /debug/syncz': (request) => localOnly(request, () => registry.reports()),
    'GET /debug/objectsz': (request) => localOnly(request, objects),
    'GET /debug/statusz': (request) => localOnly(request, status),
  };
}

/** What is in the feed is nobody's business who has no part in the control plane (facts l7-and-control 9.1). */
function localOnly({ remoteAddress }: HttpRequest, value: () => unknown): HttpAnswer {
  const address = remoteAddress.replace(/^::ffff:/, '');
  if (address !== '::1' && !address.startsWith('127.')) {
    return { status: 403, body: 'only from within the pod: use kubectl port-forward\n' };
  }
  return { status: 200, contentType: 'application/json', body: `${JSON.stringify(value(), null, 2)}\n` };
}
