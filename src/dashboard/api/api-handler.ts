/** A question of the pages: what is answered depends on who asks. */
import type { Clock } from '../../base/clock.ts';
import type { MeshFeed } from '../mesh-feed.ts';
import type { MeshPrograms } from '../mesh-programs.ts';
import type { MeshReader } from '../mesh-reader.ts';

import type { Permissions } from '../permissions.ts';
import type { LongHistory } from '../prometheus-history.ts';
import type { TrafficCollector } from '../traffic-collector.ts';
import type { Viewer } from '../viewer.ts';

/** @throws Error with what to tell the viewer */
export type ApiHandler = (viewer: Viewer, query: URLSearchParams) => object | Promise<object>;

/** What all handlers read from. */
export interface ApiSources {
  /** For people: which mesh it is. */
  readonly where: string;
  readonly version: string;
  readonly clock: Clock;
  readonly collector: TrafficCollector;
  /** What the programs of the mesh tell this viewer. */
  readonly reader: (viewer: Viewer) => MeshReader;
  readonly programs: (viewer: Viewer) => MeshPrograms;
  /** Decides as proxies do who may call whom. */
  readonly judge: (feed: MeshFeed, namespaces: ReadonlySet<string>) => Promise<Permissions>;
  /** Of more than an hour; undefined where none is configured. */
  readonly longHistory: LongHistory | undefined;
}

/** Something that a viewer may not see, or that is not there: nobody is told which. */
export class NotShown extends Error {
  constructor(what: string) {
    super(`there is no ${what}, or you may not see it`);
  }
}

/** @returns `namespace/name` of the query. @throws NotShown */
export function askedFor(
  viewer: Viewer,
  query: URLSearchParams,
  name: string,
): { readonly id: string; readonly namespace: string } {
  const id = query.get(name) ?? '';
  const namespace = id.slice(0, Math.max(0, id.indexOf('/')));
  if (namespace === '' || !viewer.mayRead(namespace)) throw new NotShown(`${name} ${id}`);
  return { id, namespace };
}
