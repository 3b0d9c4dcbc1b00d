import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { folderResources } from '../../../src/cli/explain/folder-resources.ts';
import { MeshFeed, workloadId } from '../../../src/dashboard/mesh-feed.ts';
import { policiesOfPods, withHits } from '../../../src/dashboard/policies-of-pods.ts';
import { routesOf } from '../../../src/dashboard/route-view.ts';
import type { Service } from '../../../src/model/service.ts';

const CANARY = fileURLToPath(new URL('../../../examples/canary', import.meta.url));

describe('what is configured, of the example of a canary', () => {
  let feed: MeshFeed;
  let reviews: Service;

  before(async () => {
    const { resources } = await folderResources(CANARY);
    feed = new MeshFeed(resources);
    const found = feed.serviceNamed('canary/reviews');
    assert.ok(found);
    reviews = found;
  });

  it('has the pods of a workload and the endpoints of a service', () => {
    assert.deepEqual(
      new Set(feed.endpointsOf(reviews).map(workloadId)),
      new Set(['canary/reviews-v1', 'canary/reviews-v2']),
    );
    assert.equal(feed.podsOf('canary/reviews-v1').length, 1);
    assert.deepEqual(feed.podsOf('canary/nobody'), []);
    assert.equal(feed.waypointName(reviews.waypoint), 'canary/waypoint');
  });

  it('tells routes in words, with shares, and the version that each backend leads to', () => {
    const routes = routesOf(feed, reviews);
    assert.deepEqual(
      routes.map(({ name, match }) => [name, match]),
      [
        ['testers', 'header x-user tester'],
        ['everybody', 'everything'],
      ],
    );
    assert.deepEqual(
      routes[1]?.backends.map(({ name, share, revisions, workloads }) => [name, share, revisions, workloads]),
      [
        ['reviews.canary v1', 0.9, ['v1'], ['canary/reviews-v1']],
        ['reviews.canary v2', 0.1, ['v2'], ['canary/reviews-v2']],
      ],
    );
    assert.deepEqual(routes[1]?.remarks, ['ends after 3000 ms', 'is tried again 2 times']);
  });

  it('knows the policies in force, who asks them, and how often they decided', () => {
    const policies = policiesOfPods(feed, feed.podsOf('canary/reviews-v1'), [reviews]);
    assert.deepEqual(policies, [
      { id: 'canary/readers', kind: 'AuthorizationPolicy', action: 'ALLOW', dryRun: false, where: 'waypoint' },
    ]);
    const [counted] = withHits(policies, new Map([['canary/readers', new Map([['allowed', 7]])]]));
    assert.deepEqual(counted?.hits, { allowed: 7 });
  });
});
