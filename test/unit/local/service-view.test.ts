import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ServiceView } from '../../../src/local/service-view.ts';
import { canonicalIp } from '../../../src/model/address.ts';
import { createService, type Service } from '../../../src/model/service.ts';
import { createWorkload, type Workload } from '../../../src/model/workload.ts';

const HOST = 'web.demo.svc.cluster.local';
const KEY = `demo/${HOST}`;

function service(fields: Partial<Service>): Service {
  return createService({ namespace: 'demo', hostname: HOST, canonical: true, ports: new Map([[80, 0]]), ...fields });
}

function vip(address: string) {
  return { network: '', address: canonicalIp(address) };
}

function workload(uid: string, address: string, port: number, fields: Partial<Workload> = {}): Workload {
  const services = new Map([[KEY, new Map([[80, port]])]]);
  return createWorkload({ uid, addresses: [canonicalIp(address)], services, ...fields });
}

function view(...resources: (Service | Workload)[]): ServiceView {
  const state = new ServiceView();
  state.apply(
    resources.map((one) => ('uid' in one ? { kind: 'workload', workload: one } : { kind: 'service', service: one })),
    [],
  );
  return state;
}

describe('ServiceView', () => {
  it('gives each endpoint the port it has itself, as named target ports need', () => {
    const state = view(
      service({ vips: [vip('10.96.0.5')] }),
      workload('a', '10.244.1.2', 8080),
      workload('b', '10.244.2.2', 9090),
    );
    assert.deepEqual(state.virtualEndpoints(), [
      {
        protocol: 'tcp',
        vip: '10.96.0.5',
        port: 80,
        targets: [
          { address: '10.244.1.2', port: 8080 },
          { address: '10.244.2.2', port: 9090 },
        ],
      },
    ]);
  });

  it('does not mind in which order services and workloads arrive', () => {
    const one = workload('a', '10.244.1.2', 8080);
    const other = service({ vips: [vip('10.96.0.5')] });
    assert.deepEqual(view(one, other).virtualEndpoints(), view(other, one).virtualEndpoints());
  });

  it('leaves out endpoints that are not ready, of the other family, or removed', () => {
    const state = view(
      service({ vips: [vip('10.96.0.5')] }),
      workload('sick', '10.244.1.2', 8080, { status: 'Unhealthy' }),
      workload('v6', 'fd00::2', 8080),
      workload('gone', '10.244.1.3', 8080),
    );
    state.apply([], ['gone']);
    assert.deepEqual(state.virtualEndpoints()[0]?.targets, []);
  });

  it('answers names with virtual addresses, headless ones with endpoints of the allowed family', () => {
    assert.deepEqual(view(service({ vips: [vip('10.96.0.5')] })).lookup(HOST), { addresses: ['10.96.0.5'] });
    const endpoint = workload('a', '10.244.1.2', 8080, {
      addresses: [canonicalIp('10.244.1.2'), canonicalIp('fd00::2')],
    });
    assert.deepEqual(view(service({}), endpoint).lookup(HOST), { addresses: ['10.244.1.2', 'fd00::2'] });
    assert.deepEqual(view(service({ ipFamilies: 'IPv4' }), endpoint).lookup(HOST), { addresses: ['10.244.1.2'] });
  });

  it('knows no name of a removed service, and hosts of a wildcard', () => {
    const state = view(service({}), service({ hostname: '*.example.com', vips: [vip('240.240.0.1')] }));
    state.apply([], [KEY]);
    assert.equal(state.lookup(HOST), undefined);
    assert.deepEqual(state.lookup('api.example.com'), { addresses: ['240.240.0.1'] });
  });
});
