import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HttpRouteRule } from '../../../../src/model/manifest/http-route.ts';
import { readObject } from '../../../../src/model/manifest/read-object.ts';
import { object } from '../../../helpers/manifests.ts';
import { httpRoute, parseObject, toService } from '../../../helpers/routes.ts';

function rule(fields: object): HttpRouteRule {
  const route = parseObject(httpRoute('r', toService('web'), [fields]));
  assert.ok(route.kind === 'HTTPRoute' && route.rules[0] !== undefined);
  return route.rules[0];
}

function problems(fields: object): string[] {
  const reading = readObject(httpRoute('r', toService('web'), [fields]), () => ({ file: '', line: 1, column: 1 }));
  return reading.kind === 'refused' ? reading.problems.map(({ field, reason }) => `${field}: ${reason}`) : [];
}

const backend = { name: 'web', port: 80 };

describe('an HTTPRoute', () => {
  it('is for everything when a rule says nothing, or when there are no rules', () => {
    const everything = { path: { type: 'PathPrefix', value: '/' }, headers: [], query: [], method: undefined };
    assert.deepEqual(rule({}).matches, [everything]);
    const route = parseObject(object('gateway.networking.k8s.io/v1beta1', 'HTTPRoute', 'r', {}));
    assert.deepEqual(route.kind === 'HTTPRoute' && route.rules.map(({ matches }) => matches), [[everything]]);
  });

  it('has parents in its own namespace, and gateways unless it says otherwise', () => {
    const route = parseObject(httpRoute('r', { name: 'gate' }, []));
    assert.ok(route.kind === 'HTTPRoute');
    const written = { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'gate' };
    assert.deepEqual(route.parents, [
      { ...written, namespace: 'demo', sectionName: undefined, port: undefined, written },
    ]);
  });

  it('names what is wrong with the sessions of a rule', () => {
    const session = (sessionPersistence: object) => problems({ sessionPersistence });
    assert.deepEqual(session({ sessionName: 'a', idleTimeout: '1m' }), []);
    assert.match(session({ cookieConfig: { lifetimeType: 'Permanent' } })[0] ?? '', /absoluteTimeout: is required/);
    assert.match(session({ sessionName: 'a b' })[0] ?? '', /sessionName: .*is not the name/);
    assert.match(session({ sessionName: 'a'.repeat(129) })[0] ?? '', /sessionName: .*128/);
    assert.match(session({ sessionName: 'Host', type: 'Header' })[0] ?? '', /sessionName: is a header of the conn/);
    assert.match(session({ type: 'Query' })[0] ?? '', /type: must be one of/);
    assert.match(session({ nonsense: 1 })[0] ?? '', /nonsense: is not a known field/);
  });

  it('takes a prefix with and without a slash at its end as the same', () => {
    const values = ['/foo/', '/foo', '/'].map(
      (value) => rule({ matches: [{ path: { value } }] }).matches[0]?.path.value,
    );
    assert.deepEqual(values, ['/foo', '/foo', '/']);
  });

  it('takes the first of several headers with one name, in any case, and keeps the case of parameters', () => {
    const headers = [
      { name: 'X-A', value: '1' },
      { name: 'x-a', value: '2' },
    ];
    const queryParams = [
      { name: 'Q', value: 'a.*', type: 'RegularExpression' },
      { name: 'q', value: 'b' },
    ];
    const [match] = rule({ matches: [{ headers, queryParams, method: 'GET' }] }).matches;
    assert.deepEqual(match?.headers, [{ name: 'x-a', value: '1', isRegex: false }]);
    assert.deepEqual(
      match?.query.map(({ name, isRegex }) => [name, isRegex]),
      [
        ['Q', true],
        ['q', false],
      ],
    );
  });

  it('reads the share of a mirror as percent, as a fraction, or as all', () => {
    const share = (fields: object) => {
      const requestMirror = { backendRef: backend, ...fields };
      const [filter] = rule({ filters: [{ type: 'RequestMirror', requestMirror }] }).filters;
      return filter?.type === 'RequestMirror' ? filter.sharePpm : undefined;
    };
    assert.deepEqual(
      [share({}), share({ percent: 5 }), share({ fraction: { numerator: 1, denominator: 8 } })],
      [1_000_000, 50_000, 125_000],
    );
  });

  it('is not refused for a filter that is not supported', () => {
    const filters = [{ type: 'ExtensionRef', extensionRef: { group: 'x', kind: 'Y', name: 'z' } }];
    assert.deepEqual(rule({ filters }).filters, [{ type: 'unsupported', name: 'ExtensionRef' }]);
  });

  it('takes a filter of its only backend as one of the rule, where backends cannot differ in it', () => {
    const filters = [{ type: 'RequestRedirect', requestRedirect: { hostname: 'a.org' } }];
    const alone = rule({ backendRefs: [{ ...backend, filters }] });
    assert.deepEqual([alone.filters[0]?.type, alone.backends[0]?.filters], ['RequestRedirect', []]);
    const several = rule({ backendRefs: [{ ...backend, filters }, backend] });
    assert.deepEqual(several.backends[0]?.filters, [{ type: 'unsupported', name: 'RequestRedirect' }]);
  });

  it('says what is wrong, field by field', () => {
    const redirect = { type: 'RequestRedirect', requestRedirect: { statusCode: 304 } };
    const rewrite = { type: 'URLRewrite', urlRewrite: { path: { type: 'ReplaceFullPath', replaceFullPath: '/a b' } } };
    const cases: [object, string[]][] = [
      [
        { matches: [{ path: { value: 'foo' } }] },
        ['spec.rules[0].matches[0].path.value: must start with "/", is "foo"'],
      ],
      [{ matches: [{ hedders: [] }] }, ['spec.rules[0].matches[0].hedders: is not a known field']],
      [
        { matches: [{ path: { type: 'RegularExpression', value: '(' } }] },
        ['spec.rules[0].matches[0].path.value: has a ( without its )'],
      ],
      [{ backendRefs: [{ name: 'web' }] }, ['spec.rules[0].backendRefs[0].port: is required for a Service']],
      [
        { filters: [redirect] },
        ['spec.rules[0].filters[0].requestRedirect.statusCode: must be one of 301, 302, 303, 307, 308, is 304'],
      ],
      [
        { filters: [{ type: 'RequestRedirect', requestRedirect: {} }, rewrite] },
        [
          'spec.rules[0].filters[1].urlRewrite.path.replaceFullPath: must be without spaces and control characters',
          'spec.rules[0].filters: RequestRedirect and URLRewrite cannot be combined in one rule',
        ],
      ],
      [{ filters: [{ type: 'CORS' }] }, ['spec.rules[0].filters[0].cors: is required']],
      [
        { timeouts: { request: '1.5s' } },
        ['spec.rules[0].timeouts.request: "1.5s" is not a duration such as 10s, 1m30s or 500ms'],
      ],
      [
        { timeouts: { request: '1s', backendRequest: '2s' } },
        ['spec.rules[0].timeouts.backendRequest: must not be longer than request'],
      ],
      [{ retry: { codes: [200] } }, ['spec.rules[0].retry.codes: must be a list of numbers from 400 to 599']],
    ];
    for (const [fields, expected] of cases) assert.deepEqual(problems(fields), expected);
  });

  it('replaces a prefix only where a prefix matched', () => {
    const path = { type: 'ReplacePrefixMatch', replacePrefixMatch: '/' };
    const filters = [{ type: 'URLRewrite', urlRewrite: { path } }];
    assert.deepEqual(problems({ filters, matches: [{ path: { type: 'Exact', value: '/a' } }] }), [
      'spec.rules[0].filters: ReplacePrefixMatch needs matches of type PathPrefix',
    ]);
    assert.deepEqual(problems({ filters, matches: [{ path: { value: '/a' } }] }), []);
  });
});
