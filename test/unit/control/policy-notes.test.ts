import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { authorizationPolicy, object, service } from '../../helpers/manifests.ts';
import { BOUND, RouteLab } from '../../helpers/route-lab.ts';

const target = (...names: string[]) => ({
  targetRefs: names.map((name) => ({ group: '', kind: 'Service', name })),
});
const allow = (spec: object) => authorizationPolicy('p', { action: 'ALLOW', rules: [{}], ...spec });
const tokens = (spec: object, meta: Record<string, unknown> = {}) =>
  object('security.istio.io/v1', 'RequestAuthentication', 'p', spec, meta);

const namespace = (labels: object) => object('v1', 'Namespace', 'demo', {}, { namespace: undefined, labels });

function noteOf(lab: RouteLab, kind = 'AuthorizationPolicy', owner = 'demo'): string | undefined {
  return lab.model.notes.get(`${kind}/${owner}/p`);
}

describe('whoever wrote a policy is told', () => {
  it('nothing where a waypoint enforces it', () => {
    assert.equal(noteOf(new RouteLab(allow(target('web')))), undefined);
    assert.equal(noteOf(new RouteLab(tokens(target('web'))), 'RequestAuthentication'), undefined);
  });

  it('of a target that does not exist or has no waypoint, as long as that is so', () => {
    const lab = new RouteLab(allow(target('late')));
    assert.equal(noteOf(lab), 'Service demo/late does not exist');
    lab.add(service('late'));
    assert.equal(noteOf(lab), 'Service demo/late is not bound to a waypoint');
    lab.add(service('late', {}, BOUND));
    assert.equal(noteOf(lab), undefined);
    lab.remove(service('late'));
    assert.equal(noteOf(lab), 'Service demo/late does not exist');
  });

  it('of a target whose namespace gets and loses a waypoint', () => {
    const lab = new RouteLab(tokens(target('next')));
    const note = () => noteOf(lab, 'RequestAuthentication');
    assert.equal(note(), 'Service demo/next is not bound to a waypoint');
    lab.add(namespace(BOUND.labels));
    assert.equal(note(), undefined);
    lab.add(namespace({}));
    assert.equal(note(), 'Service demo/next is not bound to a waypoint');
  });

  it('of the one target of several that is not there', () => {
    assert.equal(noteOf(new RouteLab(allow(target('web', 'gone')))), 'Service demo/gone does not exist');
  });

  it('of what ztunnel does not check', () => {
    const rules = [{ to: [{ operation: { methods: ['GET'] } }] }];
    assert.match(
      noteOf(new RouteLab(allow({ rules }))) ?? '',
      /ztunnel does not support HTTP attributes \(found: methods\)/,
    );
  });

  it('of tokens that nobody checks', () => {
    const unread = /^nobody reads it/;
    const note = (spec: object, owner = 'demo') =>
      noteOf(new RouteLab(tokens(spec, { namespace: owner })), 'RequestAuthentication', owner);
    assert.match(note({}) ?? '', unread);
    assert.match(note({ selector: { matchLabels: { app: 'web' } } }) ?? '', unread);
    assert.match(note({ selector: { matchLabels: { app: 'web' } } }, 'istio-system') ?? '', unread);
    assert.equal(note({}, 'istio-system'), undefined);
  });

  it('of a class that it may not speak for', () => {
    const targetRefs = [{ group: 'gateway.networking.k8s.io', kind: 'GatewayClass', name: 'istio-waypoint' }];
    assert.equal(
      noteOf(new RouteLab(allow({ targetRefs }))),
      'GatewayClass istio-waypoint takes policies of istio-system only',
    );
  });
});
