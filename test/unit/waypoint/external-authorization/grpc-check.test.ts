import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HttpHeader } from '../../../../src/http/http-stream.ts';
import { CheckRequest, CheckResponse, type HeaderValueOption } from '../../../../src/proto/gen/ext_authz.ts';
import { grpcQuestion, grpcVerdict } from '../../../../src/waypoint/external-authorization/grpc-check.ts';
import { applyEdits } from '../../../../src/waypoint/external-authorization/header-edits.ts';
import { checkedRequest } from '../../../helpers/checked-request.ts';

const provider = { hostname: 'ext.auth', timeoutMs: 600_000, bodyAsBytes: false };

function asked(...args: Parameters<typeof grpcQuestion>) {
  const { headers, body } = grpcQuestion(...args);
  assert.deepEqual([body[0], body.readUInt32BE(1)], [0, body.length - 5]);
  return { headers: new Map(headers), attributes: CheckRequest.decode(body.subarray(5)).attributes };
}

function answer(response: Parameters<typeof CheckResponse.fromPartial>[0], grpcStatus = '0') {
  const message = CheckResponse.encode(CheckResponse.fromPartial(response)).finish();
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  const trailers: HttpHeader[] = [['grpc-status', grpcStatus]];
  return { status: 200, headers: [[':status', '200']] as HttpHeader[], trailers, body: frame };
}

const option = (key: string, value: string, more: Partial<HeaderValueOption> = {}): HeaderValueOption => ({
  header: { key, value, rawValue: Buffer.alloc(0) },
  append: undefined,
  appendAction: 0,
  ...more,
});

describe('the question of a gRPC check', () => {
  it('tells who asks for what, and how long the answer is waited for', () => {
    const request = checkedRequest({
      headers: [
        ['a', '1'],
        ['a', '2'],
      ],
    });
    const { headers, attributes } = asked(provider, request, request, 1_700_000_000_000);
    assert.equal(headers.get(':path'), '/envoy.service.auth.v3.Authorization/Check');
    assert.equal(headers.get(':authority'), 'ext.auth');
    assert.equal(headers.get('grpc-timeout'), '600000m');
    assert.deepEqual(attributes?.source, {
      address: { socketAddress: { address: '10.0.0.1', portValue: 4444 } },
      service: '',
      principal: 'spiffe://cluster.local/ns/web/sa/client',
    });
    assert.equal(attributes.destination?.principal, 'spiffe://cluster.local/ns/web/sa/gate');
    assert.deepEqual(attributes.destination?.address?.socketAddress, { address: '10.96.0.1', portValue: 80 });
    assert.equal(attributes.request?.time?.getTime(), 1_700_000_000_000);
    const http = attributes.request?.http;
    assert.deepEqual(
      [http?.method, http?.path, http?.host, http?.id, http?.size],
      ['POST', '/a?b=c', 'site', 'id-1', -1],
    );
    assert.deepEqual([http?.headers.get('a'), http?.headers.get(':path')], ['1,2', '/a?b=c']);
  });

  it('has headers as text, and a size only where a number is given', () => {
    const bytes = Buffer.from('é').toString('latin1');
    const request = checkedRequest({
      headers: [
        ['name', bytes],
        ['content-length', '7'],
        ['content-length', '7'],
      ],
    });
    const http = asked(provider, request, request, 0).attributes?.request?.http;
    assert.deepEqual([http?.headers.get('name'), http?.size], ['é', -1]);
    const response = answer({ httpResponse: { $case: 'okResponse', okResponse: { headers: [option('name', 'é')] } } });
    const verdict = grpcVerdict(response);
    assert.ok(verdict.kind === 'allow');
    assert.equal(verdict.request.edits[0]?.value, bytes);
  });

  it('has the body as text or as bytes', () => {
    const request = checkedRequest({ body: { bytes: Buffer.from([0xff, 0x61]), partial: true } });
    const text = asked(provider, request, request, 0).attributes?.request?.http;
    assert.deepEqual([text?.body, text?.rawBody.length], ['\ufffda', 0]);
    assert.equal(text?.headers.get('x-envoy-auth-partial-body'), 'true');
    const bytes = asked({ ...provider, bodyAsBytes: true }, request, request, 0).attributes?.request?.http;
    assert.deepEqual([bytes?.body, [...(bytes?.rawBody ?? [])]], ['', [0xff, 0x61]]);
  });

  it('is about the connection alone where it is not HTTP', () => {
    const { attributes } = asked(provider, checkedRequest(), undefined, 0);
    assert.equal(attributes?.request?.http, undefined);
    assert.equal(attributes?.source?.principal, 'spiffe://cluster.local/ns/web/sa/client');
  });
});

describe('the answer to a gRPC check', () => {
  it('allows with changes of the request and of its answer', () => {
    const verdict = grpcVerdict(
      answer({
        status: { code: 0 },
        httpResponse: {
          $case: 'okResponse',
          okResponse: {
            headers: [
              option('X-User', 'kim'),
              option('list', 'b', { append: { value: true } as never }),
              option('host', 'x'),
            ],
            headersToRemove: ['Secret', ':path'],
            responseHeadersToAdd: [option('x-seen', 'yes'), option('x-one', 'new', { appendAction: 1 })],
          },
        },
      }),
    );
    assert.ok(verdict.kind === 'allow', JSON.stringify(verdict));
    assert.deepEqual(
      applyEdits(
        [
          [':path', '/'],
          ['x-user', 'forged'],
          ['secret', 's'],
          ['list', 'a'],
        ],
        verdict.request,
      ),
      [
        [':path', '/'],
        ['list', 'a'],
        ['x-user', 'kim'],
        ['list', 'b'],
      ],
    );
    assert.deepEqual(applyEdits([['x-one', 'old']], verdict.response), [
      ['x-one', 'old'],
      ['x-seen', 'yes'],
    ]);
    assert.equal(grpcVerdict(answer({})).kind, 'allow');
  });

  it('denies with what the client is told, 403 unless it says another status', () => {
    assert.deepEqual(grpcVerdict(answer({ status: { code: 7 } })), {
      kind: 'deny',
      status: 403,
      headers: [],
      body: '',
    });
    const told = { status: { code: 401 }, headers: [option('WWW-Authenticate', 'Basic')], body: 'who?' };
    assert.deepEqual(
      grpcVerdict(answer({ status: { code: 16 }, httpResponse: { $case: 'deniedResponse', deniedResponse: told } })),
      { kind: 'deny', status: 401, headers: [['www-authenticate', 'Basic']], body: 'who?' },
    );
  });

  it('is none when the call failed or cannot be read', () => {
    const good = answer({ status: { code: 0 } });
    const bad = [
      answer({ status: { code: 0 } }, '14'),
      { ...good, trailers: [] },
      { ...good, status: 503 },
      { ...good, body: Buffer.alloc(0) },
      { ...good, body: Buffer.concat([good.body, Buffer.from('x')]) },
      { ...good, body: Buffer.from([1, 0, 0, 0, 0]) },
      { ...good, body: Buffer.from([0, 0, 0, 0, 1, 0xff]) },
    ];
    for (const [index, one] of bad.entries()) assert.equal(grpcVerdict(one).kind, 'error', String(index));
  });

  it('is none when it has a header that would split the message', () => {
    const okResponse = { headers: [option('a', 'b\r\nc: d')] };
    assert.equal(grpcVerdict(answer({ httpResponse: { $case: 'okResponse', okResponse } })).kind, 'error');
    const deniedResponse = { headers: [option('a b', 'c')] };
    const denied = answer({ status: { code: 7 }, httpResponse: { $case: 'deniedResponse', deniedResponse } });
    assert.equal(grpcVerdict(denied).kind, 'error');
  });
});
