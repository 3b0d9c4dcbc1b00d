/** A question of the pages: what is answered depends on who asks. */
import type { TrafficCollector } from '../traffic-collector.ts';
import type { Viewer } from '../viewer.ts';

/** @throws Error with what to tell the viewer */
export type ApiHandler = (viewer: Viewer, query: URLSearchParams) => object | Promise<object>;

/** What all handlers read from. */
export interface ApiSources {
  /** For people: which mesh it is. */
  readonly where: string;
  readonly version: string;
  readonly collector: TrafficCollector;
}
