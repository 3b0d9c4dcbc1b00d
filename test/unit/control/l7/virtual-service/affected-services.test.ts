import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { collectAffected } from '../../../../../src/control/affected-objects.ts';
import { DEFAULT_MESH_OPTIONS } from '../../../../../src/control/mesh-options.ts';
import { ModelBuilder } from '../../../../../src/control/model-builder.ts';
import { ObjectStore } from '../../../../../src/manifests/object-store.ts';
import { authorizationPolicy, object, service } from '../../../../helpers/manifests.ts';
import {
  BOUND,
  backendsOf,
  destinationRule,
  RouteLab,
  serviceEntry,
  virtualService,
  WEB,
  waypoint,
} from '../../../../helpers/route-lab.ts';
import { httpRoute, toService } from '../../../../helpers/routes.ts';

const to = (host: string) => ({ http: [{ route: [{ destination: { host } }] }] });
const DEST = (lab: RouteLab, hostname = WEB) => backendsOf(lab.http(0, hostname)[0]);

describe('routes follow', () => {
  it('their VirtualService when it appears, changes and goes', () => {
    const lab = new RouteLab();
    lab.add(virtualService('a', { hosts: ['web'], ...to('next') }));
    assert.deepEqual(DEST(lab), ['next.demo.svc.cluster.local=1']);
    lab.add(virtualService('a', { hosts: ['web'], ...to('web') }));
    assert.deepEqual(DEST(lab), [`${WEB}=1`]);
    lab.add(virtualService('a', { hosts: ['next'], ...to('web') }));
    assert.deepEqual(lab.ports(), []);
    lab.add(virtualService('a', { hosts: ['*.demo.svc.cluster.local'], ...to('web') }));
    assert.deepEqual(DEST(lab), [`${WEB}=1`]);
    lab.remove(virtualService('a', { hosts: ['web'], ...to('web') }));
    assert.deepEqual(lab.ports(), []);
  });

  it('what it delegates to', () => {
    const lab = new RouteLab(
      virtualService('root', { hosts: ['web'], http: [{ delegate: { name: 'part', namespace: 'team' } }] }),
    );
    const part = (host: string) => virtualService('part', to(host), { namespace: 'team' });
    assert.match(lab.note('root') ?? '', /not there/);
    lab.add(part(WEB));
    assert.deepEqual([DEST(lab), lab.note('root')], [[`${WEB}=1`], undefined]);
    lab.add(part('next.demo.svc.cluster.local'));
    assert.deepEqual(DEST(lab), ['next.demo.svc.cluster.local=1']);
    lab.remove(part(WEB));
    assert.deepEqual(lab.ports(), []);
  });

  it('the services that they send to', () => {
    const lab = new RouteLab(virtualService('test', { hosts: ['web'], ...to('late') }));
    assert.deepEqual(DEST(lab), ['none=1']);
    assert.match(lab.note() ?? '', /destination late\.demo\.svc\.cluster\.local is no service of the mesh/);
    lab.add(service('late'));
    assert.deepEqual([DEST(lab), lab.note()], [['late.demo.svc.cluster.local=1'], undefined]);
    lab.add(service('late', { type: 'ExternalName', externalName: 'a.example' }));
    assert.deepEqual(DEST(lab), ['none=1']);
    lab.remove(service('late'));
    assert.deepEqual(DEST(lab), ['none=1']);
  });

  it('the ServiceEntries that they send to', () => {
    const lab = new RouteLab(virtualService('a', { hosts: ['web'], ...to('api.example.com') }));
    lab.add(serviceEntry('ext', ['other.example.com'], { namespace: 'far' }));
    assert.deepEqual(DEST(lab), ['none=1']);
    lab.add(serviceEntry('ext', ['api.example.com'], { namespace: 'far' }));
    assert.deepEqual(DEST(lab), ['api.example.com=1']);
    lab.add(serviceEntry('ext', ['other.example.com'], { namespace: 'far' }));
    assert.deepEqual(DEST(lab), ['none=1']);
  });

  it('ServiceEntries that they are about', () => {
    const lab = new RouteLab(serviceEntry('ext', ['api.example.com'], BOUND));
    lab.add(virtualService('a', { hosts: ['api.example.com'], ...to('web') }));
    assert.deepEqual(DEST(lab, 'api.example.com'), [`${WEB}=1`]);
    lab.add(virtualService('a', { hosts: ['*.example.com'], ...to('next') }));
    assert.deepEqual(DEST(lab, 'api.example.com'), ['next.demo.svc.cluster.local=1']);
  });
});

describe('of thousands of VirtualServices', () => {
  it('one change concerns what it names, and building a service looks only at its own', () => {
    const many = Array.from({ length: 2000 }, (_, index) =>
      virtualService(`v${index}`, { hosts: [`s${index}`], ...to(`s${index}`) }),
    );
    const lab = new RouteLab(...many, service('s7', {}, BOUND));
    const affected = new Set<string>();
    const key = 'VirtualService/demo/v7';
    const object = lab.store.getByKey(key);
    assert.ok(collectAffected(lab.store, DEFAULT_MESH_OPTIONS, { key, before: object, after: object }, affected));
    assert.deepEqual([...affected].sort(), ['Service/demo/s7', key]);
    let looks = 0;
    const { all, inNamespace } = lab.store;
    lab.store.all = (kind) => {
      looks += kind === 'VirtualService' ? 1 : 0;
      return all.call(lab.store, kind) as never;
    };
    lab.store.inNamespace = (kind, namespace) => {
      looks += kind === 'VirtualService' ? 1 : 0;
      return inNamespace.call(lab.store, kind, namespace) as never;
    };
    lab.add(virtualService('v7', { hosts: ['s7'], ...to('web') }));
    assert.deepEqual(DEST(lab, 's7.demo.svc.cluster.local'), [`${WEB}=1`]);
    assert.equal(looks, 0);
  });
});

describe('after any changes', () => {
  const rules = (...hosts: string[]) => ({ http: hosts.map((host) => ({ route: [{ destination: { host } }] })) });
  const inTeam = { namespace: 'team' };
  const delegating = { http: [{ delegate: { name: 'part', namespace: 'team' } }] };
  const pool = [
    virtualService('a', { hosts: ['web'], ...rules('next') }),
    virtualService('a', { hosts: ['next', 'web'], ...rules('late') }),
    virtualService('a', { hosts: ['late.team'], ...rules('web') }),
    virtualService('b', { hosts: ['*.local'], ...rules('api.example.com') }),
    virtualService('b', { hosts: ['*.local'], ...delegating }),
    virtualService('c', { hosts: ['api.example.com'], ...delegating }),
    virtualService('part', rules('late'), inTeam),
    virtualService('part', { ...rules('late'), exportTo: ['.'] }, inTeam),
    virtualService('part', { hosts: ['late'], ...rules('late') }, inTeam),
    service('late', {}, inTeam),
    service('late', {}, { ...BOUND }),
    service('late', { type: 'ExternalName', externalName: 'x' }, inTeam),
    serviceEntry('ext', ['api.example.com', 'late.team'], BOUND),
    serviceEntry('ext', ['other.example.com'], BOUND),
    serviceEntry('far', ['api.example.com'], inTeam),
    virtualService('a', {
      hosts: ['late', 'web'],
      http: [{ route: [{ destination: { host: 'next', subset: 'v1' } }] }],
    }),
    destinationRule('a', 'next', { subsets: [{ name: 'v1' }] }),
    destinationRule('a', 'web', { subsets: [{ name: 'v1' }] }),
    destinationRule('b', '*.local', { subsets: [{ name: 'v1' }] }),
    destinationRule('c', 'next', { subsets: [{ name: 'v1' }] }),
    httpRoute('r', toService('web'), [{}]),
    httpRoute('r', toService('late', { port: 80 }), [{}]),
    service('late', { ports: [{ name: 'other', port: 81 }] }),
    object('v1', 'Namespace', 'demo', {}, { namespace: undefined, ...BOUND }),
    waypoint(),
    authorizationPolicy('p', { rules: [{}], targetRefs: ['late', 'next'].map((name) => ({ kind: 'Service', name })) }),
  ];
  const HOSTS = [WEB, 'late.demo.svc.cluster.local', 'api.example.com', 'other.example.com', 'late.team'];
  const result = (lab: RouteLab) => [HOSTS.map((host) => lab.ports(host)), [...lab.model.notes].sort()];

  it('routes and remarks are those of the objects in force', () => {
    const step = fc.tuple(fc.constantFrom(...pool), fc.boolean());
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 20 }), (steps) => {
        const lab = new RouteLab();
        for (const [raw, stays] of steps) stays ? lab.add(raw) : lab.remove(raw);
        const store = new ObjectStore();
        store.apply(
          [...lab.store.keys()].map((key) => lab.store.getByKey(key)).filter((one) => one !== undefined),
          [],
        );
        const rebuilt = new ModelBuilder(store, DEFAULT_MESH_OPTIONS);
        const anew = Object.assign(Object.create(RouteLab.prototype), { store, model: rebuilt });
        assert.deepEqual(result(lab), result(anew as RouteLab));
      }),
      { numRuns: 300 },
    );
  });
});
