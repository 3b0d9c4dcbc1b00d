import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAuthority } from '../../../../src/hbone/authority.ts';
import { MeshState, type StateChange } from '../../../../src/mesh/mesh-state.ts';
import { createWorkload, type Workload } from '../../../../src/model/workload.ts';
import { readZtunnelConfig } from '../../../../src/ztunnel/config.ts';
import { LocalWorkload } from '../../../../src/ztunnel/data/local-workload.ts';
import { missingForAuthority, podUidKey } from '../../../../src/ztunnel/data/on-demand-keys.ts';
import { OnDemandLookups } from '../../../../src/ztunnel/data/on-demand-lookups.ts';
import { onDemandRoute } from '../../../../src/ztunnel/data/on-demand-route.ts';
import { DestinationResolver } from '../../../../src/ztunnel/resolve-destination.ts';
import { ManualClock } from '../../../helpers/manual-clock.ts';
import {
  clusterService,
  endpointOf,
  gatewayByAddress,
  gatewayByHostname,
  hostnameOf,
  ip,
} from '../../../helpers/mesh-objects.ts';

const INFO = { name: 'client', namespace: 'default', serviceAccount: 'client' };
const SOURCE = createWorkload({ uid: 'client', ...INFO, addresses: [ip('10.0.0.9')], protocol: 'HBONE' });

/** A control thread that answers from `feed` as soon as it is asked. */
function setUp(feed: Readonly<Record<string, readonly StateChange[]>>) {
  const state = new MeshState();
  state.apply([{ kind: 'workload', workload: SOURCE }]);
  const asked: string[] = [];
  const lookups = new OnDemandLookups({
    state,
    ask: (key) => {
      asked.push(key);
      queueMicrotask(() => {
        state.apply(feed[key] ?? []);
        lookups.answered([key]);
      });
    },
  });
  const context = {
    state,
    config: readZtunnelConfig({ FAKE_CA: 'true', XDS_ADDRESS: '' }),
    resolver: new DestinationResolver(state, { network: '', random: () => 0.5 }),
    local: new LocalWorkload(INFO, state, new ManualClock()),
  };
  const resolve = (text: string, port: number) => onDemandRoute(context, lookups, SOURCE, { ip: ip(text), port });
  return { asked, context, lookups, state, resolve };
}

const workload = (name: string, address: string, fields: Partial<Workload> = {}): StateChange => ({
  kind: 'workload',
  workload: createWorkload({
    uid: name,
    name,
    namespace: 'default',
    serviceAccount: name,
    addresses: [ip(address)],
    protocol: 'HBONE',
    ...fields,
  }),
});

describe('a route decided on demand', () => {
  it('asks for the destination once, then is decided without waiting', async () => {
    const { asked, resolve } = setUp({ '/10.0.0.1': [workload('server', '10.0.0.1')] });
    const first = resolve('10.0.0.1', 80);
    assert.ok(first instanceof Promise);
    const route = await first;
    assert.ok(route.ok && route.value.kind === 'hbone');
    assert.ok(!(resolve('10.0.0.1', 81) instanceof Promise));
    assert.deepEqual(asked, ['/10.0.0.1']);
  });

  it('passes an unknown address through, without asking a second time', async () => {
    const { asked, resolve } = setUp({});
    const route = await resolve('192.0.2.1', 80);
    assert.ok(route.ok && route.value.kind === 'passthrough');
    assert.ok(!(resolve('192.0.2.1', 80) instanceof Promise));
    assert.deepEqual(asked, ['/192.0.2.1']);
  });

  it('asks for the waypoint of what it found, by hostname or address', async () => {
    for (const [waypoint, key] of [
      [gatewayByHostname('waypoint'), `default/${hostnameOf('waypoint')}`],
      [gatewayByAddress('10.96.0.30'), '/10.96.0.30'],
    ] as const) {
      const { asked, resolve } = setUp({
        '/10.96.0.20': [
          workload('server', '10.0.0.1', endpointOf('echo', { 80: 8080 })),
          { kind: 'service', service: clusterService('echo', '10.96.0.20', { 80: 8080 }, { waypoint }) },
        ],
        [key]: [
          workload('waypoint', '10.0.0.2', endpointOf('waypoint', { 15008: 15008 })),
          { kind: 'service', service: clusterService('waypoint', '10.96.0.30', { 15008: 15008 }) },
        ],
      });
      const route = await resolve('10.96.0.20', 80);
      assert.ok(route.ok && route.value.kind === 'hbone');
      assert.deepEqual(route.value.target, { kind: 'address', ip: ip('10.0.0.2'), port: 15008 });
      assert.deepEqual(asked, ['/10.96.0.20', key]);
    }
  });

  it('fails when the waypoint does not exist, the first time and every other', async () => {
    const { asked, resolve } = setUp({
      '/10.0.0.1': [workload('server', '10.0.0.1', { waypoint: gatewayByHostname('nope') })],
    });
    const first = await resolve('10.0.0.1', 80);
    assert.equal(first.ok ? '' : first.error.code, 'UNKNOWN_WAYPOINT');
    const second = resolve('10.0.0.1', 80);
    assert.ok(!(second instanceof Promise) && !second.ok);
    assert.deepEqual(asked, ['/10.0.0.1', `default/${hostnameOf('nope')}`]);
  });

  it('asks for the gateway of another network', async () => {
    const far = { network: 'far', networkGateway: gatewayByAddress('10.0.0.7') };
    const { asked, resolve } = setUp({
      '/10.96.0.20': [
        workload('server', '10.1.0.1', { ...endpointOf('echo', { 80: 8080 }), ...far }),
        { kind: 'service', service: clusterService('echo', '10.96.0.20', { 80: 8080 }) },
      ],
      '/10.0.0.7': [workload('gateway', '10.0.0.7')],
    });
    const route = await resolve('10.96.0.20', 80);
    assert.ok(route.ok && route.value.kind === 'double-hbone');
    assert.deepEqual(asked, ['/10.96.0.20', '/10.0.0.7']);
  });

  it('is refused when the pod went away meanwhile', async () => {
    const { context, resolve } = setUp({ '/10.0.0.1': [workload('server', '10.0.0.1')] });
    const route = resolve('10.0.0.1', 80);
    context.local.close();
    const late = await route;
    assert.equal(late.ok ? '' : late.error.code, 'UNKNOWN_LOCAL_WORKLOAD');
  });
});

describe('what the authority of a request needs', () => {
  const missing = (setup: ReturnType<typeof setUp>, authority: string, local = SOURCE) => {
    const parsed = parseAuthority(authority);
    assert.ok(parsed);
    return missingForAuthority(setup.context, setup.lookups, local, '10.0.0.9', parsed);
  };

  it('is nothing for the own address and behind an application tunnel', () => {
    const setup = setUp({});
    assert.deepEqual(missing(setup, '10.0.0.9:80'), []);
    const tunnelled = { ...SOURCE, applicationTunnel: { protocol: 'PROXY', port: 15088 } } as const;
    assert.deepEqual(missing(setup, '10.0.0.1:80', tunnelled), []);
  });

  it('is the owner of another address, then the address of its waypoint', () => {
    const setup = setUp({});
    assert.deepEqual(missing(setup, '10.0.0.1:80'), ['/10.0.0.1']);
    setup.state.apply([workload('server', '10.0.0.1', { waypoint: gatewayByAddress('10.96.0.30') })]);
    assert.deepEqual(missing(setup, '10.0.0.1:80'), ['/10.96.0.30']);
    setup.lookups.answered(['/10.96.0.30']);
    assert.deepEqual(missing(setup, '10.0.0.1:80'), []);
  });

  it('is for a hostname the service in every namespace it may be in', () => {
    const setup = setUp({});
    const local = { ...SOURCE, services: new Map([['shop/example.com', new Map([[80, 8080]])]]) };
    assert.deepEqual([...missing(setup, 'example.com:80', local)].sort(), ['default/example.com', 'shop/example.com']);
    assert.deepEqual([...missing(setup, 'echo.shop.svc.cluster.local:80')].sort(), [
      'default/echo.shop.svc.cluster.local',
      'shop/echo.shop.svc.cluster.local',
    ]);
    setup.lookups.answered(['default/example.com', 'shop/example.com']);
    assert.deepEqual(missing(setup, 'example.com:80', local), []);
    setup.state.apply([{ kind: 'service', service: clusterService('echo', '10.96.0.20', { 80: 80 }) }]);
    assert.deepEqual(missing(setup, `${hostnameOf('echo')}:80`), []);
  });
});

describe('the record of a local pod on demand', () => {
  it('is asked for by uid when the pod comes and when a connection waits for it', () => {
    assert.equal(podUidKey('c1', { ...INFO, name: 'web' }), 'c1//Pod/default/web');
    let asked = 0;
    const local = new LocalWorkload(INFO, new MeshState(), new ManualClock(), () => asked++);
    assert.equal(asked, 1);
    void local.wait(5000);
    assert.equal(asked, 2);
    local.close();
  });
});
