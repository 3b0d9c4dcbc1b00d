/** What the pages ask for, by path. */
import type { ApiHandler, ApiSources } from './api-handler.ts';
import { configApi } from './config-api.ts';
import { inventoryApi } from './inventory-api.ts';
import { meshApi } from './mesh-api.ts';
import { policiesApi } from './policies-api.ts';
import { seriesApi } from './series-api.ts';
import { serviceApi } from './service-api.ts';
import { workloadApi } from './workload-api.ts';

export function apiRoutes(sources: ApiSources): ReadonlyMap<string, ApiHandler> {
  return new Map([
    ['/api/mesh', meshApi(sources)],
    ['/api/inventory', inventoryApi(sources)],
    ['/api/workload', workloadApi(sources)],
    ['/api/service', serviceApi(sources)],
    ['/api/series', seriesApi(sources)],
    ['/api/config', configApi(sources)],
    ['/api/policies', policiesApi(sources)],
  ]);
}
