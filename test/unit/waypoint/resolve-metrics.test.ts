import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../../../src/base/logger.ts';
import type { ExpressionContext } from '../../../src/expression/attributes.ts';
import type { MetricOverride, TelemetryRules } from '../../../src/proto/gen/ambit.ts';
import { resolveMetrics } from '../../../src/waypoint/resolve-metrics.ts';

const CONTEXT: ExpressionContext = {
  attribute: (name) => (name === 'xds.route_name' ? 'canary' : undefined),
  header: (_, name) => (name === 'x-long' ? 'x'.repeat(1000) : undefined),
};
const override = (fields: Partial<MetricOverride>): MetricOverride => ({ metric: 'ALL_METRICS', tags: [], ...fields });

function views(...levels: (readonly MetricOverride[])[]) {
  const rules = levels.map(
    (metrics): TelemetryRules => ({
      namespace: 'n',
      name: 'r',
      targets: [],
      createdMs: 0,
      tracing: undefined,
      metrics: [...metrics],
      accessLogging: [],
    }),
  );
  return resolveMetrics(rules, silentLogger)?.views(() => CONTEXT);
}

describe('the metrics of a request', () => {
  it('are all, as they are, where nothing is said', () => {
    assert.equal(views(), undefined);
    assert.equal(views([]), undefined);
  });

  it('are without those that are disabled, unless a lower object wants them', () => {
    const [view] = views([override({ metric: 'REQUEST_SIZE', disabled: true })]) ?? [];
    assert.equal(view?.metrics.has('REQUEST_SIZE'), false);
    assert.equal(view?.metrics.size, 5);
    const [again] =
      views([override({ disabled: true })], [override({ metric: 'REQUEST_COUNT', disabled: false })]) ?? [];
    assert.deepEqual([...(again?.metrics ?? [])], ['REQUEST_COUNT']);
    assert.deepEqual(views([override({ disabled: true })]), []);
  });

  it('have labels of the request, cut to their length', () => {
    const tags = [
      { name: 'route_name', value: 'xds.route_name' },
      { name: 'long', value: "request.headers['x-long']" },
      { name: 'absent', value: "request.headers['x-no']" },
      { name: 'source_app', value: '' },
    ];
    const [view, ...others] = views([override({ tags })]) ?? [];
    assert.deepEqual(others, []);
    assert.deepEqual([...(view?.removed ?? [])], ['source_app']);
    assert.deepEqual(view?.added, [
      ['route_name', 'canary'],
      ['long', 'x'.repeat(256)],
      ['absent', 'unknown'],
    ]);
  });

  it('have different labels where an object says so of one of them', () => {
    const tags = [{ name: 'route_name', value: 'xds.route_name' }];
    const found = views([override({ metric: 'REQUEST_COUNT', tags })]) ?? [];
    assert.deepEqual(
      found.map(({ metrics, added }) => [metrics.size, added.length]),
      [
        [1, 1],
        [5, 0],
      ],
    );
  });

  it('are without labels that are not understood or cannot be names', () => {
    const tags = [
      { name: 'le', value: 'response.code' },
      { name: 'a-b', value: 'response.code' },
      { name: 'when', value: 'request.time' },
    ];
    assert.deepEqual(
      views([override({ tags })])?.map(({ added }) => added),
      [[]],
    );
  });
});
