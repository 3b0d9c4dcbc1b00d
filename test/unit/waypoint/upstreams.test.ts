import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ok, type Result } from '../../../src/base/result.ts';
import type { ProxyError } from '../../../src/hbone/proxy-error.ts';
import { TlsStore } from '../../../src/hbone/tls-store.ts';
import { BlockPool } from '../../../src/http2/block-pool.ts';
import type { IpAddress } from '../../../src/model/address.ts';
import { createService, type Service } from '../../../src/model/service.ts';
import { createWorkload, type Workload } from '../../../src/model/workload.ts';
import { TlsMode, type TrafficPolicy } from '../../../src/proto/gen/ambit.ts';
import { TraceIds } from '../../../src/telemetry/trace-ids.ts';
import { readWaypointConfig } from '../../../src/waypoint/config.ts';
import { FileTexts } from '../../../src/waypoint/file-texts.ts';
import { TlsCredentials } from '../../../src/waypoint/tls-credentials.ts';
import { type Upstream, Upstreams } from '../../../src/waypoint/upstreams.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

const config = readWaypointConfig({ POD_NAME: 'g', POD_NAMESPACE: 'n', SERVICE_ACCOUNT: 'g', GATEWAY_NAME: 'g' });
const self = createWorkload({ uid: 'self' });

/** Connects to a workload without tunnels; tells where to, and which names were asked for. */
async function connectTo(
  workload: Partial<Workload>,
  service?: Partial<Service>,
  answers: readonly string[] = [],
  policy?: TrafficPolicy,
) {
  const clock = new ManualClock();
  const dialled: string[] = [];
  const asked: string[] = [];
  const upstreams = new Upstreams(config, {
    clock,
    blocks: new BlockPool(),
    traceIds: new TraceIds(),
    credentials: new TlsCredentials('n', new FileTexts(clock)),
    tls: new TlsStore({
      clock,
      options: { tls12: false, compliancePolicy: '', handshakeTimeoutMs: 1 },
      fetch: () => Promise.reject(new Error('no tunnels here')),
    }),
    dialer: {
      dial: async ({ address, port }) => {
        dialled.push(`${address} ${port}`);
        return ok({} as Socket);
      },
    },
    hostnames: {
      resolve: async (hostname) => {
        asked.push(hostname);
        return answers[0] as IpAddress | undefined;
      },
    },
  });
  const result = await new Promise<Result<Upstream, ProxyError>>((resolve) => {
    const endpoint = {
      workload: createWorkload({ uid: 'w', ...workload }),
      port: 443,
      service: service && createService({ namespace: 'n', hostname: 'h', ...service }),
    };
    void upstreams.connect(endpoint, self, '', resolve, policy);
  });
  return { result, dialled, asked };
}

describe('a connection to an endpoint', () => {
  it('goes to its address, of a family that its service has', async () => {
    const addresses = ['fd00::1', '10.0.0.1'] as unknown as IpAddress[];
    const { dialled, asked } = await connectTo({ addresses, hostname: 'site.example' }, { ipFamilies: 'IPv4' });
    assert.deepEqual([dialled, asked], [['10.0.0.1 443'], []]);
  });

  it('asks DNS where the endpoint is known by name only', async () => {
    const { dialled, asked } = await connectTo({ hostname: 'site.example' }, undefined, ['192.0.2.7']);
    assert.deepEqual([dialled, asked], [['192.0.2.7 443'], ['site.example']]);
  });

  it('is not opened while what TLS takes is missing or no PEM', async () => {
    const addresses = ['10.0.0.1'] as unknown as IpAddress[];
    const paths = { namespace: '', certificate: '', key: '', crl: '' };
    for (const [ca, problem] of [
      ['/nowhere/ca', /ENOENT/],
      [fileURLToPath(import.meta.url), /tls error: ./],
    ] as const) {
      const shared = { sni: '', subjectAltNames: [], insecureSkipVerify: false, credential: '' };
      const tls = { mode: TlsMode.MUTUAL, ...shared, files: { ...paths, ca, certificate: ca, key: ca } };
      const policy = { tls } as unknown as TrafficPolicy;
      const { result, dialled } = await connectTo({ addresses }, undefined, [], policy);
      assert.equal(result.ok ? '' : result.error.code, 'TLS_CREDENTIAL_UNUSABLE');
      assert.match(result.ok ? '' : result.error.message, problem);
      assert.deepEqual(dialled, []);
    }
  });

  it('fails where the name has no address, and where there is neither', async () => {
    for (const workload of [{ hostname: 'site.example' }, {}]) {
      const { result, dialled } = await connectTo(workload);
      assert.equal(result.ok ? '' : result.error.code, 'NO_RESOLVED_ADDRESS');
      assert.deepEqual(dialled, []);
    }
  });
});
