import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PortChoice } from '../../../../../src/proto/gen/ambit.ts';
import { backendsOf, forwardOf, RouteLab } from '../../../../helpers/route-lab.ts';

const TO_WEB = [{ destination: { host: 'web' } }];
const WEB = 'web.demo.svc.cluster.local';
const NEXT = 'next.demo.svc.cluster.local';

function only(rule: object) {
  const routes = RouteLab.withRules(rule).http();
  assert.equal(routes.length, 1);
  return routes[0];
}

describe('destinations', () => {
  const to = (host: string, weight?: number, more: object = {}) => ({
    destination: { host, ...more },
    ...(weight === undefined ? {} : { weight }),
  });

  it('take all if there is one, whatever its weight', () => {
    assert.deepEqual(backendsOf(only({ route: [to('web')] })), [`${WEB}=1`]);
    assert.deepEqual(backendsOf(only({ route: [to('web', 0)] })), [`${WEB}=1`]);
    assert.deepEqual(backendsOf(only({ route: [to('web', 30)] })), [`${WEB}=1`]);
  });

  it('share by weight, those without any left out', () => {
    assert.deepEqual(backendsOf(only({ route: [to('web', 90), to('next', 10), to('web', 0), to('web')] })), [
      `${WEB}=90`,
      `${NEXT}=10`,
    ]);
  });

  it('name a port and a subset', () => {
    const route = [to('web', 1, { subset: 'v2', port: { number: 8080 } })];
    assert.deepEqual(backendsOf(only({ route })), [`${WEB}:8080/v2=1`]);
  });

  it('that are not there are answered with 503', () => {
    const route = only({ route: [to('web', 1), to('nobody', 1)] });
    assert.deepEqual(backendsOf(route), [`${WEB}=1`, 'none=1']);
    assert.equal(forwardOf(route).missingStatus, 503);
  });

  it('are in the namespace that their name says', () => {
    const [backend] = forwardOf(only({ route: [to(NEXT)] })).backends;
    assert.deepEqual([backend?.backend?.namespace, backend?.backend?.hostname], ['demo', NEXT]);
  });
});

describe('changes of headers', () => {
  const request = { set: { 'X-A': '1' }, add: { 'x-b': '100%%' }, remove: ['X-C'] };
  const built = {
    set: [{ name: 'x-a', value: '1', isFormat: undefined }],
    add: [{ name: 'x-b', value: '100%', isFormat: undefined }],
    remove: ['x-c'],
  };

  it('are those of the rule', () => {
    const route = only({ route: TO_WEB, headers: { request, response: { set: { server: 'x' } } } });
    assert.deepEqual(route?.requestHeaders, built);
    assert.deepEqual(route?.responseHeaders?.set, [{ name: 'server', value: 'x', isFormat: undefined }]);
  });

  it('are those of a destination', () => {
    const route = only({ route: [{ destination: { host: 'web' }, headers: { request } }] });
    assert.deepEqual(forwardOf(route).backends[0]?.requestHeaders, built);
    assert.equal(route?.requestHeaders, undefined);
  });

  it('of the host rewrite the authority', () => {
    const route = only({ route: TO_WEB, headers: { request: { set: { Host: 'a.example' } } } });
    assert.equal(forwardOf(route).authority, 'a.example');
    assert.deepEqual(route?.requestHeaders?.set, []);
    assert.equal(
      forwardOf(only({ route: TO_WEB, headers: { request: { add: { ':authority': 'b' } } } })).authority,
      'b',
    );
  });

  it('of the host by a rule win over those of its only destination', () => {
    const headers = (host: string) => ({ headers: { request: { set: { host } } } });
    const single = only({ ...headers('rule'), route: [{ destination: { host: 'web' }, ...headers('to') }] });
    assert.deepEqual([forwardOf(single).authority, forwardOf(single).backends[0]?.authority], ['rule', '']);
    const own = only({ route: [{ destination: { host: 'web' }, ...headers('to') }] });
    assert.deepEqual([forwardOf(own).authority, forwardOf(own).backends[0]?.authority], ['', 'to']);
  });

  it('say whether there is something to fill in', () => {
    const set = { A: '%REQ(x)%', b: '%START_TIME(%s)% 5%%', c: '5%%' };
    const lab = RouteLab.withRules({ route: TO_WEB, headers: { request: { set } } });
    assert.deepEqual(lab.http()[0]?.requestHeaders?.set, [
      { name: 'a', value: '%REQ(x)%', isFormat: true },
      { name: 'b', value: '%START_TIME(%s)% 5%%', isFormat: true },
      { name: 'c', value: '5%', isFormat: undefined },
    ]);
    assert.equal(lab.note(), undefined);
  });

  it('are left out with operators that waypoints cannot fill in', () => {
    const set = { a: '%TRAILER(x)%', b: '%ENVIRONMENT(HOME)%', c: 'x', host: '%REQ(x)%' };
    const lab = RouteLab.withRules({ route: TO_WEB, headers: { request: { set } } });
    assert.deepEqual(lab.http()[0]?.requestHeaders?.set, [{ name: 'c', value: 'x', isFormat: undefined }]);
    assert.equal(forwardOf(lab.http()[0]).authority, '');
    assert.match(lab.note() ?? '', /http\[0\] leaves out the header a: .*TRAILER.*header b: .*secrets.*header host:/);
  });
});

describe('a rewrite', () => {
  const path = (match: object | undefined, rewrite: object) =>
    forwardOf(only({ ...(match && { match: [match] }), route: TO_WEB, rewrite })).path?.kind;

  it('of a matched prefix replaces that, of anything else the whole path', () => {
    const rewrite = { uri: '/new' };
    assert.deepEqual(path({ uri: { prefix: '/old' } }, rewrite), { $case: 'prefix', prefix: '/new' });
    assert.deepEqual(path(undefined, rewrite), { $case: 'prefix', prefix: '/new' });
    assert.deepEqual(path({ uri: { exact: '/old' } }, rewrite), { $case: 'full', full: '/new' });
    assert.deepEqual(path({ uri: { regex: '/o.*' } }, rewrite), { $case: 'full', full: '/new' });
  });

  it('by regular expression and of the authority', () => {
    assert.deepEqual(path(undefined, { uriRegexRewrite: { match: '^/a/(.*)$', rewrite: '/b/\\1' } }), {
      $case: 'regex',
      regex: { pattern: '^/a/(.*)$', substitution: '/b/\\1' },
    });
    assert.equal(forwardOf(only({ route: TO_WEB, rewrite: { authority: 'x.example' } })).authority, 'x.example');
  });
});

describe('a redirect', () => {
  const redirect = (fields: object, match: object = { uri: { prefix: '/old' } }) => {
    const action = only({ match: [match], redirect: fields })?.action;
    assert.ok(action?.$case === 'redirect');
    return action.redirect;
  };

  it('has the parts that are given', () => {
    assert.deepEqual(redirect({ uri: '/x', authority: 'a.example', scheme: 'https', port: 8443, redirectCode: 308 }), {
      scheme: 'https',
      authority: 'a.example',
      port: 8443,
      path: { kind: { $case: 'full', full: '/x' } },
      status: 308,
      portChoice: PortChoice.BY_SCHEME_OR_REQUEST,
    });
  });

  it('is a 301 by default, and keeps the rest of the request', () => {
    assert.deepEqual(redirect({ prefixRewrite: '/new' }), {
      scheme: '',
      authority: '',
      port: 0,
      path: { kind: { $case: 'prefix', prefix: '/new' } },
      status: 301,
      portChoice: PortChoice.AS_CALLED,
    });
  });

  it('derives the port where asked to', () => {
    const of = (derivePort: string) => redirect({ authority: 'a', derivePort }).portChoice;
    assert.equal(of('FROM_PROTOCOL_DEFAULT'), PortChoice.FROM_PROTOCOL_DEFAULT);
    assert.equal(of('FROM_REQUEST_PORT'), PortChoice.FROM_REQUEST_PORT);
  });

  it('with a status that does not redirect is answered with 503', () => {
    const lab = RouteLab.withRules({ redirect: { uri: '/x', redirectCode: 304 } });
    assert.deepEqual(forwardOf(lab.http()[0]).backends, []);
    assert.equal(forwardOf(lab.http()[0]).missingStatus, 503);
    assert.match(lab.note() ?? '', /304/);
  });
});

describe('a direct response', () => {
  const response = (directResponse: object) => {
    const action = only({ directResponse })?.action;
    assert.ok(action?.$case === 'directResponse');
    return [action.directResponse.status, action.directResponse.body.toString()];
  };

  it('has a text, bytes or nothing', () => {
    assert.deepEqual(response({ status: 418, body: { string: 'tea ☕' } }), [418, 'tea ☕']);
    assert.deepEqual(response({ status: 200, body: { bytes: 'aGVsbG8=' } }), [200, 'hello']);
    assert.deepEqual(response({ status: 404 }), [404, '']);
  });
});

describe('mirrors', () => {
  const mirrors = (fields: object) =>
    forwardOf(only({ route: TO_WEB, ...fields })).mirrors.map(({ backend, sharePpm }) => [backend?.hostname, sharePpm]);

  it('get all requests or a share of them', () => {
    const mirror = { host: 'next', subset: 'v2' };
    assert.deepEqual(mirrors({ mirror }), [[NEXT, 1_000_000]]);
    assert.deepEqual(mirrors({ mirror, mirrorPercentage: { value: 12.5 } }), [[NEXT, 125_000]]);
    assert.deepEqual(mirrors({ mirror, mirrorPercent: 30 }), [[NEXT, 300_000]]);
    assert.deepEqual(mirrors({ mirror, mirrorPercentage: { value: 0 } }), []);
  });

  it('may be several, and are left out where there is no such service', () => {
    const list = [{ destination: { host: 'next' }, percentage: { value: 1 } }, { destination: { host: 'nobody' } }];
    assert.deepEqual(mirrors({ mirrors: list }), [[NEXT, 10_000]]);
  });
});

describe('a CORS policy', () => {
  it('is passed on whole', () => {
    const corsPolicy = {
      allowOrigins: [{ exact: 'https://a.example' }, { regex: '.*' }, { exact: '*' }],
      allowMethods: ['GET'],
      allowHeaders: ['x-a'],
      exposeHeaders: ['x-b'],
      maxAge: '24h',
      allowCredentials: true,
      unmatchedPreflights: 'IGNORE',
    };
    const cors = only({ route: TO_WEB, corsPolicy })?.cors;
    assert.deepEqual(
      cors?.allowOrigins.map(({ kind }) => kind?.$case),
      ['exact', 'regex', 'present'],
    );
    const { allowOrigins: _, ...rest } = cors ?? {};
    assert.deepEqual(rest, {
      allowMethods: ['GET'],
      allowHeaders: ['x-a'],
      exposeHeaders: ['x-b'],
      maxAgeSec: 86_400,
      allowCredentials: true,
      answerUnmatchedPreflights: true,
    });
  });

  it('takes the old list of origins, and forwards preflights that do not match', () => {
    const cors = only({ route: TO_WEB, corsPolicy: { allowOrigin: ['https://a.example'] } })?.cors;
    assert.deepEqual(cors?.allowOrigins[0]?.kind, { $case: 'exact', exact: 'https://a.example' });
    assert.equal(cors?.answerUnmatchedPreflights, false);
  });
});
