/** What the pages ask for, by path. */
import type { ApiHandler, ApiSources } from './api-handler.ts';
import { historyApi } from './history-api.ts';
import { meshApi } from './mesh-api.ts';

export function apiRoutes(sources: ApiSources): ReadonlyMap<string, ApiHandler> {
  return new Map([
    ['/api/mesh', meshApi(sources)],
    ['/api/history', historyApi(sources)],
  ]);
}
