import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HttpHeader } from '../../../../src/http/http-stream.ts';
import { HttpCheck } from '../../../../src/proto/gen/ambit.ts';
import { applyEdits } from '../../../../src/waypoint/external-authorization/header-edits.ts';
import { compileHttpCheck } from '../../../../src/waypoint/external-authorization/http-check.ts';
import { checkedRequest } from '../../../helpers/checked-request.ts';

const checker = (fields: Partial<HttpCheck> = {}) => compileHttpCheck(HttpCheck.fromPartial(fields));
const answer = (status: number, headers: readonly HttpHeader[] = [], body = '') => ({
  status,
  headers: [[':status', String(status)] as const, ...headers],
  trailers: [],
  body: Buffer.from(body),
});

describe('the question of an HTTP check', () => {
  const headers: readonly HttpHeader[] = [
    ['authorization', 'Bearer x'],
    ['cookie', 'a=b'],
    ['x-a-one', '1'],
    ['x-a-two', '2'],
    ['trace-id', '7'],
    ['te', 'trailers'],
    ['content-length', '5'],
    ['x-envoy-auth-partial-body', 'false'],
  ];

  it('is the request without its body and without headers that nobody listed', () => {
    const { headers: sent, body } = checker().question(checkedRequest({ headers }));
    assert.deepEqual(sent, [
      [':method', 'POST'],
      [':scheme', 'http'],
      [':authority', 'site'],
      [':path', '/a?b=c'],
      ['content-length', '0'],
      ['authorization', 'Bearer x'],
    ]);
    assert.equal(body.length, 0);
  });

  it('has the headers that are listed, by name, beginning or end, and those that are added in their place', () => {
    const check = checker({
      pathPrefix: '/check',
      requestHeaders: ['cookie', 'x-a-*', '*-id', 'te', 'content-length', 'x-envoy-*'],
      additionalHeaders: [{ name: 'cookie', value: 'none' }],
    });
    const { headers: sent } = check.question(checkedRequest({ headers }));
    assert.deepEqual(sent.slice(3), [
      [':path', '/check/a?b=c'],
      ['content-length', '0'],
      ['authorization', 'Bearer x'],
      ['x-a-one', '1'],
      ['x-a-two', '2'],
      ['trace-id', '7'],
      ['cookie', 'none'],
    ]);
  });

  it('has the body where it is wanted, and says whether that is all of it', () => {
    const whole = checker().question(checkedRequest({ body: { bytes: Buffer.from('hello'), partial: false } }));
    assert.deepEqual(whole.headers.slice(4), [
      ['content-length', '5'],
      ['x-envoy-auth-partial-body', 'false'],
    ]);
    assert.equal(whole.body.toString(), 'hello');
    const part = checker().question(checkedRequest({ body: { bytes: Buffer.from('he'), partial: true } }));
    assert.deepEqual(part.headers.at(-1), ['x-envoy-auth-partial-body', 'true']);
  });
});

describe('the answer to an HTTP check', () => {
  const fields: readonly HttpHeader[] = [
    ['content-type', 'text/html'],
    ['content-length', '2'],
    ['location', '/login'],
    ['server', 'theirs'],
    ['set-cookie', 'a'],
    ['set-cookie', 'b'],
    ['x-user', 'kim'],
  ];

  it('allows by 200 alone, and changes only what is listed', () => {
    assert.deepEqual(checker().verdict(answer(200, fields)), {
      kind: 'allow',
      request: { edits: [], remove: [] },
      response: { edits: [], remove: [] },
    });
    const verdict = checker({ toUpstreamOnAllow: ['x-*'], toDownstreamOnAllow: ['set-cookie'] }).verdict(
      answer(200, fields),
    );
    assert.ok(verdict.kind === 'allow');
    assert.deepEqual(
      applyEdits(
        [
          ['x-user', 'forged'],
          ['a', 'b'],
        ],
        verdict.request,
      ),
      [
        ['a', 'b'],
        ['x-user', 'kim'],
      ],
    );
    assert.deepEqual(applyEdits([['set-cookie', 'own']], verdict.response), [
      ['set-cookie', 'a'],
      ['set-cookie', 'b'],
    ]);
    for (const status of [201, 204, 302, 401, 403, 404, 429]) {
      assert.equal(checker().verdict(answer(status)).kind, 'deny', String(status));
    }
  });

  it('is the answer of the client when it denies, with all that is not about the authorizer', () => {
    assert.deepEqual(checker().verdict(answer(302, fields, 'no')), {
      kind: 'deny',
      status: 302,
      headers: [
        ['content-type', 'text/html'],
        ['location', '/login'],
        ['set-cookie', 'a'],
        ['set-cookie', 'b'],
        ['x-user', 'kim'],
      ],
      body: Buffer.from('no'),
    });
  });

  it('has the listed headers when some are, and those that an answer needs', () => {
    const verdict = checker({ toDownstreamOnDeny: ['x-user'] }).verdict(answer(401, fields));
    assert.ok(verdict.kind === 'deny');
    assert.deepEqual(verdict.headers, [
      ['location', '/login'],
      ['x-user', 'kim'],
    ]);
  });

  it('is none when it is the authorizer that fails', () => {
    for (const status of [500, 502, 503]) assert.equal(checker().verdict(answer(status)).kind, 'error');
  });
});
