import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { service } from '../../../../helpers/manifests.ts';
import {
  BOUND,
  destinationRule,
  RouteLab,
  serviceEntry,
  virtualService,
  waypoint,
} from '../../../../helpers/route-lab.ts';
import { httpRoute, toService } from '../../../../helpers/routes.ts';

const to = (...hosts: string[]) => ({ route: hosts.map((host) => ({ destination: { host }, weight: 1 })) });
const PROD = { namespace: 'prod' };

function noteOf(spec: object, ...more: readonly unknown[]): string | undefined {
  return new RouteLab(virtualService('test', { hosts: ['web'], ...spec }), ...more).note();
}

describe('whoever wrote a VirtualService is told', () => {
  it('nothing where all is well', () => {
    assert.equal(noteOf({ http: [{ match: [{ uri: { prefix: '/' } }], ...to('web', 'next') }] }), undefined);
  });

  it('of destinations that are no services, with those of mirrors', () => {
    const note = noteOf({ http: [{ ...to('nobody'), mirrors: [{ destination: { host: 'a.example' } }] }] });
    assert.equal(
      note,
      'destination nobody.demo.svc.cluster.local is no service of the mesh: requests for it get 503; ' +
        'mirror a.example is no service of the mesh: copies for it are not sent',
    );
  });

  it('of names that are not completed, as host and as destination', () => {
    const note = noteOf({ hosts: ['reviews.prod'], http: [to('reviews.prod.svc')] }, service('reviews', {}, PROD));
    assert.equal(
      note,
      'host reviews.prod is not completed: write reviews.prod.svc.cluster.local; ' +
        'destination reviews.prod.svc is not completed (write reviews.prod.svc.cluster.local): requests for it get 503',
    );
    const entry = serviceEntry('e', ['reviews.prod', 'reviews.prod.svc'], BOUND);
    const known = noteOf({ hosts: ['reviews.prod'], http: [to('reviews.prod')] }, service('reviews', {}, PROD), entry);
    assert.equal(known, undefined);
  });

  it('of ports that the destination does not have', () => {
    const route = (port: number) => ({ route: [{ destination: { host: 'next', port: { number: port } } }] });
    assert.equal(noteOf({ http: [route(80)] }), undefined);
    const problem = 'destination next.demo.svc.cluster.local has no port 81';
    assert.equal(noteOf({ http: [route(81)] }), `${problem}: requests for it get 503`);
    assert.equal(noteOf({ tcp: [route(81)] }), `${problem}: connections for it are closed`);
  });

  it('of subsets that no DestinationRule of the host has, as long as that is so', () => {
    const lab = new RouteLab(
      virtualService('test', { hosts: ['web'], http: [{ route: [{ destination: { host: 'next', subset: 'v1' } }] }] }),
    );
    const missing = 'destination next.demo.svc.cluster.local has no subset v1 in any DestinationRule';
    assert.equal(lab.note(), `${missing}: requests for it get 503`);
    const rule = (...names: string[]) => destinationRule('next', 'next', { subsets: names.map((name) => ({ name })) });
    lab.add(rule('v1', 'v2'));
    assert.equal(lab.note(), undefined);
    lab.add(rule('v2'));
    assert.match(lab.note() ?? '', /has no subset v1/);
    lab.add(destinationRule('next', '*.local', { subsets: [{ name: 'v1' }] }));
    assert.equal(lab.note(), undefined);
    lab.remove(rule());
    assert.match(lab.note() ?? '', /has no subset v1/);
  });

  it('of a host that is no service, unless it may be one of a gateway', () => {
    const spec = { hosts: ['web', 'late'], http: [to('web')] };
    assert.equal(noteOf(spec), 'host late.demo.svc.cluster.local is no service of the mesh');
    assert.equal(noteOf({ ...spec, gateways: ['mesh', 'edge'] }), undefined);
    assert.equal(noteOf({ ...spec, hosts: ['*.example.com'] }), undefined);
    const lab = new RouteLab(virtualService('test', spec));
    lab.add(service('late', {}, BOUND));
    assert.equal(lab.note(), undefined);
    lab.remove(service('late'));
    assert.match(lab.note() ?? '', /late.* is no service/);
  });

  it('of a service without a waypoint, as long as it has none', () => {
    const lab = new RouteLab(virtualService('test', { hosts: ['next'], http: [to('next')] }));
    assert.equal(lab.note(), 'Service demo/next is not bound to a waypoint: its requests are not routed');
    lab.add(service('next', {}, BOUND));
    assert.equal(lab.note(), undefined);
    lab.remove(waypoint());
    assert.match(lab.note() ?? '', /not bound/);
  });

  it('of a namespace whose VirtualServices the service does not take, and of a waypoint that does not see it', () => {
    const spec = { hosts: ['web.demo.svc.cluster.local'], http: [to('web.demo.svc.cluster.local')] };
    const elsewhere = new RouteLab(virtualService('test', spec, PROD));
    assert.equal(
      elsewhere.note('test', 'prod'),
      'Service demo/web takes VirtualServices only of its own namespace and of the namespace of its waypoint',
    );
    assert.equal(
      noteOf({ exportTo: ['prod'], http: [to('web')] }),
      'exportTo leaves out demo, where the waypoint of Service demo/web is',
    );
  });

  it('of routes of the Gateway API that hold in its place, as long as they do', () => {
    const lab = new RouteLab(virtualService('test', { hosts: ['web'], http: [to('web')] }));
    lab.add(httpRoute('r', toService('web', { port: 80 }), [{}]));
    assert.equal(lab.note(), 'HTTPRoute demo/r holds for port 80 of Service demo/web in its place');
    lab.add(httpRoute('r', toService('web'), [{}]));
    assert.equal(lab.note(), 'HTTPRoute demo/r holds for the requests of Service demo/web in its place');
    lab.add(httpRoute('r', toService('next'), [{}]));
    assert.equal(lab.note(), undefined);
    lab.add(httpRoute('r', toService('web', { port: 81 }), [{}]));
    assert.equal(lab.note(), undefined);
  });

  it('of nothing where a field names statistics, or sends retries to other localities', () => {
    const rule = { match: [{ statPrefix: 'a' }], retries: { attempts: 1, retryRemoteLocalities: true }, ...to('web') };
    assert.equal(noteOf({ http: [rule] }), undefined);
  });

  it('of conditions on clients that never hold', () => {
    const match = [{ port: 80 }, { sourceLabels: { app: 'a' } }];
    assert.match(noteOf({ http: [{ match, ...to('web') }] }) ?? '', /^http\[0\]\.match\[1\] never holds: .*labels/);
    assert.match(noteOf({ tcp: [{ match, ...to('web') }] }) ?? '', /^tcp\[0\]\.match\[1\] never holds/);
  });

  it('no more than a few things', () => {
    const note = noteOf({ http: [to('a', 'b', 'c', 'd', 'e', 'f', 'g')] });
    assert.match(note ?? '', /; and 2 more$/);
  });

  it('nothing of what is for gateways only', () => {
    assert.equal(noteOf({ gateways: ['edge'], http: [to('nobody')] }), undefined);
  });
});
