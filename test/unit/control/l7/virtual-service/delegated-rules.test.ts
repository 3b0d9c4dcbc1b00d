import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { service } from '../../../../helpers/manifests.ts';
import { backendsOf, forwardOf, RouteLab, virtualService } from '../../../../helpers/route-lab.ts';

const to = (host: string) => [{ destination: { host } }];
const TEAM = { namespace: 'team' };

/** A root with one rule that delegates to `team/part`, which has these rules. */
function delegated(root: object, rules: readonly object[], more: object = {}): RouteLab {
  return new RouteLab(
    service('part', {}, TEAM),
    virtualService('test', { hosts: ['web'], http: [{ delegate: { name: 'part', namespace: 'team' }, ...root }] }),
    virtualService('part', { http: rules, ...more }, TEAM),
  );
}

describe('a rule that delegates', () => {
  it('stands for the rules of the other, whose short names are of its own namespace', () => {
    const lab = delegated({ match: [{ uri: { prefix: '/part' } }] }, [
      { match: [{ uri: { prefix: '/part/a' } }], route: to('part') },
      { match: [{ uri: { exact: '/part/b' } }], redirect: { uri: '/c' } },
      { route: to('web.demo.svc.cluster.local') },
    ]);
    assert.deepEqual(
      lab.http().map(({ match }) => match?.path?.kind),
      [
        { $case: 'prefix', prefix: '/part/a' },
        { $case: 'exact', exact: '/part/b' },
        { $case: 'prefix', prefix: '/part' },
      ],
    );
    assert.deepEqual(backendsOf(lab.http()[0]), ['part.team.svc.cluster.local=1']);
    assert.equal(lab.http()[1]?.action?.$case, 'redirect');
  });

  it('hands down what the other does not say', () => {
    const inherited = {
      timeout: '1s',
      retries: { attempts: 7 },
      fault: { abort: { percentage: { value: 1 }, httpStatus: 500 } },
      corsPolicy: { allowOrigins: [{ exact: 'https://a' }] },
      headers: { request: { set: { a: '1' } } },
      rewrite: { uri: '/r' },
      mirror: { host: 'next' },
      mirrorPercentage: { value: 10 },
    };
    const [plain] = delegated(inherited, [{ route: to('part') }]).http();
    const forward = forwardOf(plain);
    assert.deepEqual([forward.timeoutMs, forward.retry?.attempts, forward.path?.kind?.$case], [1000, 7, 'prefix']);
    assert.deepEqual(forward.mirrors[0]?.backend?.hostname, 'next.demo.svc.cluster.local');
    assert.equal(forward.mirrors[0]?.sharePpm, 100_000);
    assert.equal(plain?.fault?.abortStatus, 500);
    assert.ok(plain?.cors !== undefined);
    assert.deepEqual(plain?.requestHeaders?.set, [{ name: 'a', value: '1', isFormat: undefined }]);
    const own = { timeout: '2s', headers: { response: { remove: ['x'] } }, mirror: { host: 'part' } };
    const [other] = delegated(inherited, [{ route: to('part'), ...own }]).http();
    assert.equal(forwardOf(other).timeoutMs, 2000);
    assert.equal(other?.requestHeaders, undefined);
    assert.deepEqual(
      forwardOf(other).mirrors.map(({ backend, sharePpm }) => [backend?.hostname, sharePpm]),
      [['part.team.svc.cluster.local', 1_000_000]],
    );
  });

  it('joins the names of both', () => {
    const match = (name: string) => [{ name, uri: { prefix: '/' }, method: { exact: 'GET' } }];
    const lab = delegated({ name: 'root', match: match('a') }, [
      { name: 'leaf', match: match('b'), route: to('part') },
    ]);
    assert.deepEqual(
      lab.http().map(({ name }) => name),
      ['root-leaf.a-b'],
    );
  });

  it('combines the conditions of both', () => {
    const lab = delegated({ match: [{ uri: { prefix: '/a' }, headers: { x: {}, y: { prefix: 'b' } }, port: 80 }] }, [
      { match: [{ headers: { x: { exact: '1' } }, method: { exact: 'GET' } }], route: to('part') },
    ]);
    const [route] = lab.http(80);
    assert.deepEqual(route?.match?.path?.kind, { $case: 'prefix', prefix: '/a' });
    assert.deepEqual(route?.match?.method?.kind, { $case: 'exact', exact: 'GET' });
    assert.deepEqual(
      route?.match?.headers.map(({ name, value }) => [name, value?.kind?.$case]),
      [
        ['x', 'exact'],
        ['y', 'prefix'],
      ],
    );
    assert.deepEqual(lab.http(8080), []);
  });

  const exact = (text: string) => ({ exact: text });
  const prefix = (text: string) => ({ prefix: text });
  const uri = (match: object) => ({ uri: match });
  const CONTAINED: readonly (readonly [root: object, leaf: object, contained: boolean])[] = [
    [uri(prefix('/a')), uri(prefix('/a/b')), true],
    [uri(prefix('/a')), uri(exact('/ab')), true],
    [uri(prefix('/a/b')), uri(prefix('/a')), false],
    [uri(exact('/a')), uri(exact('/a')), true],
    [uri(exact('/a')), uri(prefix('/a')), false],
    [uri({ regex: '/a.*' }), uri(exact('/ab')), false],
    [uri(prefix('/a')), uri({ regex: '/a.*' }), false],
    [uri(prefix('/a')), { ...uri(prefix('/a')), ignoreUriCase: true }, false],
    [{ headers: { x: exact('1') } }, { headers: { x: {} } }, false],
    [{ headers: { x: {} } }, { headers: { x: exact('1') } }, true],
    [{ withoutHeaders: { x: prefix('a') } }, { withoutHeaders: { x: prefix('ab') } }, false],
    [{ withoutHeaders: { x: prefix('ab') } }, { withoutHeaders: { x: prefix('a') } }, true],
    [{ queryParams: { v: exact('1') } }, { queryParams: { v: exact('2') } }, false],
    [{ port: 80 }, { port: 8080 }, false],
    [{ port: 80 }, { port: 80 }, true],
    [{ sourceNamespace: 'demo' }, { sourceNamespace: 'other' }, false],
    [{ gateways: ['mesh'] }, { gateways: ['edge'] }, false],
    [{ gateways: ['mesh', 'edge'] }, { gateways: ['mesh'] }, true],
    [{ method: exact('GET') }, { authority: exact('a') }, true],
  ];
  for (const [root, leaf, contained] of CONTAINED) {
    it(`${contained ? 'takes' : 'leaves out'} ${JSON.stringify(leaf)} within ${JSON.stringify(root)}`, () => {
      const lab = delegated({ match: [root] }, [{ match: [leaf], route: to('part') }]);
      assert.equal(
        lab.ports().some(({ http }) => http.length > 0),
        contained,
      );
    });
  }

  it('leaves out a rule of which only a part is within the root', () => {
    const match = [uri(prefix('/a/b')), uri(prefix('/b'))];
    assert.deepEqual(delegated({ match: [uri(prefix('/a'))] }, [{ match, route: to('part') }]).http(), []);
  });

  it('does nothing where there is no such delegate, or it is not for this namespace, or has hosts', () => {
    const none = new RouteLab(
      virtualService('test', {
        hosts: ['web'],
        http: [{ delegate: { name: 'part' } }, { name: 'r', route: to('web') }],
      }),
    );
    assert.deepEqual(
      none.http().map(({ name }) => name),
      ['r'],
    );
    assert.match(none.note() ?? '', /delegates to demo\/part, which is not there/);
    assert.deepEqual(delegated({}, [{ route: to('part') }], { exportTo: ['.'] }).http(), []);
    assert.deepEqual(delegated({}, [{ route: to('part') }], { hosts: ['a.example'] }).http(), []);
    assert.equal(delegated({}, [{ route: to('part') }], { exportTo: ['demo'] }).http().length, 1);
  });
});
