import { describe } from 'node:test';
import { type RefusalRow, testRefusals, testWarnings } from '../../../helpers/admission-tables.ts';

function policy(trafficPolicy: object, more: object = {}) {
  return { host: 'web', trafficPolicy, ...more };
}

function balancer(loadBalancer: object, more: object = {}) {
  return policy({ loadBalancer, ...more });
}

function locality(localityLbSetting: object) {
  return balancer({ localityLbSetting }, { outlierDetection: {} });
}

function pool(connectionPool: object) {
  return policy({ connectionPool });
}

function ejection(outlierDetection: object) {
  return policy({ outlierDetection });
}

const distribute = (to: object, from = 'r1/*') => locality({ distribute: [{ from, to }] });
const SIMPLE = { loadBalancer: { simple: 'RANDOM' } };

const POLICIES: RefusalRow[] = [
  ['a host that is none', { host: 'a b' }, { host: '*.local' }, /spec\.host: "a b" is not/],
  ['an empty trafficPolicy', policy({}), policy(SIMPLE), /trafficPolicy: must not be empty/],
  ['an empty connectionPool', pool({}), pool({ tcp: {} }), /connectionPool: must not be empty/],
  [
    'settings of a port without port',
    policy({ portLevelSettings: [SIMPLE] }),
    policy({ portLevelSettings: [{ port: { number: 80 }, ...SIMPLE }] }),
    /port: is required/,
  ],
  [
    'settings of a port without settings',
    policy({ portLevelSettings: [{ port: { number: 80 } }] }),
    policy({ portLevelSettings: [{ port: { number: 80 }, tls: { mode: 'DISABLE' } }] }),
    /needs at least one/,
  ],
  [
    'a port out of range',
    policy({ portLevelSettings: [{ port: { number: 0 }, ...SIMPLE }] }),
    policy({ portLevelSettings: [{ port: { number: 1 }, ...SIMPLE }] }),
    /1 to 65535/,
  ],
  [
    'a subset that is no label',
    { host: 'a', subsets: [{ name: 'V_1' }] },
    { host: 'a', subsets: [{ name: 'v-1' }] },
    /DNS label/,
  ],
  [
    'a subset twice',
    { host: 'a', subsets: [{ name: 'v1' }, { name: 'v1' }] },
    { host: 'a', subsets: [{ name: 'v1' }, { name: 'v2' }] },
    /used twice/,
  ],
  [
    'an empty policy of a subset',
    { host: 'a', subsets: [{ name: 'v1', trafficPolicy: {} }] },
    { host: 'a', subsets: [{ name: 'v1', trafficPolicy: SIMPLE }] },
    /subsets\[0\]\.trafficPolicy/,
  ],
  [
    'a selector with a wildcard',
    { host: 'a', workloadSelector: { matchLabels: { app: '*' } } },
    { host: 'a', workloadSelector: { matchLabels: { app: 'a' } } },
    /wildcards/,
  ],
  [
    'a selector with export',
    { host: 'a', exportTo: ['*'], workloadSelector: { matchLabels: { app: 'a' } } },
    { host: 'a', exportTo: ['.'], workloadSelector: { matchLabels: { app: 'a' } } },
    /own namespace/,
  ],
  [
    'a tunnel with PROXY protocol',
    policy({ tunnel: { targetHost: 'a', targetPort: 80 }, proxyProtocol: { version: 'V1' } }),
    policy({ tunnel: { targetHost: 'a', targetPort: 80 } }),
    /tunnel: cannot/,
  ],
  [
    'a tunnel by GET',
    policy({ tunnel: { protocol: 'GET', targetHost: 'a', targetPort: 80 } }),
    policy({ tunnel: { protocol: 'POST', targetHost: 'a', targetPort: 80 } }),
    /CONNECT or POST/,
  ],
  [
    'MUTUAL without key',
    policy({ tls: { mode: 'MUTUAL', clientCertificate: 'c' } }),
    policy({ tls: { mode: 'MUTUAL', clientCertificate: 'c', privateKey: 'k' } }),
    /privateKey: is required/,
  ],
  [
    'a credential and files',
    policy({ tls: { mode: 'SIMPLE', credentialName: 'a', caCertificates: 'b' } }),
    policy({ tls: { mode: 'SIMPLE', credentialName: 'a' } }),
    /cannot be combined/,
  ],
  [
    'a retry budget of more than all',
    policy({ retryBudget: { percent: 120 } }),
    policy({ retryBudget: { percent: 20 } }),
    /0 to 100/,
  ],
];
const BALANCERS: RefusalRow[] = [
  [
    'a table of Maglev that is not prime',
    balancer({ consistentHash: { useSourceIp: true, maglev: { tableSize: 65_536 } } }),
    balancer({ consistentHash: { useSourceIp: true, maglev: { tableSize: 65_537 } } }),
    /prime number/,
  ],
  [
    'a table of Maglev of nothing',
    balancer({ consistentHash: { useSourceIp: true, maglev: { tableSize: 0 } } }),
    balancer({ consistentHash: { useSourceIp: true, maglev: {} } }),
    /prime number/,
  ],
  [
    'a table of Maglev that is too large',
    balancer({ consistentHash: { useSourceIp: true, maglev: { tableSize: 5_000_011 } } }),
    balancer({ consistentHash: { useSourceIp: true, maglev: { tableSize: 4_999_999 } } }),
    /below 5000011/,
  ],
  [
    'a cookie without name',
    balancer({ consistentHash: { httpCookie: { name: '' } } }),
    balancer({ consistentHash: { httpCookie: { name: 'a', ttl: '0s' } } }),
    /name: must not be empty/,
  ],
  [
    'two keys to hash',
    balancer({ consistentHash: { useSourceIp: true, httpHeaderName: 'a' } }),
    balancer({ consistentHash: { httpHeaderName: 'a' } }),
    /only one of/,
  ],
  [
    'shares that are not 100',
    distribute({ 'r1/*': 80, 'r2/*': 10 }),
    distribute({ 'r1/*': 80, 'r2/*': 20 }),
    /add up to 100, not 90/,
  ],
  ['overlapping targets', distribute({ 'r1/*': 50, 'r1/z1': 50 }), distribute({ 'r1/z2': 50, 'r1/z1': 50 }), /overlap/],
  [
    'overlapping sources',
    locality({
      distribute: [
        { from: 'r1/z1/*', to: { r2: 100 } },
        { from: 'r1/*', to: { r3: 100 } },
      ],
    }),
    locality({
      distribute: [
        { from: 'r1/z1/*', to: { r2: 100 } },
        { from: 'r1/z2/*', to: { r3: 100 } },
      ],
    }),
    /overlap/,
  ],
  [
    'a wildcard inside a locality',
    distribute({ r2: 100 }, 'r1/*/z'),
    distribute({ r2: 100 }, 'r1/z/*'),
    /at the end only/,
  ],
  [
    'a failover to the same region',
    locality({ failover: [{ from: 'a', to: 'a' }] }),
    locality({ failover: [{ from: 'a', to: 'b' }] }),
    /another region/,
  ],
  [
    'two ways of failover',
    locality({ failover: [{ from: 'a', to: 'b' }], failoverPriority: ['x'] }),
    locality({ failoverPriority: ['x'] }),
    /only one of/,
  ],
];
const POOLS: RefusalRow[] = [
  ['less than no connections', pool({ tcp: { maxConnections: -1 } }), pool({ tcp: { maxConnections: 0 } }), /negative/],
  [
    'a connectTimeout of 0',
    pool({ tcp: { connectTimeout: '0s' } }),
    pool({ tcp: { connectTimeout: '30ms', idleTimeout: '0s' } }),
    /1ms or more/,
  ],
  [
    'an upgrade of the protocol of the client',
    pool({ http: { h2UpgradePolicy: 'UPGRADE', useClientProtocol: true } }),
    pool({ http: { h2UpgradePolicy: 'DEFAULT', useClientProtocol: true } }),
    /UPGRADE/,
  ],
  [
    'half a keepalive',
    pool({ http: { http2KeepAlive: { interval: '1s' } } }),
    pool({ http: { http2KeepAlive: { interval: '1s', timeout: '1s' } } }),
    /timeout: is required/,
  ],
  ['more than all ejected', ejection({ maxEjectionPercent: 101 }), ejection({ maxEjectionPercent: 100 }), /0 to 100/],
  ['less than none healthy', ejection({ minHealthPercent: -1 }), ejection({ minHealthPercent: 50 }), /0 to 100/],
  [
    'local failures that are not told apart',
    ejection({ consecutiveLocalOriginFailures: 5 }),
    ejection({ consecutiveLocalOriginFailures: 5, splitExternalLocalOriginErrors: true }),
    /needs split/,
  ],
  ['an interval of 0', ejection({ interval: '0s' }), ejection({ interval: '1ms' }), /1ms or more/],
];

describe('a DestinationRule', () => {
  testRefusals('DestinationRule', [...POLICIES, ...BALANCERS, ...POOLS]);
  testWarnings('DestinationRule', [
    [
      'the legacy consecutiveErrors',
      ejection({ consecutiveErrors: 5 }),
      ejection({ consecutive5xxErrors: 5 }),
      /is deprecated/,
    ],
    [
      'the legacy minimumRingSize',
      balancer({ consistentHash: { useSourceIp: true, minimumRingSize: 5 } }),
      balancer({ consistentHash: { useSourceIp: true, ringHash: { minimumRingSize: 5 } } }),
      /deprecated/,
    ],
    [
      'a ring that is larger than waypoints build',
      balancer({ consistentHash: { useSourceIp: true, ringHash: { minimumRingSize: 8_388_608 } } }),
      balancer({ consistentHash: { useSourceIp: true, ringHash: { minimumRingSize: 65_536 } } }),
      /counts as 65536/,
    ],
    [
      'a table of Maglev that is larger than waypoints build',
      balancer({ consistentHash: { useSourceIp: true, maglev: { tableSize: 4_999_999 } } }),
      balancer({ consistentHash: { useSourceIp: true, maglev: { tableSize: 131_071 } } }),
      /counts as 131071/,
    ],
    [
      'hashing of nothing',
      balancer({ consistentHash: { maglev: {} } }),
      balancer({ consistentHash: { httpHeaderName: 'a', maglev: {} } }),
      /no key/,
    ],
    ['LEAST_CONN', balancer({ simple: 'LEAST_CONN' }), balancer({ simple: 'LEAST_REQUEST' }), /LEAST_REQUEST/],
    [
      'the legacy warmupDurationSecs',
      balancer({ warmupDurationSecs: '5s' }),
      balancer({ warmup: { duration: '5s' } }),
      /deprecated/,
    ],
    [
      'a warm-up of RANDOM',
      balancer({ simple: 'RANDOM', warmup: { duration: '5s' } }),
      balancer({ simple: 'ROUND_ROBIN', warmup: { duration: '5s' } }),
      /ROUND_ROBIN/,
    ],
    [
      'a failover that nothing starts',
      balancer({ localityLbSetting: { failover: [{ from: 'a', to: 'b' }] } }),
      locality({ failover: [{ from: 'a', to: 'b' }] }),
      /outlierDetection/,
    ],
    [
      'files that nothing reads',
      policy({ tls: { mode: 'ISTIO_MUTUAL', caCertificates: 'a' } }),
      policy({ tls: { mode: 'ISTIO_MUTUAL', sni: 'a' } }),
      /no effect/,
    ],
  ]);
});
