import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TokenRules } from '../../../src/authn/jwt-rule.ts';
import type { TokenAuthenticator, TokenOutcome } from '../../../src/authn/token-authenticator.ts';
import type { AskedSubject } from '../../../src/authz/asked-subject.ts';
import { RequestPolicies } from '../../../src/authz/request-policies.ts';
import type { RequestPolicy } from '../../../src/authz/request-policy.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { fail, ok } from '../../../src/base/result.ts';
import type { HttpHeader, HttpStreamHandler } from '../../../src/http/http-stream.ts';
import { createPolicyTally } from '../../../src/model/policy-tally.ts';
import { handleRequest } from '../../../src/waypoint/http-exchange.ts';
import { exchangeContext, exchangeDeps } from '../../helpers/exchange-fixture.ts';
import { FakeHttpStream } from '../../helpers/fake-http-stream.ts';

const settle = () => new Promise((resolve) => setImmediate(resolve));
const HEADERS: readonly HttpHeader[] = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':authority', 'cart'],
  [':path', '/buy'],
  ['authorization', 'Bearer secret'],
];
const PASSED: TokenOutcome = ok({
  headers: HEADERS.slice(0, 4),
  target: '/buy',
  claims: { iss: 'a', sub: 'b', role: 'buyer' },
});

/** A request whose token is verified when the test says so. */
function setUp(asks: 'asks' | 'does not ask' = 'asks') {
  const rules: TokenRules | undefined =
    asks === 'asks' ? { rules: [], ownHeaders: new Set(['x-user']), params: [] } : undefined;
  const downstream = new FakeHttpStream();
  const upstream = new FakeHttpStream();
  const sent: (readonly HttpHeader[])[] = [];
  const seen: unknown[] = [];
  const lines: string[] = [];
  let settleToken: (outcome: TokenOutcome) => void = () => undefined;
  let asked = 0;
  const tokens = {
    authenticate: () => {
      asked++;
      return new Promise<TokenOutcome>((resolve) => {
        settleToken = resolve;
      });
    },
  } as unknown as TokenAuthenticator;
  const cluster = {
    policy: undefined,
    pick: () => ({ endpoint: { workload: { uid: 'e', name: 'e', namespace: 'shop' } }, done: () => undefined }),
    admitRequest: () => ({ release: () => undefined }),
    admitRetry: () => undefined,
  };
  const http = {
    acquire: async () =>
      ok({
        reused: false,
        release: () => undefined,
        request: (headers: readonly HttpHeader[], handler: HttpStreamHandler) => {
          upstream.setHandler(handler);
          sent.push(headers);
          return ok(upstream);
        },
      }),
  };
  const info = (_: string, fields: object) => lines.push(JSON.stringify(fields));
  const accessLog = { ...silentLogger, enabled: () => true, info };
  const deps = exchangeDeps({ accessLog, tokens, http, clusters: { get: () => cluster } });
  const noteToken = {
    httpOnly: false,
    holds: ({ http }: AskedSubject) => {
      seen.push(http?.token);
      return false;
    },
  };
  const policy: RequestPolicy = {
    namespace: 'shop',
    name: 'p',
    action: 'DENY',
    provider: '',
    dryRun: false,
    tally: createPolicyTally(),
    rules: [{ clauses: [[[noteToken]]], unknown: false, callers: undefined }],
  };
  const context = exchangeContext({ tokenRules: () => rules, policies: () => new RequestPolicies([policy]) });
  downstream.setHandler(handleRequest(downstream, HEADERS, false, context, deps));
  const finishToken = (outcome: TokenOutcome) => {
    settleToken(outcome);
    return settle();
  };
  return { downstream, upstream, sent, seen, lines, finishToken, asked: () => asked };
}

describe('a request whose token is being verified', () => {
  it('waits with its body, and goes on without its token and with its claims', async () => {
    const { downstream, upstream, sent, seen, finishToken } = setUp();
    await settle();
    downstream.data('first ');
    await settle();
    assert.deepEqual([sent.length, seen.length], [0, 0]);
    await finishToken(PASSED);
    downstream.data('second');
    downstream.finish();
    await settle();
    assert.deepEqual(seen, [{ iss: 'a', sub: 'b', role: 'buyer' }]);
    assert.deepEqual(upstream.written, ['first ', 'second']);
    assert.ok(!JSON.stringify(sent).includes('secret'));
  });

  it('says in trailers nothing that only its token may say, or that no trailer says', async () => {
    const { downstream, upstream, finishToken } = setUp();
    await settle();
    downstream.data('body');
    const trailers: readonly HttpHeader[] = [
      ['x-user', 'root'],
      ['x-sum', '1'],
      ['x-forwarded-client-cert', 'By=me'],
      ['authorization', 'Bearer x'],
    ];
    downstream.handler?.onHeaders(downstream, trailers, true);
    downstream.finish();
    await finishToken(PASSED);
    assert.deepEqual(upstream.responses, [[['x-sum', '1']]]);
  });

  it('keeps to that for trailers that come while the request is on its way', async () => {
    const { downstream, upstream, finishToken } = setUp();
    await settle();
    await finishToken(PASSED);
    downstream.data('body');
    downstream.handler?.onHeaders(downstream, [['x-user', 'root']], true);
    downstream.finish();
    assert.deepEqual(upstream.responses, [[]]);
  });

  it('is answered when it is refused, and nobody else hears of it', async () => {
    const { downstream, sent, seen, lines, finishToken } = setUp();
    await settle();
    downstream.data('body');
    await finishToken(fail('expired'));
    assert.deepEqual([sent.length, seen.length], [0, 0]);
    assert.deepEqual(downstream.responses[0]?.[0], [':status', '401']);
    assert.deepEqual(downstream.written, ['Jwt is expired']);
    assert.match(lines.join(), /jwt_authn_access_denied\{Jwt_is_expired\}/);
  });

  it('goes nowhere when its client is gone meanwhile, and is logged once', async () => {
    const outcomes: readonly TokenOutcome[] = [PASSED, fail('expired')];
    for (const outcome of outcomes) {
      const { downstream, sent, seen, lines, finishToken } = setUp();
      await settle();
      downstream.close({ kind: 'reset', by: 'peer', code: 8 });
      await finishToken(outcome);
      assert.deepEqual([sent.length, seen.length, downstream.responses.length], [0, 0, 0]);
      assert.equal(lines.length, 1);
      assert.match(lines[0] ?? '', /downstream_remote_disconnect/);
    }
  });
});

describe('a request where no rule asks for tokens', () => {
  it('is not looked at', async () => {
    const { asked, sent } = setUp('does not ask');
    await settle();
    assert.deepEqual([asked(), sent.length], [0, 1]);
  });
});
