/** `/metrics` and `/version` of the control plane, port 15014 (facts l7-and-control 9.1). */
import type { HttpRoutes } from '../net/http-endpoint.ts';
import type { MetricFamily } from '../telemetry/exposition.ts';
import { metricsRoutes } from '../telemetry/metrics-routes.ts';

/** Routes that render what `families` gives at the time of each scrape. */
export function monitoringRoutes(families: () => readonly MetricFamily[], version: string): HttpRoutes {
  return { ...metricsRoutes(families), 'GET /version': () => ({ status: 200, body: `${version}\n` }) };
}
