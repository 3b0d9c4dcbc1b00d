import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../../../../src/base/logger.ts';
import { MeshState } from '../../../../src/mesh/mesh-state.ts';
import { parseIpAddress } from '../../../../src/model/address.ts';
import { type AuthorizationPolicy, createPolicyMatch } from '../../../../src/model/policy.ts';
import { createDefaultDenials } from '../../../../src/model/policy-tally.ts';
import { createWorkload } from '../../../../src/model/workload.ts';
import { policyFamily } from '../../../../src/telemetry/policy-metrics.ts';
import { authorizeInbound } from '../../../../src/ztunnel/data/authorize-inbound.ts';
import type { PodContext } from '../../../../src/ztunnel/data/pod-context.ts';

const ip = parseIpAddress('10.0.0.1') ?? assert.fail();
const workload = createWorkload({ uid: 'w', namespace: 'shop', name: 'cart' });
const PORT_80 = [[[createPolicyMatch({ destinationPorts: [80] })]]];

function policy(name: string, fields: Partial<AuthorizationPolicy>): AuthorizationPolicy {
  return { namespace: 'shop', name, scope: 'Namespace', action: 'Allow', rules: PORT_80, dryRun: false, ...fields };
}

function mesh() {
  const state = new MeshState();
  const defaultDenials = createDefaultDenials();
  const config = { unknownPolicy: 'deny', policyInfoLogging: false };
  const context = { state, defaultDenials, config, logger: silentLogger } as unknown as PodContext;
  const input = { identity: undefined, sourceIp: ip, destinationIp: ip };
  return {
    put: (...policies: AuthorizationPolicy[]) =>
      state.apply(policies.map((one) => ({ kind: 'policy', policy: one }) as const)),
    remove: (name: string) => state.apply([{ kind: 'remove-policy', name }]),
    connect: (destinationPort: number) =>
      authorizeInbound(context, workload, { ...input, destinationPort }) === undefined,
    counts: () =>
      policyFamily(state.policies(), defaultDenials).samples.map(
        ({ labels, value }) => `${labels.replaceAll('"', '')} ${value}`,
      ),
  };
}

describe('how often policies decide over connections of a node', () => {
  it('is counted for the one that decided, and for nobody where no ALLOW did', () => {
    const { put, connect, counts } = mesh();
    put(
      policy('web', {}),
      policy('no-ssh', { action: 'Deny', rules: [[[createPolicyMatch({ destinationPorts: [22] })]]] }),
    );
    assert.deepEqual([80, 80, 22, 443].map(connect), [true, true, false, false]);
    assert.deepEqual(counts(), [
      'policy=shop/web,action=ALLOW,result=allowed 2',
      'policy=shop/no-ssh,action=DENY,result=denied 1',
      'policy=,action=ALLOW,result=denied 1',
    ]);
  });

  it('is counted for what policies in dry run would have decided', () => {
    const { put, connect, counts } = mesh();
    put(policy('web', { dryRun: true }), policy('no-web', { action: 'Deny', dryRun: true }));
    assert.deepEqual([80, 443].map(connect), [true, true]);
    assert.deepEqual(counts(), [
      'policy=shop/web,action=ALLOW,result=would_allow 1',
      'policy=shop/no-web,action=DENY,result=would_deny 1',
      'policy=,action=ALLOW,result=would_deny 1',
    ]);
  });

  it('goes on when the same policy is sent again, starts again when it means something else, and leaves with it', () => {
    const { put, remove, connect, counts } = mesh();
    put(policy('web', {}));
    connect(80);
    put(policy('web', {}));
    connect(80);
    assert.deepEqual(counts(), ['policy=shop/web,action=ALLOW,result=allowed 2']);
    put(policy('web', { action: 'Deny' }));
    assert.deepEqual(counts(), []);
    connect(80);
    remove('shop/web');
    assert.deepEqual(counts(), []);
  });
});
