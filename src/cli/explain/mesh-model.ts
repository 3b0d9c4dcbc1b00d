/** The mesh as its proxies see it: what they are fed, in the very objects that they ask. */
import type { Clock } from '../../base/clock.ts';
import { feedHandlers } from '../../mesh/feed.ts';
import { MeshState } from '../../mesh/mesh-state.ts';
import { Clusters } from '../../waypoint/clusters.ts';
import { WaypointPolicies } from '../../waypoint/policies.ts';
import { Routes } from '../../waypoint/routes.ts';
import type { ResourceHandler } from '../../xds/client/delta-client.ts';
import type { FeedResources } from './feed-resources.ts';

/** What a waypoint in one namespace has. */
export interface WaypointModel {
  readonly policies: WaypointPolicies;
  readonly routes: Routes;
  readonly clusters: Clusters;
}

export interface MeshModel {
  readonly state: MeshState;
  waypointIn(namespace: string): WaypointModel;
}

/** @param random uniform numbers in [0, 1), for choices that proxies make by chance */
export function meshModel(resources: FeedResources, clock: Clock, random: () => number): MeshModel {
  const state = new MeshState();
  fill(
    feedHandlers({}, (changes) => state.apply(changes)),
    resources,
  );
  return {
    state,
    waypointIn: (namespace) => {
      const policies = new WaypointPolicies(() => undefined);
      const routes = new Routes();
      const clusters = new Clusters({ state, clock, random, namespace });
      fill([policies.handler(), routes.handler(), ...clusters.handlers()], resources);
      return { policies, routes, clusters };
    },
  };
}

function fill(handlers: readonly ResourceHandler[], resources: FeedResources): void {
  for (const handler of handlers) handler.apply(resources.get(handler.typeUrl) ?? [], []);
}
