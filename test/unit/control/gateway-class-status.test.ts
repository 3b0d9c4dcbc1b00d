import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import { gatewayClassStatus, SUPPORTED_FEATURES } from '../../../src/control/gateway-class-status.ts';

const NOW = '2026-01-01T00:00:00Z';
const ROOT = new URL('../../../', import.meta.url);

interface Status {
  readonly conditions: readonly { readonly type: string; readonly status: string; readonly reason: string }[];
  readonly supportedFeatures: readonly { readonly name: string }[];
}

function conditionsFor(bundleVersion: string | undefined): string[] {
  const { conditions } = gatewayClassStatus(undefined, 1, bundleVersion, NOW) as Status;
  return conditions.map(({ type, status, reason }) => `${type} ${status} ${reason}`);
}

describe('the status of a GatewayClass', () => {
  it('is written once, and again when its generation or the version of the Gateway API changes', () => {
    const status = gatewayClassStatus(undefined, 1, 'v1.4.0', NOW);
    assert.equal(gatewayClassStatus(status, 1, 'v1.4.0', NOW), undefined);
    assert.ok(gatewayClassStatus(status, 2, 'v1.4.0', NOW));
    assert.ok(gatewayClassStatus(status, 1, 'v0.8.0', NOW));
    assert.ok(gatewayClassStatus({ ...status, supportedFeatures: [] }, 1, 'v1.4.0', NOW));
  });

  it('says which versions of the Gateway API are supported', () => {
    assert.deepEqual(conditionsFor('v1.4.0'), ['Accepted True Accepted', 'SupportedVersion True SupportedVersion']);
    for (const other of ['v0.8.0', undefined]) {
      assert.deepEqual(conditionsFor(other), ['Accepted True Accepted', 'SupportedVersion False UnsupportedVersion']);
    }
  });

  it('lists, sorted, the features that the conformance suite is run with and passed', () => {
    const script = readFileSync(new URL('scripts/conformance/run.sh', ROOT), 'utf8');
    const features = /FEATURES="([^"]+)"/.exec(script)?.[1]?.replaceAll('\\\n', '').split(',') ?? [];
    assert.deepEqual(SUPPORTED_FEATURES, features.sort());
    const report = parse(readFileSync(new URL('test/conformance/report.yaml', ROOT), 'utf8')) as {
      profiles: { extended?: { supportedFeatures: string[] } }[];
    };
    const passed = report.profiles.flatMap(({ extended }) => extended?.supportedFeatures ?? []);
    assert.deepEqual(
      passed.filter((feature) => !SUPPORTED_FEATURES.includes(feature)),
      [],
    );
  });
});
