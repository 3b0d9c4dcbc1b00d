import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MeshState } from '../../../../src/mesh/mesh-state.ts';
import { parseIpAddress } from '../../../../src/model/address.ts';
import { createService, type Service } from '../../../../src/model/service.ts';
import { createWorkload } from '../../../../src/model/workload.ts';
import { lookupMeshName, meshAddresses } from '../../../../src/ztunnel/data/dns-lookup.ts';

const CLIENT = { namespace: 'ns', network: 'net1' };

function addresses(...texts: string[]) {
  return texts.flatMap((text) => parseIpAddress(text) ?? assert.fail(text));
}

function service(namespace: string, hostname: string, vip: string | undefined, fields: Partial<Service> = {}): Service {
  const vips = vip === undefined ? [] : addresses(vip).map((address) => ({ network: 'net1', address }));
  return createService({ namespace, hostname, vips, ...fields });
}

function stateOf(...services: Service[]): MeshState {
  const state = new MeshState();
  state.apply(services.map((one) => ({ kind: 'service', service: one })));
  return state;
}

/** `namespace/hostname`, with the CNAME's target when there is one. */
function find(state: MeshState, name: string, preferredNamespace?: string, client = CLIENT): string | undefined {
  const found = lookupMeshName(state, client, name, { clusterDomain: 'cluster.local', preferredNamespace });
  if (found === undefined) return undefined;
  const text = `${found.service.namespace}/${found.service.hostname}`;
  return found.alias === undefined ? text : `${text} by ${found.alias}`;
}

describe('lookupMeshName', () => {
  it('prefers the client namespace, then a Kubernetes Service, then the configured namespace, then the first', () => {
    const host = 'api.example';
    const first = service('a', host, '10.0.0.1');
    const preferred = service('p', host, '10.0.0.2');
    const canonical = service('k', host, '10.0.0.3', { canonical: true });
    const own = service('ns', host, '10.0.0.4');
    assert.equal(find(stateOf(first, preferred, canonical, own), host, 'p'), `ns/${host}`);
    assert.equal(find(stateOf(first, preferred, canonical), host, 'p'), `k/${host}`);
    assert.equal(find(stateOf(first, preferred), host, 'p'), `p/${host}`);
    assert.equal(find(stateOf(first, preferred), host), `a/${host}`);
  });

  it('does not see services that hide from the namespace', () => {
    const state = stateOf(service('other', 'a.example', '10.0.0.1', { visibility: 'Namespace' }));
    assert.equal(find(state, 'a.example'), undefined);
    assert.equal(find(state, 'a.example', undefined, { ...CLIENT, namespace: 'other' }), 'other/a.example');
  });

  it('does not see services of another network, and those without addresses unless they are headless', () => {
    const elsewhere = addresses('10.0.0.1').map((address) => ({ network: 'net2', address }));
    const state = stateOf(
      service('ns', 'far.ns.svc.cluster.local', undefined, { vips: elsewhere }),
      service('ns', 'heads.ns.svc.cluster.local', undefined),
      service('ns', 'empty.example', undefined),
    );
    assert.equal(find(state, 'far'), undefined);
    assert.equal(find(state, 'heads'), 'ns/heads.ns.svc.cluster.local');
    assert.equal(find(state, 'empty.example'), undefined);
    assert.equal(find(state, 'pod-0.heads.ns.svc.cluster.local'), undefined);
  });

  it('passes over a service without addresses in favour of one that has some', () => {
    const state = stateOf(service('ns', 'a.example', undefined), service('z', 'a.example', '10.0.0.1'));
    assert.equal(find(state, 'a.example'), 'z/a.example');
  });

  it('tries the name, its expansions, then what is left without a search domain, and wildcards of each', () => {
    const state = stateOf(
      service('ns', 'web.shop.svc.cluster.local', '10.0.0.1'),
      service('ns', 'api.example', '10.0.0.2'),
      service('ns', '*.wild.example', '10.0.0.3'),
      service('ns', '*.deep.wild.example', '10.0.0.4'),
      service('ns', 'plain.wild.example', '10.0.0.5'),
    );
    assert.equal(find(state, 'web.shop'), 'ns/web.shop.svc.cluster.local');
    assert.equal(find(state, 'web.shop.svc'), 'ns/web.shop.svc.cluster.local');
    assert.equal(find(state, 'api.example.ns.svc.cluster.local'), 'ns/api.example by api.example');
    assert.equal(find(state, 'api.example.other.svc.cluster.local'), undefined);
    assert.equal(find(state, 'x.y.wild.example'), 'ns/*.wild.example');
    assert.equal(find(state, 'x.deep.wild.example'), 'ns/*.deep.wild.example');
    assert.equal(find(state, 'plain.wild.example'), 'ns/plain.wild.example');
    assert.equal(find(state, 'wild.example'), undefined);
    assert.equal(find(state, 'x.wild.example.cluster.local'), 'ns/*.wild.example', 'no CNAME for a wildcard');
  });
});

describe('meshAddresses', () => {
  it('gives the addresses of the client network in the family asked, as far as the service allows it', () => {
    const vips = [
      ...addresses('10.0.0.1', 'fd00::1').map((address) => ({ network: 'net1', address })),
      ...addresses('10.0.0.2').map((address) => ({ network: 'net2', address })),
    ];
    const both = service('ns', 'a.example', undefined, { vips });
    assert.deepEqual(meshAddresses(stateOf(both), CLIENT, both, 'v4'), ['10.0.0.1']);
    assert.deepEqual(meshAddresses(stateOf(both), CLIENT, both, 'v6'), ['fd00::1']);
    const only4 = service('ns', 'a.example', undefined, { vips, ipFamilies: 'IPv4' });
    assert.deepEqual(meshAddresses(stateOf(only4), CLIENT, only4, 'v6'), []);
  });

  it('gives the addresses of all endpoints of a headless service, unhealthy ones included, each once', () => {
    const heads = service('ns', 'heads.ns.svc.cluster.local', undefined);
    const state = stateOf(heads);
    const endpoint = (uid: string, ips: string[], fields = {}) => ({
      kind: 'workload' as const,
      workload: createWorkload({
        uid,
        network: 'net1',
        addresses: addresses(...ips),
        services: new Map([['ns/heads.ns.svc.cluster.local', new Map([[80, 80]])]]),
        ...fields,
      }),
    });
    state.apply([
      endpoint('a', ['10.1.0.1', 'fd00::1']),
      endpoint('b', ['10.1.0.2'], { status: 'Unhealthy' }),
      endpoint('c', ['10.1.0.2']),
      endpoint('d', ['10.1.0.3'], { network: 'net2' }),
    ]);
    assert.deepEqual([...meshAddresses(state, CLIENT, heads, 'v4')].sort(), ['10.1.0.1', '10.1.0.2']);
    assert.deepEqual(meshAddresses(state, CLIENT, heads, 'v6'), ['fd00::1']);
  });
});
