import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { HttpHeader } from '../../../src/http/http-stream.ts';
import type { Cors, HttpMatch, HttpRedirect, PathRewrite } from '../../../src/proto/gen/ambit.ts';
import { PortChoice } from '../../../src/proto/gen/ambit.ts';
import { compileCors } from '../../../src/routing/cors.ts';
import { type ContextOf, compileHeaderChanges } from '../../../src/routing/header-changes.ts';
import { compileRedirect } from '../../../src/routing/redirect.ts';
import { RegexBudget } from '../../../src/routing/regex-budget.ts';
import { requestTimeoutMs } from '../../../src/routing/request-timeout.ts';
import { compileRetry, DEFAULT_RETRY, type TryOutcome } from '../../../src/routing/retry-policy.ts';
import { compilePathRewrite, rewriteTarget } from '../../../src/routing/rewrite-path.ts';
import { formatContext, NOTHING } from '../../helpers/format-context.ts';
import { requestOf } from '../../helpers/routed-request.ts';

function matchOf(kind: NonNullable<NonNullable<HttpMatch['path']>['kind']>): HttpMatch {
  const path = { kind, ignoreCase: false };
  return { path, scheme: undefined, method: undefined, authority: undefined, headers: [], query: [], claims: [] };
}

describe('changes of headers', () => {
  const HEADERS: HttpHeader[] = [
    [':status', '200'],
    ['a', '1'],
    ['b', '2'],
    ['a', '3'],
  ];
  it('set overwrites all values, add appends one, remove drops all', () => {
    const change = compileHeaderChanges({
      set: [{ name: 'A', value: 'x' }],
      add: [{ name: 'b', value: 'y' }],
      remove: [],
    });
    assert.deepEqual(change?.(HEADERS, NOTHING), [
      [':status', '200'],
      ['b', '2'],
      ['a', 'x'],
      ['b', 'y'],
    ]);
    const remove = compileHeaderChanges({ set: [], add: [], remove: ['A'] });
    assert.deepEqual(remove?.(HEADERS, NOTHING), [
      [':status', '200'],
      ['b', '2'],
    ]);
  });

  it('keep what is both removed and set', () => {
    const change = compileHeaderChanges({ set: [{ name: 'a', value: 'x' }], add: [], remove: ['a'] });
    assert.deepEqual(change?.([['a', '1']], NOTHING), [['a', 'x']]);
  });

  it('cannot touch what belongs to the connection, or says where a request goes', () => {
    const names = [
      'connection',
      'host',
      'x-envoy-attempt-count',
      ':path',
      'content-length',
      'transfer-encoding',
      'Upgrade',
    ];
    const set = names.map((name) => ({ name, value: 'x' }));
    assert.equal(compileHeaderChanges({ set, add: set, remove: names }), undefined);
  });

  it('fill in values from the request, and leave text with percent signs as it is', () => {
    const format = { name: 'a', value: 'for=%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% 5%%', isFormat: true };
    const change = compileHeaderChanges({ set: [format, { name: 'b', value: '%REQ(x)%' }], add: [], remove: [] });
    const context = () => formatContext({ downstreamRemoteAddress: '10.0.0.1:99' });
    assert.deepEqual(change?.([], context), [
      ['a', 'for=10.0.0.1 5%'],
      ['b', '%REQ(x)%'],
    ]);
  });

  it('leave nothing of a client where a value is to be set that cannot be filled in', () => {
    const set = [{ name: 'X-User', value: '%NEWER_THAN_THIS%', isFormat: true }];
    const change = compileHeaderChanges({ set, add: [], remove: [] });
    const headers: HttpHeader[] = [
      ['x-user', 'root'],
      ['b', '1'],
    ];
    assert.deepEqual(change?.(headers, NOTHING), [['b', '1']]);
  });

  it('fill in values from the headers that are left once some were removed', () => {
    const set = [
      { name: 'a', value: '%REQ(gone)%', isFormat: true },
      { name: 'b', value: '%REQ(b)%2', isFormat: true },
    ];
    const change = compileHeaderChanges({ set, add: [], remove: ['gone'] });
    const context: ContextOf = (headers) => formatContext({ requestHeaders: headers });
    const before: HttpHeader[] = [
      ['gone', '0'],
      ['b', '1'],
    ];
    assert.deepEqual(change?.(before, context), [['b', '12']]);
  });

  it('never let a client keep the value of a header that is set but has nothing to fill in', () => {
    const set = [{ name: 'x-caller', value: '%DOWNSTREAM_PEER_URI_SAN%', isFormat: true }];
    const change = compileHeaderChanges({ set, add: [], remove: [] });
    assert.deepEqual(
      change?.([['x-caller', 'forged']], () => formatContext({})),
      [],
    );
  });

  it('take nothing over from a request that would end a header', () => {
    const set = [{ name: 'a', value: ' %REQ(x)%', isFormat: true }];
    const change = compileHeaderChanges({ set, add: [], remove: [] });
    const context: ContextOf = () => formatContext({ requestHeaders: [['x', ' 1\r\nb: 2\0\u0100 ']] });
    assert.deepEqual(change?.([], context), [['a', '1b: 2']]);
  });

  it('take over any text of a request only as far as a header may hold it', () => {
    const set = [{ name: 'a', value: '%REQ(x)%|%REQ(x):3%', isFormat: true }];
    const change = compileHeaderChanges({ set, add: [], remove: [] });
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const [field] = change?.([], () => formatContext({ requestHeaders: [['x', text]] })) ?? [];
        assert.match(field?.[1] ?? '', /^[\t\x20-\x7e\x80-\xff]+$/);
      }),
    );
  });

  it('leave out an added value with an operator that this waypoint does not know', () => {
    const add = [{ name: 'a', value: '%NEWER%', isFormat: true }];
    assert.equal(compileHeaderChanges({ set: [], add, remove: [] }), undefined);
  });

  it('write text as UTF-8, and leave out what no header may hold', () => {
    const set = [
      { name: 'a', value: 'caf\u00e9' },
      { name: 'b', value: 'x\r\ny: z' },
    ];
    assert.deepEqual(compileHeaderChanges({ set, add: [], remove: [] })?.([], NOTHING), [['a', 'caf\u00c3\u00a9']]);
  });

  it('follow each other', () => {
    const add = (value: string) => ({ set: [], add: [{ name: 'a', value }], remove: [] });
    assert.deepEqual(compileHeaderChanges(add('1'), undefined, add('2'))?.([], NOTHING), [
      ['a', '1'],
      ['a', '2'],
    ]);
  });
});

describe('another path', () => {
  const prefix = (value: string) => matchOf({ $case: 'prefix', prefix: value });
  const elements = (value: string) => matchOf({ $case: 'pathPrefix', pathPrefix: value });
  const cases: [string, PathRewrite['kind'], HttpMatch | undefined, string, string][] = [
    ['replaces all of it', { $case: 'full', full: '/x' }, undefined, '/a/b?q=1', '/x?q=1'],
    ['replaces the text of a prefix', { $case: 'prefix', prefix: '/x' }, prefix('/a'), '/abc', '/xbc'],
    ['joins texts as they are', { $case: 'prefix', prefix: '/' }, prefix('/a'), '/a/b', '//b'],
    ['replaces elements', { $case: 'pathPrefix', pathPrefix: '/x' }, elements('/a'), '/a/b', '/x/b'],
    ['takes elements away', { $case: 'pathPrefix', pathPrefix: '/' }, elements('/a'), '/a/b?q', '/b?q'],
    ['escapes what no target may hold', { $case: 'full', full: '/caf\u00e9 x' }, undefined, '/a', '/caf%C3%A9%20x'],
    ['leaves the root at least', { $case: 'pathPrefix', pathPrefix: '/' }, elements('/a'), '/a', '/'],
    ['puts elements before the root', { $case: 'pathPrefix', pathPrefix: '/x/' }, elements('/'), '/b', '/x/b'],
    [
      'goes by a pattern with groups',
      { $case: 'regex', regex: { pattern: '/(\\w+)/(\\w+)', substitution: '/\\2$/\\1' } },
      undefined,
      '/a/b?c/d',
      '/b$/a?c/d',
    ],
  ];
  for (const [name, kind, match, target, expected] of cases) {
    it(name, () => {
      const change = compilePathRewrite({ kind }, match);
      assert.ok(change);
      assert.equal(rewriteTarget(target, change, new RegexBudget()), expected);
    });
  }

  const byRegex = (pattern: string, substitution: string) =>
    compilePathRewrite({ kind: { $case: 'regex', regex: { pattern, substitution } } }, undefined);

  it('is given up where a pattern would search the rest of a long path again and again', () => {
    const budget = new RegexBudget();
    byRegex('a.*!|a', 'b')?.(`/${'a'.repeat(8000)}`, budget);
    assert.equal(budget.exceededBy, 'target');
  });

  it('is given up where it makes far more of a path than there was', () => {
    const budget = new RegexBudget();
    byRegex('a', 'b'.repeat(1024))?.(`/${'a'.repeat(200)}`, budget);
    assert.equal(budget.exceededBy, 'target');
  });
});

describe('a redirect', () => {
  const NONE: HttpRedirect = {
    scheme: '',
    authority: '',
    port: 0,
    path: undefined,
    status: 302,
    portChoice: PortChoice.BY_SCHEME_OR_REQUEST,
  };
  const to = (fields: Partial<HttpRedirect>, authority = 'shop:8080', calledPort = 8080) =>
    compileRedirect({ ...NONE, ...fields }, undefined)(requestOf({ authority, target: '/a?q=1' }), calledPort);

  it('keeps what it does not name, and the port that was called', () => {
    assert.equal(to({}), 'http://shop:8080/a?q=1');
    assert.equal(to({ authority: 'other.example' }), 'http://other.example:8080/a?q=1');
    assert.equal(to({}, 'shop', 80), 'http://shop/a?q=1');
  });

  it('goes to the port of a scheme that it names, unless it names one itself', () => {
    assert.equal(to({ scheme: 'https' }), 'https://shop/a?q=1');
    assert.equal(to({ scheme: 'https', port: 8443 }), 'https://shop:8443/a?q=1');
    assert.equal(to({ scheme: 'https', port: 443 }), 'https://shop/a?q=1');
    assert.equal(to({ port: 80 }), 'http://shop/a?q=1');
  });

  it('takes the port as a VirtualService says', () => {
    assert.equal(to({ portChoice: PortChoice.AS_CALLED }), 'http://shop:8080/a?q=1');
    assert.equal(to({ portChoice: PortChoice.AS_CALLED, scheme: 'https' }, 'shop:80', 80), 'https://shop/a?q=1');
    assert.equal(to({ portChoice: PortChoice.AS_CALLED, authority: 'x' }), 'http://x/a?q=1');
    assert.equal(to({ portChoice: PortChoice.FROM_PROTOCOL_DEFAULT }), 'http://shop/a?q=1');
    assert.equal(to({ portChoice: PortChoice.FROM_REQUEST_PORT, scheme: 'https' }), 'https://shop:8080/a?q=1');
  });
});

describe('CORS', () => {
  const CORS: Cors = {
    allowOrigins: [{ kind: { $case: 'exact', exact: 'https://a.example' }, ignoreCase: false }],
    allowMethods: ['GET', 'PUT'],
    allowHeaders: ['x-a'],
    exposeHeaders: ['x-b'],
    maxAgeSec: 5,
    allowCredentials: true,
    answerUnmatchedPreflights: false,
  };
  const preflight = (origin: string) =>
    requestOf({ method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'PUT' } });

  it('answers a preflight of an allowed origin', () => {
    assert.deepEqual(compileCors(CORS)(preflight('https://a.example')), {
      kind: 'answer',
      headers: [
        ['access-control-allow-origin', 'https://a.example'],
        ['access-control-allow-credentials', 'true'],
        ['access-control-allow-methods', 'GET,PUT'],
        ['access-control-allow-headers', 'x-a'],
        ['access-control-max-age', '5'],
      ],
    });
  });

  it('lets the preflight of another origin go on, or answers it with nothing', () => {
    assert.deepEqual(compileCors(CORS)(preflight('https://b.example')), { kind: 'none' });
    const check = compileCors({ ...CORS, answerUnmatchedPreflights: true });
    assert.deepEqual(check(preflight('https://b.example')), { kind: 'answer', headers: [] });
  });

  it('marks the answers to an allowed origin', () => {
    assert.deepEqual(compileCors(CORS)(requestOf({ headers: { origin: 'https://a.example' } })), {
      kind: 'mark',
      headers: [
        ['access-control-allow-origin', 'https://a.example'],
        ['access-control-allow-credentials', 'true'],
        ['access-control-expose-headers', 'x-b'],
      ],
    });
    assert.deepEqual(compileCors(CORS)(requestOf({})), { kind: 'none' });
  });
});

describe('a retry policy', () => {
  const policy = (conditions: string[], statusCodes: number[] = []) =>
    compileRetry({
      attempts: 1,
      perTryTimeoutMs: 0,
      conditions,
      statusCodes,
      backoffMs: 0,
      keepPreviousHosts: false,
      leavePriorities: false,
    });
  const answer = (status: number, headers: Record<string, string> = {}): TryOutcome => ({
    kind: 'response',
    status,
    header: (name) => headers[name],
  });

  it('that nobody wrote repeats what no endpoint took, and two statuses of gRPC', () => {
    assert.equal(DEFAULT_RETRY.attempts, 2);
    assert.equal(DEFAULT_RETRY.wants({ kind: 'connect-failure' }), true);
    assert.equal(DEFAULT_RETRY.wants({ kind: 'refused' }), true);
    assert.equal(DEFAULT_RETRY.wants(answer(200, { 'grpc-status': '14' })), true);
    assert.equal(DEFAULT_RETRY.wants(answer(200, { 'grpc-status': '13' })), false);
    assert.equal(DEFAULT_RETRY.wants(answer(503)), false);
    assert.equal(DEFAULT_RETRY.wants({ kind: 'reset', sent: true }), false);
    assert.equal(DEFAULT_RETRY.wants({ kind: 'timeout' }), false);
  });

  const table: [string, TryOutcome, boolean][] = [
    ['5xx', answer(500), true],
    ['5xx', answer(499), false],
    ['5xx', { kind: 'connect-failure' }, true],
    ['5xx', { kind: 'timeout' }, true],
    ['gateway-error', answer(503), true],
    ['gateway-error', answer(500), false],
    ['reset', { kind: 'reset', sent: true }, true],
    ['reset', answer(500), false],
    ['reset', { kind: 'connect-failure' }, true],
    ['reset-before-request', { kind: 'reset', sent: true }, false],
    ['reset-before-request', { kind: 'reset', sent: false }, true],
    ['retriable-4xx', answer(409), true],
    ['retriable-4xx', answer(404), false],
    ['5xx', answer(503, { 'x-envoy-ratelimited': 'true' }), false],
    ['envoy-ratelimited', answer(429, { 'x-envoy-ratelimited': 'true' }), true],
    ['internal', answer(200, { 'grpc-status': '13' }), true],
  ];
  for (const [condition, outcome, wanted] of table) {
    const what = outcome.kind === 'response' ? `status ${outcome.status}` : outcome.kind;
    it(`on ${condition} ${wanted ? 'repeats' : 'does not repeat'} ${what}`, () => {
      assert.equal(policy([condition]).wants(outcome), wanted);
    });
  }

  it('goes by statuses', () => {
    assert.equal(policy([], [418]).wants(answer(418)), true);
    assert.equal(policy([], [418]).wants(answer(500)), false);
  });

  it('pauses longer from try to try, up to ten times the base', () => {
    const { pauseMs } = DEFAULT_RETRY;
    assert.deepEqual([pauseMs(1, 1), pauseMs(2, 1), pauseMs(3, 1), pauseMs(9, 1)], [25, 75, 175, 250]);
    assert.equal(pauseMs(3, 0), 0);
  });
});

describe('the time of a request', () => {
  it("is the route's, or a shorter one that a gRPC client asks for", () => {
    assert.equal(requestTimeoutMs(500, undefined), 500);
    assert.equal(requestTimeoutMs(500, '100m'), 100);
    assert.equal(requestTimeoutMs(500, '2S'), 500);
    assert.equal(requestTimeoutMs(0, '2S'), 2000);
    assert.equal(requestTimeoutMs(0, '1n'), 1);
    for (const wrong of ['', '5', 'S', '123456789S', '-1S', '1s']) assert.equal(requestTimeoutMs(7, wrong), 7, wrong);
  });
});
