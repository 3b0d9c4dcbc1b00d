import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../../../src/base/logger.ts';
import { MESH_TELEMETRY_TYPE, TELEMETRY_RULES_TYPE } from '../../../src/model/waypoint-feed.ts';
import { MeshTelemetry, TelemetryRules, type TracingRule } from '../../../src/proto/gen/ambit.ts';
import type { LogReporters } from '../../../src/waypoint/reporting/log-reporters.ts';
import type { SpanReporters } from '../../../src/waypoint/reporting/span-reporters.ts';
import { TelemetrySettings } from '../../../src/waypoint/telemetry-settings.ts';

const TARGETS = ['GatewayClass/istio-waypoint', 'Gateway/shop/gate', 'Service/shop/cart'];

function setUp() {
  const warnings: string[] = [];
  const settings = new TelemetrySettings({
    namespace: 'shop',
    logger: { ...silentLogger, warn: (text) => void warnings.push(text) },
    reporters: { of: () => () => undefined } as unknown as SpanReporters,
    lines: { of: () => () => undefined } as unknown as LogReporters,
    variables: new Map([['POD_NAME', 'gate-1']]),
  });
  const give = (typeUrl: string, name: string, bytes: Uint8Array, removed: readonly string[] = []) =>
    settings
      .handlers()
      .find((handler) => handler.typeUrl === typeUrl)
      ?.apply([{ name, version: '', aliases: [], bytes }], removed);
  const mesh = (fields: Partial<MeshTelemetry> = {}) => {
    const zipkin = { path: '/', alsoW3c: false, maxTagLength: 0, shortTraceIds: false };
    const whole = MeshTelemetry.encode({
      providers: [{ name: 'zipkin', collector: undefined, kind: { $case: 'zipkin', zipkin } }],
      defaultTracing: 'zipkin',
      defaultAccessLogging: [],
      tracingOff: false,
      samplingPercent: 1,
      maxTagLength: 256,
      accessLog: undefined,
      ...fields,
    });
    give(MESH_TELEMETRY_TYPE, 'mesh', whole.finish());
  };
  const rule = (name: string, target: string, tracing: Partial<TracingRule>, createdMs = 0) => {
    const own = { provider: '', hasCustomTags: false, customTags: [], ...tracing };
    const object = {
      namespace: 'shop',
      name,
      targets: [target],
      createdMs,
      tracing: own,
      metrics: [],
      accessLogging: [],
    };
    give(TELEMETRY_RULES_TYPE, `shop/${name}`, TelemetryRules.encode(object).finish());
  };
  return { settings, mesh, rule, give, warnings };
}

const share = (settings: TelemetrySettings) => settings.of(TARGETS).tracing?.samplingShare;

describe('the telemetry of requests', () => {
  it('is that of MeshConfig, then of the mesh, the namespace, the waypoint and the service', () => {
    const { settings, mesh, rule } = setUp();
    assert.equal(settings.of(TARGETS).tracing, undefined);
    mesh();
    assert.equal(share(settings), 0.01);
    rule('a', 'Mesh', { samplingPercent: 2 });
    assert.equal(share(settings), 0.02);
    rule('b', 'Namespace/shop', { samplingPercent: 3 });
    assert.equal(share(settings), 0.03);
    rule('c', 'Gateway/shop/gate', { samplingPercent: 4 });
    assert.equal(share(settings), 0.04);
    rule('d', 'Service/shop/cart', { samplingPercent: 0 });
    assert.equal(share(settings), 0);
    rule('e', 'Service/shop/other', { samplingPercent: 100 });
    rule('f', 'Namespace/elsewhere', { samplingPercent: 100 });
    assert.equal(share(settings), 0);
  });

  it('follows the older of two objects for the same', () => {
    const { settings, mesh, rule } = setUp();
    mesh();
    rule('a', 'Mesh', { samplingPercent: 10 }, 2000);
    rule('b', 'Mesh', { samplingPercent: 20 }, 1000);
    assert.equal(share(settings), 0.2);
  });

  it('fills in what a lower object does not say, and takes tags as a whole', () => {
    const { settings, mesh, rule } = setUp();
    mesh();
    const tag = (name: string, variable: string) => ({
      name,
      source: { $case: 'environment', environment: { name: variable, defaultValue: 'default' } } as const,
    });
    rule('a', 'Mesh', { istioTags: false, hasCustomTags: true, customTags: [tag('x', 'POD_NAME')] });
    rule('b', 'Gateway/shop/gate', { useRequestId: false });
    const { tracing } = settings.of(TARGETS);
    assert.deepEqual([tracing?.istioTags, tracing?.useRequestId], [false, false]);
    assert.deepEqual(tracing?.customTags, [{ name: 'x', kind: 'text', text: 'gate-1' }]);
    rule('c', 'Service/shop/cart', { hasCustomTags: true, customTags: [tag('y', 'AUTH_TOKEN')] });
    assert.deepEqual(settings.of(TARGETS).tracing?.customTags, [{ name: 'y', kind: 'text', text: 'default' }]);
  });

  it('traces nothing for a provider that is not known, and says so once for each change', () => {
    const { settings, mesh, rule, warnings } = setUp();
    mesh();
    rule('a', 'Mesh', { provider: 'nobody' });
    assert.equal(settings.of(TARGETS).tracing, undefined);
    assert.equal(settings.of([...TARGETS.slice(0, 2), 'Service/shop/other']).tracing, undefined);
    assert.equal(warnings.length, 1);
    mesh({ tracingOff: true });
    assert.equal(settings.of(TARGETS).tracing, undefined);
    assert.equal(warnings.length, 1);
  });

  it('keeps the last good object when another cannot be decoded', () => {
    const { settings, mesh, rule, give } = setUp();
    mesh();
    rule('a', 'Mesh', { samplingPercent: 50 });
    const refused = give(TELEMETRY_RULES_TYPE, 'shop/a', Buffer.from([0xff, 0xff]));
    assert.match(refused?.[0]?.reason ?? '', /cannot be decoded/);
    assert.equal(share(settings), 0.5);
  });
});
