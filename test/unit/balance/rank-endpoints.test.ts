import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Candidate, type Place, pickEndpoint, rankEndpoints } from '../../../src/balance/rank-endpoints.ts';
import type { LoadBalancing, LoadBalancingScope } from '../../../src/model/service.ts';

interface Named extends Candidate {
  readonly name: string;
}

const few = fc.constantFrom('', '1', '2');
const place: fc.Arbitrary<Place> = fc.record({
  network: few,
  clusterId: few,
  node: few,
  locality: fc.record({ region: few, zone: few, subzone: few }),
});
const candidates: fc.Arbitrary<Named[]> = fc
  .array(fc.record({ place, weight: fc.constantFrom(0, 1, 1, 5) }), { maxLength: 8 })
  .map((list) => list.map((one, index) => ({ ...one, name: String(index) })));
const scopes = fc.uniqueArray(
  fc.constantFrom<LoadBalancingScope>('Region', 'Zone', 'Subzone', 'Node', 'Cluster', 'Network'),
  { maxLength: 4 },
);
const balancing: fc.Arbitrary<LoadBalancing | undefined> = fc.option(
  fc.record({
    routingPreferences: scopes,
    mode: fc.constantFrom('Standard' as const, 'Strict' as const, 'Failover' as const, 'Passthrough' as const),
    healthPolicy: fc.constant('OnlyHealthy' as const),
  }),
  { nil: undefined },
);

function placeValue(scope: LoadBalancingScope, at: Place): string {
  const values = {
    Region: at.locality.region,
    Zone: at.locality.zone,
    Subzone: at.locality.subzone,
    Node: at.node,
    Cluster: at.clusterId,
    Network: at.network,
  };
  return values[scope];
}

/** Facts 6.5, literally: sort by (network first, then leading matches) and take the best. */
function oracle(all: readonly Named[], source: Place, options: LoadBalancing | undefined): string[] {
  const eligible = all.filter(({ weight }) => weight > 0);
  const preferences = options?.routingPreferences ?? [];
  const same = (scope: LoadBalancingScope, one: Named) => placeValue(scope, source) === placeValue(scope, one.place);
  const leading = (list: readonly LoadBalancingScope[], one: Named) => {
    let count = 0;
    for (const scope of list) {
      if (!same(scope, one)) break;
      count++;
    }
    return count;
  };
  const names = (list: readonly Named[]) => list.map(({ name }) => name);
  if (options === undefined || options.mode === 'Standard') return names(eligible);
  if (options.mode === 'Passthrough') return [];
  if (options.mode === 'Strict') return names(eligible.filter((one) => preferences.every((scope) => same(scope, one))));
  const networkFirst = preferences[0] === 'Network';
  const near = networkFirst ? eligible.filter((one) => same('Network', one)) : eligible;
  const pool = near.length > 0 ? near : eligible;
  const rest = networkFirst ? preferences.slice(1) : preferences;
  const best = Math.max(...pool.map((one) => leading(rest, one)));
  return names(pool.filter((one) => leading(rest, one) === best));
}

describe('the endpoints of the best rank', () => {
  it('are those that a literal reading of the preferences gives', () => {
    fc.assert(
      fc.property(candidates, place, balancing, (all, source, options) => {
        const group = rankEndpoints(all, source, options);
        assert.deepEqual(
          group.candidates.map(({ name }) => name),
          oracle(all, source, options),
        );
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a pick', () => {
  it('is always a member with weight, and none when there is none', () => {
    fc.assert(
      fc.property(
        candidates,
        place,
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (all, source, point) => {
          const picked = pickEndpoint(rankEndpoints(all, source, undefined), () => point);
          if (all.every(({ weight }) => weight === 0)) assert.equal(picked, undefined);
          else assert.ok(picked !== undefined && picked.weight > 0);
        },
      ),
    );
  });

  it('falls on each endpoint as often as its weight says', () => {
    const at: Place = { network: '', clusterId: '', node: '', locality: { region: '', zone: '', subzone: '' } };
    const weights = [1, 0, 3, 6];
    const group = rankEndpoints(
      weights.map((weight, index) => ({ place: at, weight, name: String(index) })),
      at,
      undefined,
    );
    const counts = new Map<string, number>();
    for (let step = 0; step < 1000; step++) {
      const { name = '' } = pickEndpoint(group, () => step / 1000) ?? {};
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    assert.deepEqual(
      [...counts],
      [
        ['0', 100],
        ['2', 300],
        ['3', 600],
      ],
    );
  });
});
