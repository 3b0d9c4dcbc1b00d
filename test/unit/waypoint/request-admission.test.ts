import assert from 'node:assert/strict';
import { it } from 'node:test';
import { RequestPolicies } from '../../../src/authz/request-policies.ts';
import { EVERYTHING, type RequestPolicy } from '../../../src/authz/request-policy.ts';
import type { HttpHeader } from '../../../src/http/http-stream.ts';
import { createPolicyTally } from '../../../src/model/policy-tally.ts';
import type { CheckOutcome } from '../../../src/waypoint/external-authorization/external-authorization.ts';
import {
  type AdmissionContext,
  type AdmissionDeps,
  type AdmittedRequest,
  RequestAdmission,
} from '../../../src/waypoint/request-admission.ts';
import { ReplayBudget, RequestBody } from '../../../src/waypoint/request-body.ts';
import { RequestFields } from '../../../src/waypoint/request-fields.ts';
import { FakeHttpStream } from '../../helpers/fake-http-stream.ts';

const ALLOWED: CheckOutcome = {
  kind: 'allowed',
  request: { edits: [{ name: 'x-user', value: 'me', how: 'set' }], remove: ['x-secret'] },
  response: { edits: [], remove: [] },
  reroute: false,
};

it('what an authorizer sets or removes of a request cannot be said by its client in a trailer', () => {
  const custom = { namespace: 'shop', name: 'ask', action: 'CUSTOM', provider: 'me', dryRun: false };
  const tally = createPolicyTally();
  const context = {
    subject: { identity: undefined, sourceIp: '10.0.0.1' },
    clientAddress: '10.0.0.1:9',
    tokenRules: () => undefined,
    policies: () => new RequestPolicies([{ ...custom, tally, rules: [EVERYTHING] } as RequestPolicy]),
  } as unknown as AdmissionContext;
  const external = {
    find: () => ({ provider: { settings: { body: undefined } }, target: {} }),
    ask: (_provider: unknown, _connection: unknown, _request: unknown, onOutcome: (outcome: CheckOutcome) => void) => {
      onOutcome(ALLOWED);
      return () => undefined;
    },
  };
  const headers: readonly HttpHeader[] = [
    [':method', 'POST'],
    [':authority', 'cart'],
    [':path', '/'],
    ['x-user', 'root'],
    ['x-secret', 'a'],
  ];
  const stream = new FakeHttpStream();
  const body = new RequestBody(false, new ReplayBudget(0), {
    onBodyEnded: () => undefined,
    onClientGone: () => undefined,
  });
  const admitted: AdmittedRequest[] = [];
  const admission = new RequestAdmission(
    new RequestFields(headers),
    context,
    { external } as unknown as AdmissionDeps,
    {
      onAdmitted: (one) => void admitted.push(one),
      onRefused: (reply) => assert.fail(reply.details),
      onShadow: () => undefined,
    },
  );
  admission.start(stream, body);
  const request = admitted[0]?.request;
  assert.deepEqual([request?.headerValues('x-user'), request?.headerValues('x-secret')], [['me'], []]);
  body.onHeaders(stream, [
    ['x-user', 'root'],
    ['x-secret', 'a'],
    ['x-sum', '1'],
  ]);
  assert.deepEqual(body.trailers, [['x-sum', '1']]);
});
