import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SERVICE_ROUTES_TYPE } from '../../../../src/model/waypoint-feed.ts';
import { ServiceRoutes } from '../../../../src/proto/gen/ambit.ts';
import { object, service } from '../../../helpers/manifests.ts';
import { BOUND, RouteLab, virtualService } from '../../../helpers/route-lab.ts';

/** By port: whether it is for gRPC-Web, and how many HTTP routes it has. */
function portsOf(lab: RouteLab, hostname: string): Record<number, [boolean, number]> | undefined {
  const held = lab.model.waypointStores.get(SERVICE_ROUTES_TYPE)?.get(`demo/${hostname}`)?.value;
  if (held === undefined) return undefined;
  return Object.fromEntries(
    ServiceRoutes.decode(held).ports.map(({ port, grpcWeb, http }) => [port, [grpcWeb, http.length]]),
  );
}

describe('the regular expressions of a service', () => {
  it('end where a waypoint would keep too many: requests that no route before takes get 503', () => {
    const rules = (prefix: string) =>
      Array.from({ length: 600 }, (_, index) => ({
        match: [{ uri: { regex: `/${prefix}${index}.*` } }],
        route: [{ destination: { host: 'web' } }],
      }));
    const lab = new RouteLab(
      service('web', {}, BOUND),
      virtualService('web', {
        hosts: ['web'],
        http: [{ delegate: { name: 'b' } }, ...rules('a')],
      }),
      virtualService('b', { http: rules('b') }),
    );
    const held = lab.model.waypointStores.get(SERVICE_ROUTES_TYPE)?.get('demo/web.demo.svc.cluster.local')?.value;
    assert.ok(held);
    const [port] = ServiceRoutes.decode(held).ports;
    const last = port?.http.at(-1);
    assert.equal(last?.name, 'too-many-regular-expressions');
    assert.equal(last.match, undefined);
    assert.deepEqual(last.action?.$case === 'directResponse' && last.action.directResponse.status, 503);
    assert.ok((port?.http.length ?? 0) <= 1001);
    const note = lab.model.notes.get('VirtualService/demo/web') ?? '';
    assert.match(note, /has more than 1000 regular expressions.*: from demo\/web\[\d+\] on its requests get 503/);
  });
});

describe('a port for gRPC-Web', () => {
  const host = 'api.demo.svc.cluster.local';
  const api = (...ports: readonly object[]) => service('api', { ports }, BOUND);

  it('is told to waypoints, by name and by appProtocol, and no other', () => {
    const lab = new RouteLab(
      api(
        { name: 'grpc-web-a', port: 1 },
        { name: 'x', port: 2, appProtocol: 'gRPC-Web' },
        { name: 'grpc', port: 3 },
        { name: 'grpc-web', port: 4, appProtocol: 'http' },
      ),
    );
    assert.deepEqual(portsOf(lab, host), { 1: [true, 0], 2: [true, 0] });
  });

  it('has the routes that hold for it', () => {
    const http = [
      { match: [{ port: 1 }], fault: { abort: { httpStatus: 500 } }, route: [{ destination: { host: 'api' } }] },
      { route: [{ destination: { host: 'api' } }] },
    ];
    const ports = [
      { name: 'grpc-web', port: 1 },
      { name: 'http', port: 2 },
    ];
    const lab = new RouteLab(api(...ports), virtualService('api', { hosts: ['api'], http }));
    const built = portsOf(lab, host);
    assert.deepEqual([built?.[1], built?.[2]?.[0] ?? false], [[true, 1], false]);
  });

  it('may be that of a ServiceEntry', () => {
    const ports = [{ number: 9000, name: 'x', protocol: 'GRPC-WEB' }];
    const spec = { hosts: ['api.example'], ports, resolution: 'DNS' };
    const lab = new RouteLab(object('networking.istio.io/v1', 'ServiceEntry', 'api', spec, BOUND));
    assert.deepEqual(portsOf(lab, 'api.example'), { 9000: [true, 0] });
  });
});
