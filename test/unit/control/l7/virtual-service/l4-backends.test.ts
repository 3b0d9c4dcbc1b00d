import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RouteLab, virtualService, WEB } from '../../../../helpers/route-lab.ts';

const to = (host: string, weight = 1) => ({ destination: { host }, weight });

function tcp(spec: object, port = 0): [string | undefined, number][] | undefined {
  const entry = new RouteLab(virtualService('a', { hosts: ['web'], ...spec })).ports().find((one) => one.port === port);
  if (entry?.hasTcp !== true) return undefined;
  return entry.tcp.map(({ backend, weight }) => [backend?.hostname.split('.')[0], weight]);
}

describe('rules for TCP', () => {
  it('share connections by weight', () => {
    assert.deepEqual(tcp({ tcp: [{ route: [to('web', 80), to('next', 20)] }] }), [
      ['web', 80],
      ['next', 20],
    ]);
  });

  it('are of a port, the first that holds', () => {
    const rules = [{ match: [{ port: 8080 }], route: [to('next')] }, { route: [to('web')] }];
    assert.deepEqual(tcp({ tcp: rules }, 80), [['web', 1]]);
    assert.deepEqual(tcp({ tcp: rules }, 8080), [['next', 1]]);
  });

  it('do not hold by what waypoints do not know of clients', () => {
    for (const match of [
      { sourceLabels: { a: 'b' } },
      { sourceSubnet: '10.0.0.0/8' },
      { sourceNamespace: 'x' },
      { gateways: ['edge'] },
    ]) {
      assert.equal(tcp({ tcp: [{ match: [match], route: [to('next')] }] }), undefined, JSON.stringify(match));
    }
  });

  it('look at the address of the service', () => {
    const ofSubnet = (subnet: string) =>
      tcp({ tcp: [{ match: [{ destinationSubnets: [subnet] }], route: [to('next')] }] });
    assert.deepEqual(ofSubnet('0.0.0.0/0'), [['next', 1]]);
    assert.equal(ofSubnet('192.0.2.0/24'), undefined);
  });

  it('say nothing of HTTP, nor those of HTTP of them', () => {
    const lab = new RouteLab(virtualService('a', { hosts: ['web'], tcp: [{ route: [to('next')] }] }));
    assert.deepEqual(
      lab.ports().map(({ hasHttp, hasTcp }) => [hasHttp, hasTcp]),
      [[false, true]],
    );
    assert.equal(tcp({ http: [{ route: [to('next')] }] }), undefined);
  });
});

describe('rules for TLS', () => {
  const tls = (match: object, hosts: string[] = [WEB]) =>
    tcp({ hosts, tls: [{ match: [match], route: [to('next')] }] }, 0);

  it('hold where the one name is that of the service', () => {
    assert.deepEqual(tls({ sniHosts: [WEB] }), [['next', 1]]);
  });

  it('do not hold for other names, or several', () => {
    assert.equal(tls({ sniHosts: ['*.local'] }, ['*.local']), undefined);
    assert.equal(tls({ sniHosts: [WEB, 'a.local'] }, ['*.local']), undefined);
  });
});
