import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { service } from '../../../../helpers/manifests.ts';
import { BOUND, RouteLab, serviceEntry, virtualService, WEB, waypoint } from '../../../../helpers/route-lab.ts';

const TO_WEB = [{ destination: { host: WEB } }];

/** One rule that does not take everything, so that those of others follow it. */
function named(name: string, spec: object = {}, meta: Record<string, unknown> = {}): unknown {
  const http = [{ name, match: [{ uri: { exact: '/' } }], route: TO_WEB }];
  return virtualService(name, { hosts: ['web'], http, ...spec }, meta);
}

function names(lab: RouteLab, hostname = WEB): string[] {
  return lab.http(0, hostname).map(({ name }) => name);
}

describe('a VirtualService is for a service', () => {
  const covered = (host: string) => names(new RouteLab(named('a', { hosts: [host] }))).length > 0;

  it('that it names in short, in full, in other case or by a wildcard', () => {
    for (const host of ['web', 'WEB', WEB, 'Web.demo.svc.cluster.local', '*.demo.svc.cluster.local', '*.local']) {
      assert.ok(covered(host), host);
    }
  });

  it('and no other', () => {
    for (const host of [
      'next',
      'web.demo',
      'web.demo.svc',
      'web.other.svc.cluster.local',
      '*.other.svc.cluster.local',
    ]) {
      assert.ok(!covered(host), host);
    }
  });

  it('of the mesh, unless it is for gateways only', () => {
    assert.deepEqual(names(new RouteLab(named('a', { gateways: ['edge'] }))), []);
    assert.deepEqual(names(new RouteLab(named('a', { gateways: ['edge', 'mesh'] }))), ['a']);
  });

  it('only behind a waypoint', () => {
    assert.deepEqual(new RouteLab(named('a', { hosts: ['next'] })).ports('next.demo.svc.cluster.local'), []);
  });

  it('that comes of a ServiceEntry', () => {
    const entry = serviceEntry('ext', ['api.example.com', '*.w.example.com'], BOUND);
    const lab = new RouteLab(
      entry,
      named('a', { hosts: ['api.example.com'] }),
      named('b', { hosts: ['*.example.com'] }),
      named('c', { hosts: ['x.w.example.com'] }),
    );
    assert.deepEqual(names(lab, 'api.example.com'), ['a', 'b']);
    assert.deepEqual(names(lab, '*.w.example.com'), ['b']);
  });
});

describe('VirtualServices of one service', () => {
  it('are in the order of their age, then of name', () => {
    const at = (creationTimestamp: string) => ({ creationTimestamp });
    const lab = new RouteLab(
      named('b', {}, at('2026-01-02T00:00:00Z')),
      named('a', {}, at('2026-01-02T00:00:00Z')),
      named('c', {}, at('2026-01-01T00:00:00Z')),
      named('d'),
    );
    assert.deepEqual(names(lab), ['d', 'c', 'a', 'b']);
  });

  it('each end at what takes everything, and the next one follows', () => {
    const http = [
      { name: 'all', route: TO_WEB },
      { name: 'never', match: [{ uri: { exact: '/n' } }], route: TO_WEB },
    ];
    assert.deepEqual(names(new RouteLab(virtualService('a', { hosts: ['web'], http }), named('b'))), ['all', 'b']);
  });
});

describe('with a waypoint in another namespace', () => {
  const other = { namespace: 'infra' };
  const bound = {
    labels: { 'istio.io/use-waypoint': 'waypoint', 'istio.io/use-waypoint-namespace': 'infra' },
  };
  const base = [waypoint('infra'), service('web', {}, bound)];

  it('those of the service’s and of the waypoint’s namespace count', () => {
    const lab = new RouteLab(
      ...base,
      named('own'),
      named('waypoints', { hosts: [WEB] }, other),
      named('third', { hosts: [WEB] }, { namespace: 'third' }),
      named('short', { hosts: ['web'] }, other),
    );
    assert.deepEqual(names(lab), ['own', 'waypoints']);
  });

  it('those count that are exported to the waypoint’s namespace', () => {
    const exported = (...exportTo: string[]) => names(new RouteLab(...base, named('own', { exportTo }))).length === 1;
    assert.deepEqual(
      [exported('*'), exported('infra'), exported('.', 'infra'), exported('.'), exported('third')],
      [true, true, true, false, false],
    );
  });

  it('it is found by its address where it has no Service', () => {
    const gateway = {
      ...(waypoint('infra') as object),
      status: { addresses: [{ type: 'IPAddress', value: '10.0.0.9' }] },
    };
    const lab = new RouteLab(gateway, base[1], named('waypoints', { hosts: [WEB] }, other));
    assert.deepEqual(names(lab), ['waypoints']);
  });
});
