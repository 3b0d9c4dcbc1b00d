import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  type AdmissionRequest,
  formatAdmissionReview,
  parseAdmissionReview,
  reviewAdmission,
} from '../../../../src/control/webhook/admission-review.ts';

const BAD = { action: 'ALLOW', ruels: [] };
const GOOD = { action: 'ALLOW' };

function object(spec: object, metadata: object = {}): Record<string, unknown> {
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name: 'p', namespace: 'demo', ...metadata },
    spec,
  };
}

function request(fields: Partial<AdmissionRequest>): AdmissionRequest {
  return { uid: 'u', operation: 'CREATE', object: undefined, oldObject: undefined, ...fields };
}

describe('a review of admission', () => {
  it('refuses a new object with its problems in one line', () => {
    const verdict = reviewAdmission(request({ object: object(BAD) }));
    assert.deepEqual(verdict, {
      allowed: false,
      message: 'configuration is invalid: unknown field "spec.ruels"',
      warnings: [],
    });
  });

  it('lets deletions pass, and objects that are being deleted', () => {
    assert.equal(reviewAdmission(request({ operation: 'DELETE', oldObject: object(BAD) })).allowed, true);
    const leaving = object(BAD, { deletionTimestamp: '2026-01-01T00:00:00Z' });
    assert.equal(reviewAdmission(request({ operation: 'UPDATE', object: leaving })).allowed, true);
  });

  it('lets an update pass that does not touch what is wrong already, with a warning', () => {
    const update = { operation: 'UPDATE', oldObject: object(BAD), object: object(BAD, { labels: { a: 'b' } }) };
    const verdict = reviewAdmission(request(update));
    assert.equal(verdict.allowed, true);
    assert.deepEqual(verdict.warnings, ['unknown field "spec.ruels"']);
    assert.equal(reviewAdmission(request({ ...update, oldObject: object(GOOD) })).allowed, false);
  });

  it('is bounded however many problems there are', () => {
    const rules = Array.from({ length: 500 }, () => ({ to: [{ operation: { ports: ['none'] } }] }));
    const { message } = reviewAdmission(request({ object: object({ action: 'ALLOW', rules }) }));
    assert.match(message, /; and \d+ more$/);
    assert.ok(message.length < 20_000);
  });

  it('is read from what API servers send, and answered in their form', () => {
    const body = {
      kind: 'AdmissionReview',
      apiVersion: 'admission.k8s.io/v1',
      request: request({ object: object(BAD) }),
    };
    const parsed = parseAdmissionReview(JSON.stringify(body));
    assert.ok(parsed.ok);
    const answer = JSON.parse(formatAdmissionReview('u', reviewAdmission(parsed.value))) as {
      kind: string;
      response: { uid: string; allowed: boolean; status: { code: number; reason: string; message: string } };
    };
    assert.equal(answer.kind, 'AdmissionReview');
    assert.equal(answer.response.uid, 'u');
    assert.equal(answer.response.allowed, false);
    assert.equal(answer.response.status.code, 422);
    assert.match(answer.response.status.message, /^configuration is invalid: /);
  });

  it('is refused with a reason when it is none, and never throws', () => {
    for (const body of ['', '[]', '{}', '{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1beta1"}']) {
      assert.equal(parseAdmissionReview(body).ok, false, body);
    }
    fc.assert(
      fc.property(fc.string(), (text) => {
        parseAdmissionReview(text);
      }),
    );
  });
});
