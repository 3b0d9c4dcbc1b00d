/** The decision of ztunnel over a connection, as every inbound connection asks for it. */
import assert from 'node:assert/strict';
import type { AuthorizationInput } from '../../../src/authz/evaluate.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { MeshState } from '../../../src/mesh/mesh-state.ts';
import type { IpAddress } from '../../../src/model/address.ts';
import { createDefaultDenials } from '../../../src/model/policy-tally.ts';
import type { Identity } from '../../../src/model/spiffe.ts';
import { createWorkload, type Workload } from '../../../src/model/workload.ts';
import { authorizeInbound } from '../../../src/ztunnel/data/authorize-inbound.ts';
import { inTurns, type MicroBench } from '../suite.ts';
import { forZtunnel, MANY_RULES, type Manifest, manyRules, meshPolicies, principal } from './policy-mesh.ts';

const OURS = 250;

function stateOf(manifests: readonly Manifest[], workload: Workload): MeshState {
  const state = new MeshState();
  state.apply([
    { kind: 'workload', workload },
    ...manifests.map((written) => ({ kind: 'policy' as const, policy: forZtunnel(written) })),
  ]);
  return state;
}

function caller(identity: Identity | undefined, sourceIp: string, destinationPort = 8080): AuthorizationInput {
  const destinationIp = '10.1.2.3' as IpAddress;
  return { identity, sourceIp: sourceIp as IpAddress, destinationIp, destinationPort };
}

const account = (namespace: string, serviceAccount: string): Identity => ({
  trustDomain: 'cluster.local',
  namespace,
  serviceAccount,
});

export function benches(): readonly MicroBench[] {
  return [...wholeMesh(), ...oneNamespace()];
}

/** Five of the 10,000 apply to the workload: the mesh's, its namespace's and three that select it. */
function wholeMesh(): readonly MicroBench[] {
  const authorizationPolicies = [5, 7, 8].map((index) => `team-${OURS}/policy-${index}`);
  const workload = createWorkload({
    uid: 'Kubernetes//Pod/team/app',
    namespace: `team-${OURS}`,
    authorizationPolicies,
  });
  const state = stateOf(meshPolicies(), workload);
  const decide = decider('10,000 policies, 5 for the workload', state, workload);
  const inBlock = ['10.8.3.4', '10.10.20.30', '10.11.255.1'].map((ip) => caller(account('billing', 'report'), ip));
  const named = [0, 1, 2].map((offset) => caller(account(`team-${OURS + offset}`, 'client-7'), '10.2.0.7'));
  return [
    decide('the first of them allows', true, [caller(account(`team-${OURS}`, 'web'), '10.2.0.7')]),
    decide('a principal allows', true, named),
    decide('the last rule allows, by address', true, inBlock),
    decide('denied by name', false, [caller(account('untrusted-9', 'x'), '10.2.0.7')]),
    decide('none matches', false, [caller(account('billing', 'report'), '10.2.0.7')]),
    decide('none matches, plaintext', false, [caller(undefined, '10.2.0.7')]),
    ...counted(state, workload, caller(account('billing', 'report'), '10.8.3.4'), caller(undefined, '10.2.0.7')),
  ];
}

function oneNamespace(): readonly MicroBench[] {
  const rule = (index: number) => ({
    from: [{ source: { principals: [principal(Math.floor(index / 20), index % 20)] } }],
    to: [{ operation: { ports: ['8080'] } }],
  });
  const workload = createWorkload({ uid: 'Kubernetes//Pod/shop/app', namespace: 'shop' });
  const decide = decider('10,000 rules for the workload', stateOf(manyRules('shop', rule), workload), workload);
  const who = (index: number) => account(`team-${Math.floor(index / 20)}`, `client-${index % 20}`);
  return [
    decide('the first allows', true, [caller(who(0), '10.2.0.7')]),
    decide('the last allows', true, [caller(who(MANY_RULES - 1), '10.2.0.7')]),
    decide('none matches', false, [caller(account('billing', 'report'), '10.2.0.7')]),
  ];
}

function decider(title: string, state: MeshState, workload: Workload) {
  const decide = (input: AuthorizationInput) => state.policiesFor(workload).inForce.authorize(input).decision;
  return (what: string, allowed: boolean, inputs: readonly AuthorizationInput[]): MicroBench => {
    for (const input of inputs) assert.equal(decide(input).allowed, allowed, what);
    const next = inTurns(inputs);
    return { name: `${title}: ${what}`, run: () => decide(next()) };
  };
}

/** The same with what is counted and told of it; a refusal is an error, which is made. */
function counted(state: MeshState, workload: Workload, allowed: AuthorizationInput, denied: AuthorizationInput) {
  const context = {
    state,
    config: { unknownPolicy: 'deny', policyInfoLogging: false },
    logger: silentLogger,
    defaultDenials: createDefaultDenials(),
  } as const;
  const ask = (input: AuthorizationInput) => authorizeInbound(context, workload, input);
  assert.deepEqual([ask(allowed)?.code, ask(denied)?.code], [undefined, 'POLICY_DENIED']);
  return [
    { name: 'as a connection asks: allowed', run: () => ask(allowed) },
    { name: 'as a connection asks: denied', run: () => ask(denied) },
  ];
}
