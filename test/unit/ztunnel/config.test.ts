import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { describe, it } from 'node:test';
import { readZtunnelConfig, type ZtunnelConfig } from '../../../src/ztunnel/config.ts';

const read = (env: Record<string, string> = {}): ZtunnelConfig => readZtunnelConfig(env);
const problem = (env: Record<string, string>): string => {
  try {
    read(env);
  } catch (error) {
    return (error as Error).message;
  }
  return 'no error';
};
const quarter = Math.max(1, Math.ceil(availableParallelism() / 4));

describe('the environment', () => {
  const table: readonly (readonly [keyof ZtunnelConfig, Record<string, string>, unknown])[] = [
    ['mode', {}, 'shared'],
    ['proxyEnabled', { ENABLE_PROXY: 'false' }, false],
    ['packetMark', {}, 1337],
    ['packetMark', { PROXY_MODE: 'dedicated', PROXY_WORKLOAD_INFO: 'a/b/c' }, undefined],
    ['packetMark', { PACKET_MARK: '5' }, 5],
    [
      'dedicatedWorkload',
      { PROXY_MODE: 'dedicated', PROXY_WORKLOAD_INFO: 'ns/n/sa' },
      { namespace: 'ns', name: 'n', serviceAccount: 'sa' },
    ],
    ['clusterId', {}, 'Kubernetes'],
    ['clusterId', { CLUSTER_ID: 'c1' }, 'c1'],
    ['clusterId', { CLUSTER_ID: 'c1', ISTIO_META_CLUSTER_ID: 'c2' }, 'c2'],
    ['clusterDomain', {}, 'cluster.local'],
    ['xdsAddress', {}, 'https://localhost:15012'],
    ['xdsAddress', { KUBERNETES_SERVICE_HOST: 'x' }, 'https://istiod.istio-system.svc:15012'],
    ['xdsAddress', { XDS_ADDRESS: 'istiod.foo.svc:15012' }, 'https://istiod.foo.svc:15012'],
    ['xdsAddress', { XDS_ADDRESS: 'http://127.0.0.1:1' }, 'http://127.0.0.1:1'],
    ['xdsAddress', { XDS_ADDRESS: '' }, ''],
    ['caAddress', { CA_ADDRESS: '' }, ''],
    [
      'xdsHeaders',
      { XDS_HEADER_a: '1', XDS_HEADER_b: '2' },
      new Map([
        ['a', '1'],
        ['b', '2'],
      ]),
    ],
    [
      'proxyMetadata',
      { ISTIO_META_X: 'v', ISTIO_METAJSON_Y: '{"z":1}' },
      new Map<string, unknown>([
        ['X', 'v'],
        ['Y', { z: 1 }],
      ]),
    ],
    ['localXds', { LOCAL_XDS_PATH: '/x' }, { path: '/x' }],
    ['localXds', { LOCAL_XDS: '{}' }, { text: '{}' }],
    ['secretTtlMs', {}, 86_400_000],
    ['secretTtlMs', { SECRET_TTL: '1h30m' }, 5_400_000],
    ['originalSource', {}, 'best-effort'],
    ['originalSource', { ENABLE_ORIG_SRC: 'true' }, 'required'],
    ['originalSource', { ENABLE_ORIG_SRC: 'false' }, 'off'],
    ['reusePort', { INPOD_PORT_REUSE: 'false' }, false],
    ['poolMaxStreams', {}, 100],
    ['poolIdleMs', {}, 300_000],
    [
      'http2',
      { HTTP2_FRAME_SIZE: '65536' },
      { streamWindowBytes: 4_194_304, connectionWindowBytes: 16_777_216, maxFrameBytes: 65_536 },
    ],
    [
      'keepAlive',
      { KEEPALIVE_TIME: '60s', KEEPALIVE_RETRIES: '3' },
      { enabled: true, idleMs: 60_000, intervalMs: 180_000, probes: 3, userTimeoutEnabled: false },
    ],
    ['drainDeadlineMs', {}, 5000],
    ['drainDeadlineMs', { TERMINATION_GRACE_PERIOD_SECONDS: '30' }, 25_000],
    ['drainDeadlineMs', { TERMINATION_GRACE_PERIOD_SECONDS: '10' }, 9000],
    ['drainDeadlineMs', { TERMINATION_GRACE_PERIOD_SECONDS: '1' }, 1000],
    ['drainDeadlineMs', { TERMINATION_GRACE_PERIOD_SECONDS: '30', CONNECTION_TERMINATION_DEADLINE: '7s' }, 7000],
    ['crlPath', { CRL_PATH: '/crl.pem' }, '/crl.pem'],
    ['crlPath', { CRL_PATH: '' }, undefined],
    ['responseBaggage', { ENABLE_RESPONSE_BAGGAGE: 'false' }, false],
    ['preferredServiceNamespace', { PREFERED_SERVICE_NAMESPACE: 'x' }, 'x'],
    ['compliancePolicy', { COMPLIANCE_POLICY: 'pqc' }, 'pqc'],
    ['unknownPolicy', {}, 'deny'],
    ['dnsCapture', { ISTIO_META_DNS_CAPTURE: 'false' }, false],
    ['dnsPort', { ISTIO_META_DNS_PROXY_ADDR: '127.0.0.1:15999' }, 15_999],
    ['adminPort', {}, 15_000],
    ['inboundPort', {}, 15_008],
    ['logFormat', { LOG_FORMAT: 'json' }, 'json'],
    ['adminPort', { PROXY_CONFIG: 'proxyAdminPort: 1' }, 1],
    ['metricsPort', { PROXY_CONFIG: 'statsPort: 2' }, 2],
    ['xdsAddress', { PROXY_CONFIG: 'discoveryAddress: istiod.b:1' }, 'https://istiod.b:1'],
    ['network', { PROXY_CONFIG: 'proxyMetadata: {NETWORK: n1}' }, 'n1'],
    ['network', { PROXY_CONFIG: 'proxyMetadata: {NETWORK: n1}', NETWORK: 'n2' }, 'n2'],
  ];
  for (const [key, env, expected] of table) {
    it(`${JSON.stringify(env)} sets ${key} to ${JSON.stringify(expected) ?? 'nothing'}`, () => {
      assert.deepEqual(read(env)[key], expected);
    });
  }

  it('sizes the data threads by number, share, limit or cores', () => {
    const cores = availableParallelism();
    assert.equal(read().dataThreads, quarter);
    assert.equal(read({ ZTUNNEL_WORKER_THREADS: '3' }).dataThreads, 3);
    assert.equal(read({ ZTUNNEL_WORKER_THREADS: '0' }).dataThreads, cores);
    assert.equal(read({ ZTUNNEL_WORKER_THREADS: '100%' }).dataThreads, cores);
    assert.equal(read({ ZTUNNEL_WORKER_THREADS: '1%' }).dataThreads, 1);
    assert.equal(read({ ZTUNNEL_CPU_LIMIT: '1' }).dataThreads, 1);
    assert.equal(read({ PROXY_CONFIG: 'concurrency: 2' }).dataThreads, 2);
  });

  it('that is wrong is refused once, with every problem named', () => {
    const text = problem({
      ENABLE_PROXY: 'perhaps',
      PROXY_MODE: 'dedicated',
      PROXY_WORKLOAD_INFO: 'a/b',
      SECRET_TTL: 'soon',
      KEEPALIVE_TIME: '10h',
      POOL_MAX_STREAMS_PER_CONNECTION: '0',
      LOG_FORMAT: 'xml',
      LOCAL_XDS: '{}',
      LOCAL_XDS_PATH: '/x',
      ISTIO_METAJSON_Y: '{',
      ADMIN_PORT: '65536',
      PROXY_CONFIG: 'a: [',
    });
    for (const name of [
      'ENABLE_PROXY="perhaps"',
      'PROXY_WORKLOAD_INFO="a/b"',
      'SECRET_TTL="soon"',
      'KEEPALIVE_TIME="10h"',
      'POOL_MAX_STREAMS_PER_CONNECTION="0"',
      'LOG_FORMAT="xml"',
      'LOCAL_XDS_PATH or LOCAL_XDS',
      'ISTIO_METAJSON_Y',
      'ADMIN_PORT="65536"',
      'PROXY_CONFIG: ',
    ]) {
      assert.ok(text.includes(name), `${name} in ${text}`);
    }
  });

  it('cannot be changed once it is read', () => {
    assert.ok(Object.isFrozen(read()));
  });
});
