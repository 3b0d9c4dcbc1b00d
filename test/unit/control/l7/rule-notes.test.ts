import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { destinationRule, RouteLab, serviceEntry } from '../../../helpers/route-lab.ts';

const noteOf = (lab: RouteLab, name: string) => lab.model.notes.get(`DestinationRule/demo/${name}`);
const subsets = (...names: string[]) => ({ subsets: names.map((name) => ({ name })) });
const trafficPolicy = { connectionPool: { tcp: { maxConnections: 1 } } };
const BOTH = { trafficPolicy, ...subsets('v1', 'v2') };

describe('whoever wrote a DestinationRule is told', () => {
  it('what an older rule of the host says already, as long as it does', () => {
    const lab = new RouteLab(destinationRule('a', 'web', { trafficPolicy, ...subsets('v1') }));
    lab.add(destinationRule('b', 'web.demo.svc.cluster.local', BOTH));
    assert.equal(noteOf(lab, 'a'), undefined);
    assert.equal(
      noteOf(lab, 'b'),
      'trafficPolicy does not hold: DestinationRule a has it for the same host; ' +
        'subset v1 does not hold: DestinationRule a has it for the same host',
    );
    lab.add(destinationRule('a', 'web', subsets('v2')));
    assert.equal(noteOf(lab, 'b'), 'subset v2 does not hold: DestinationRule a has it for the same host');
    lab.add(destinationRule('a', 'next', BOTH));
    assert.equal(noteOf(lab, 'b'), undefined);
  });

  it('the same by time before name', () => {
    const at = (time: string) => ({ creationTimestamp: time });
    const lab = new RouteLab(
      destinationRule('a', 'web', BOTH, at('2026-01-02T00:00:00Z')),
      destinationRule('b', 'web', { trafficPolicy }, at('2026-01-01T00:00:00Z')),
    );
    assert.match(noteOf(lab, 'a') ?? '', /^trafficPolicy does not hold: DestinationRule b/);
    assert.equal(noteOf(lab, 'b'), undefined);
  });

  it('nothing of rules that it is not merged with', () => {
    const lab = new RouteLab(
      destinationRule('a', 'web', { ...BOTH, workloadSelector: { matchLabels: { app: 'a' } } }),
      destinationRule('b', '*.local', BOTH),
      destinationRule('c', 'web.demo.svc.cluster.local', BOTH, { namespace: 'prod' }),
      destinationRule('z', 'web', BOTH),
    );
    assert.equal(noteOf(lab, 'z'), undefined);
  });

  it('that no service has the host, also when a ServiceEntry stays and its hosts change', () => {
    const lab = new RouteLab(serviceEntry('e', ['a.example']), destinationRule('x', 'a.example'));
    assert.equal(noteOf(lab, 'x'), undefined);
    lab.add(serviceEntry('e', ['b.example']));
    assert.equal(noteOf(lab, 'x'), 'no service has the host a.example');
  });
});
