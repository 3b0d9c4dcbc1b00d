import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findProblems } from '../../../../src/control/webhook/configuration-findings.ts';
import { readObject } from '../../../../src/model/manifest/read-object.ts';

const NOWHERE = { file: '', line: 1, column: 1 };

function manifest(spec: object, apiVersion = 'security.istio.io/v1'): object {
  return { apiVersion, kind: 'RequestAuthentication', metadata: { name: 'r', namespace: 'shop' }, spec };
}

function accepted(spec: object, apiVersion?: string) {
  const reading = readObject(manifest(spec, apiVersion), () => NOWHERE);
  assert.ok(reading.kind === 'accepted' && reading.object.kind === 'RequestAuthentication', JSON.stringify(reading));
  return reading.object;
}

const problems = (spec: object) => {
  const reading = readObject(manifest(spec), () => NOWHERE);
  return reading.kind === 'refused' ? reading.problems.map(({ field, reason }) => `${field}: ${reason}`) : [];
};

describe('a RequestAuthentication', () => {
  it('says which tokens requests may carry; what is not given has its default', () => {
    const { rules, targets, selector } = accepted({ jwtRules: [{ issuer: 'https://a' }] }, 'security.istio.io/v1beta1');
    assert.deepEqual([targets, selector], [undefined, undefined]);
    assert.deepEqual(rules, [
      {
        issuer: 'https://a',
        audiences: [],
        jwksUri: '',
        jwks: '',
        fromHeaders: [],
        fromParams: [],
        fromCookies: [],
        forwardOriginalToken: false,
        outputPayloadToHeader: '',
        outputClaimToHeaders: [],
        timeoutMs: 5000,
        spaceDelimitedClaims: [],
      },
    ]);
  });

  it('has names of headers in lower case, and prefixes with their blanks', () => {
    const [rule] = accepted({
      targetRefs: [{ kind: 'Service', name: 'cart' }],
      jwtRules: [
        {
          issuer: 'a',
          fromHeaders: [{ name: 'X-Token', prefix: 'Token ' }],
          outputPayloadToHeader: 'X-Payload',
          outputClaimToHeaders: [{ header: 'X-Sub', claim: 'sub' }],
          timeout: '1s500ms',
        },
      ],
    }).rules;
    assert.deepEqual(rule?.fromHeaders, [{ name: 'x-token', prefix: 'Token ' }]);
    assert.equal(rule?.outputPayloadToHeader, 'x-payload');
    assert.deepEqual(rule?.outputClaimToHeaders, [{ header: 'x-sub', claim: 'sub' }]);
    assert.equal(rule?.timeoutMs, 1500);
  });

  it('is refused with the field, once for each, as the webhook refuses it', () => {
    const rule = {
      issuer: 7,
      jwksUri: 'ftp://keys',
      fromHeaders: [{ name: '' }, { prefix: 'x', nam: 'y' }],
      audience: ['a'],
      timeout: '0s',
      outputClaimToHeaders: [{ header: 'a b' }],
    };
    const spec = { jwtRules: [rule], rule: [] };
    const found = problems(spec);
    const fields = found.map((text) => text.slice(0, text.indexOf(':')));
    assert.deepEqual([...new Set(fields)].sort(), [...fields].sort(), 'a field is named once');
    assert.deepEqual(fields.sort(), [
      'spec.jwtRules[0].audience',
      'spec.jwtRules[0].fromHeaders[0].name',
      'spec.jwtRules[0].fromHeaders[1].nam',
      'spec.jwtRules[0].fromHeaders[1].name',
      'spec.jwtRules[0].issuer',
      'spec.jwtRules[0].jwksUri',
      'spec.jwtRules[0].outputClaimToHeaders[0].claim',
      'spec.jwtRules[0].outputClaimToHeaders[0].header',
      'spec.jwtRules[0].timeout',
      'spec.rule',
    ]);
    const webhook = findProblems(manifest(spec)).errors.map(
      (text) => /^unknown field "(.*)"$/.exec(text)?.[1] ?? text.slice(0, text.indexOf(':')),
    );
    assert.deepEqual(webhook.sort(), fields);
  });

  it('needs an issuer or the place of keys, and keys from one place', () => {
    assert.deepEqual(problems({ jwtRules: [{}] }), ['spec.jwtRules[0].issuer: is required without jwksUri']);
    assert.match(
      problems({ jwtRules: [{ issuer: 'a', jwks: '{"keys":[]}', jwksUri: 'https://a' }] })[0] ?? '',
      /one of/,
    );
    assert.deepEqual(problems({ jwtRules: [{ jwksUri: 'https://a/keys' }] }), []);
  });

  it('is for workloads or for targets, not for both', () => {
    const both = { selector: { matchLabels: { a: 'b' } }, targetRefs: [{ kind: 'Service', name: 'a' }] };
    assert.ok(problems(both).some((text) => text.startsWith('spec')));
  });
});
