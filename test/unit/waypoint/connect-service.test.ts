import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import { fail, ok } from '../../../src/base/result.ts';
import { proxyError } from '../../../src/hbone/proxy-error.ts';
import { MeshState } from '../../../src/mesh/mesh-state.ts';
import type { Service } from '../../../src/model/service.ts';
import type { TrafficPolicy } from '../../../src/proto/gen/ambit.ts';
import { type ConnectServiceDeps, connectService } from '../../../src/waypoint/connect-service.ts';
import type { UpstreamAnswer } from '../../../src/waypoint/upstreams.ts';
import { clusterService } from '../../helpers/mesh-objects.ts';

const POLICY = { port: 0, subset: '', tls: { mode: 1 } } as unknown as TrafficPolicy;

interface Setup {
  readonly service?: Partial<Service>;
  readonly endpoint?: 'healthy' | 'without address' | 'none' | 'refuses';
  readonly policy?: TrafficPolicy;
}

/** The service `keys.default.svc.cluster.local` with port 80, called by a waypoint of `default`. */
function setUp({ service = {}, endpoint = 'healthy', policy }: Setup = {}) {
  const state = new MeshState();
  state.apply([{ kind: 'service', service: clusterService('keys', undefined, { 80: 8080, 443: 8443 }, service) }]);
  const calls: { port: number; policy: TrafficPolicy | undefined }[] = [];
  const done: unknown[] = [];
  const socket = new PassThrough();
  const picked = {
    endpoint: { workload: { addresses: endpoint === 'without address' ? [] : ['10.0.0.1'] }, port: 8080 },
    done: (outcome: unknown) => void done.push(outcome),
  };
  const clusters = {
    get: ({ port }: { port: number }) => {
      calls.push({ port, policy: undefined });
      return { policy, pick: () => (endpoint === 'none' ? undefined : picked) };
    },
  };
  const upstreams = {
    connect: async (_to: unknown, _self: unknown, _name: string, answer: UpstreamAnswer, used?: TrafficPolicy) => {
      calls.push({ port: 0, policy: used });
      if (endpoint === 'refuses') return answer(fail(proxyError('CONNECT_FAILED', 'connection failed: refused')));
      answer(ok({ kind: 'tcp', socket: socket as never }));
    },
  };
  const self = () => ({ namespace: 'default', addresses: ['10.0.0.9'] });
  const deps = { state, clusters, upstreams, self } as unknown as ConnectServiceDeps;
  return { deps, calls, done, socket, to: (url: string) => connectService(new URL(url), deps) };
}

describe('a connection of the waypoint itself', () => {
  it('goes to an endpoint of the service, by any name that it has in the cluster', async () => {
    for (const host of ['keys.default.svc.cluster.local', 'keys.default.svc', 'keys.default', 'keys']) {
      const { to, socket, calls } = setUp();
      assert.deepEqual(await to(`http://${host}/a`), ok(socket), host);
      assert.equal(calls[0]?.port, 80);
    }
    const { to, calls } = setUp();
    await to('https://keys/a');
    assert.equal(calls[0]?.port, 443);
  });

  it('gives the endpoint back when it closes, or does not come up', async () => {
    const { to, socket, done } = setUp();
    await to('http://keys/');
    assert.deepEqual(done, []);
    socket.destroy();
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(done, [undefined]);
    const refused = setUp({ endpoint: 'refuses' });
    const answer = await refused.to('http://keys/');
    assert.match(answer.ok ? '' : answer.error, /refused/);
    assert.deepEqual(refused.done, [{ kind: 'connect-failure' }]);
  });

  it('is not made for what is outside of the mesh', async () => {
    const { to, calls } = setUp();
    assert.deepEqual(await to('https://accounts.example.com/keys'), ok(undefined));
    assert.deepEqual(calls, []);
    const external = { hostname: 'keys.example', canonical: false };
    for (const endpoint of ['none', 'without address'] as const) {
      assert.deepEqual(
        await setUp({ service: external, endpoint }).to('http://keys.example/'),
        ok(undefined),
        endpoint,
      );
    }
  });

  it('never leaves the mesh for a service of it', async () => {
    const none = await setUp({ endpoint: 'none' }).to('http://keys/');
    assert.match(none.ok ? '' : none.error, /no healthy endpoint/);
    const { to, calls } = setUp();
    assert.equal((await to('http://keys:81/')).ok, false);
    assert.deepEqual(calls, []);
  });

  it('is encrypted once: as its policy says, or as the URL does', async () => {
    const plain = setUp({ policy: POLICY });
    await plain.to('http://keys/');
    assert.equal(plain.calls[1]?.policy, POLICY);
    const secure = setUp({ policy: POLICY });
    await secure.to('https://keys/');
    assert.equal(secure.calls[1]?.policy?.tls, undefined);
  });

  it('waits until the waypoint knows itself', async () => {
    const { deps } = setUp();
    const early = await connectService(new URL('http://keys/'), { ...deps, self: () => undefined });
    assert.equal(early.ok, false);
  });
});
