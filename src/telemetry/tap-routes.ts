/** `GET /tap` of the admin endpoint: one JSON object a line for each request and connection that ends, until nobody reads. */
import type { Clock } from '../base/clock.ts';
import type { HttpRoutes } from '../net/http-endpoint.ts';
import { matchesFilter, type Tap, type TapFilter } from './tap.ts';

export const MAX_TAP_LISTENERS = 16;
export const DEFAULT_TAP_PER_SEC = 100;
export const MAX_TAP_PER_SEC = 1000;
const SKIPPED_MS = 1000;

export interface TapRoutesDeps {
  readonly clock: Clock;
  readonly tap: Tap;
  /** Told what listeners want, whenever one comes or goes. */
  onFilters(filters: readonly TapFilter[]): void;
}

/** The route. What was left out is said once a second, as `{"skipped": COUNT}`. */
export function tapRoutes({ clock, tap, onFilters }: TapRoutesDeps): HttpRoutes {
  const filters = new Set<TapFilter>();
  return {
    'GET /tap': ({ url }) => {
      const maxPerSec = Number(url.searchParams.get('max-rps') ?? DEFAULT_TAP_PER_SEC);
      if (!Number.isInteger(maxPerSec) || maxPerSec < 1 || maxPerSec > MAX_TAP_PER_SEC) {
        return { status: 400, body: `max-rps is from 1 to ${MAX_TAP_PER_SEC}\n` };
      }
      if (tap.listeners >= MAX_TAP_LISTENERS) {
        return { status: 429, body: `${MAX_TAP_LISTENERS} listen already: end one of them\n` };
      }
      const filter = filterOf(url);
      return {
        status: 200,
        contentType: 'application/x-ndjson',
        body: '',
        stream: (write) => {
          const { end, takeSkipped } = tap.listen({
            matches: (record) => matchesFilter(filter, record),
            maxPerSec,
            deliver: ({ timeMs, kind, fields }) => write(`${JSON.stringify({ timeMs, kind, ...fields })}\n`),
          });
          filters.add(filter);
          onFilters([...filters]);
          let skipped = 0;
          const tellSkipped = () => {
            const count = skipped + takeSkipped();
            // Who does not read hears of all of it later.
            skipped = count > 0 && !write(`${JSON.stringify({ skipped: count })}\n`) ? count : 0;
            timer = clock.after(SKIPPED_MS, tellSkipped);
          };
          let timer = clock.after(SKIPPED_MS, tellSkipped);
          return () => {
            timer.cancel();
            end();
            filters.delete(filter);
            onFilters([...filters]);
          };
        },
      };
    },
  };
}

function filterOf(url: URL): TapFilter {
  const value = (name: string) => url.searchParams.get(name) ?? undefined;
  return {
    namespace: value('namespace'),
    workload: value('workload'),
    method: value('method'),
    path: value('path'),
    status: value('status'),
  };
}
