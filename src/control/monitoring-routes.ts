/** `/metrics` and `/version` of the control plane, port 15014 (facts l7-and-control 9.1). */
import type { HttpRoutes } from '../net/http-endpoint.ts';
import {
  type MetricFamily,
  OPEN_METRICS_CONTENT_TYPE,
  renderMetrics,
  TEXT_CONTENT_TYPE,
} from '../telemetry/exposition.ts';

/** Routes that render what `families` gives at the time of each scrape. */
export function monitoringRoutes(families: () => readonly MetricFamily[], version: string): HttpRoutes {
  return {
    'GET /metrics': ({ headers }) => {
      const open = headers.accept?.includes('application/openmetrics-text') === true;
      return {
        status: 200,
        body: renderMetrics(families(), open ? 'openmetrics' : 'text'),
        contentType: open ? OPEN_METRICS_CONTENT_TYPE : TEXT_CONTENT_TYPE,
      };
    },
    'GET /version': () => ({ status: 200, body: `${version}\n` }),
  };
}
