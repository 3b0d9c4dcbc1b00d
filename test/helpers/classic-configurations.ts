/** What users write first with each feature, as in the tasks of a mesh's documentation; by kind and title. */
const route = (host: string, subset?: string, weight?: number) => ({
  destination: { host, ...(subset === undefined ? {} : { subset }) },
  ...(weight === undefined ? {} : { weight }),
});
const http = (...rules: object[]) => ({ hosts: ['shop'], http: rules });
const V1 = [route('shop', 'v1')];

export const CLASSIC_CONFIGURATIONS: readonly (readonly [kind: string, title: string, spec: object])[] = [
  ['VirtualService', 'all requests to one version', http({ route: V1 })],
  ['VirtualService', 'canary by weight', http({ route: [route('shop', 'v1', 90), route('shop', 'v2', 10)] })],
  [
    'VirtualService',
    'one user to the new version',
    http({ match: [{ headers: { 'end-user': { exact: 'ann' } } }], route: [route('shop', 'v2')] }, { route: V1 }),
  ],
  ['VirtualService', 'timeout', http({ route: V1, timeout: '0.5s' })],
  [
    'VirtualService',
    'retries',
    http({
      route: V1,
      retries: { attempts: 3, perTryTimeout: '2s', retryOn: 'gateway-error,connect-failure,refused-stream' },
    }),
  ],
  [
    'VirtualService',
    'delays for one user',
    http(
      {
        match: [{ headers: { 'end-user': { exact: 'ann' } } }],
        fault: { delay: { percentage: { value: 100.0 }, fixedDelay: '7s' } },
        route: V1,
      },
      { route: V1 },
    ),
  ],
  ['VirtualService', 'aborts', http({ fault: { abort: { percentage: { value: 50 }, httpStatus: 500 } }, route: V1 })],
  [
    'VirtualService',
    'mirrored requests',
    http({
      route: [route('shop', 'v1', 100)],
      mirror: { host: 'shop', subset: 'v2' },
      mirrorPercentage: { value: 100.0 },
    }),
  ],
  [
    'VirtualService',
    'CORS',
    http({
      route: V1,
      corsPolicy: {
        allowOrigins: [{ exact: 'https://example.com' }, { regex: 'https://[a-z]+\\.example\\.com' }],
        allowMethods: ['POST', 'GET'],
        allowCredentials: false,
        allowHeaders: ['X-Foo-Bar'],
        maxAge: '24h',
      },
    }),
  ],
  [
    'VirtualService',
    'ingress',
    {
      hosts: ['shop.example.com'],
      gateways: ['shop-gateway'],
      http: [
        {
          match: [{ uri: { prefix: '/status' } }, { uri: { prefix: '/delay' } }],
          route: [{ destination: { port: { number: 8000 }, host: 'shop' } }],
        },
      ],
    },
  ],
  [
    'VirtualService',
    'all hosts of a gateway',
    { hosts: ['*'], gateways: ['edge'], http: [{ match: [{ uri: { exact: '/' } }], route: [route('shop')] }] },
  ],
  [
    'VirtualService',
    'rewrite and redirect',
    http(
      { match: [{ uri: { prefix: '/old' } }], rewrite: { uri: '/new', authority: 'new.example.com' }, route: V1 },
      { match: [{ uri: { exact: '/away' } }], redirect: { uri: '/v1/here', authority: 'new.shop', redirectCode: 302 } },
    ),
  ],
  [
    'VirtualService',
    'passed-through TLS to the outside',
    {
      hosts: ['www.example.com'],
      gateways: ['mesh', 'egress'],
      tls: [
        {
          match: [{ gateways: ['mesh'], port: 443, sniHosts: ['www.example.com'] }],
          route: [{ destination: { host: 'egress.istio-system.svc.cluster.local', port: { number: 443 } } }],
        },
        {
          match: [{ gateways: ['egress'], port: 443, sniHosts: ['www.example.com'] }],
          route: [{ destination: { host: 'www.example.com', port: { number: 443 } }, weight: 100 }],
        },
      ],
    },
  ],
  [
    'VirtualService',
    'TCP by weight',
    {
      hosts: ['*'],
      gateways: ['tcp-gateway'],
      tcp: [{ match: [{ port: 31400 }], route: [route('echo', 'v1', 80), route('echo', 'v2', 20)] }],
    },
  ],
  [
    'VirtualService',
    'changed headers and a fixed answer',
    http(
      { match: [{ method: { exact: 'GET' }, uri: { prefix: '/robots.txt' } }], directResponse: { status: 404 } },
      { route: [{ ...route('shop'), headers: { response: { remove: ['server'], set: { 'x-test': 'true' } } } }] },
    ),
  ],
  [
    'DestinationRule',
    'subsets',
    {
      host: 'shop',
      trafficPolicy: { loadBalancer: { simple: 'RANDOM' } },
      subsets: [
        { name: 'v1', labels: { version: 'v1' } },
        { name: 'v2', labels: { version: 'v2' }, trafficPolicy: { loadBalancer: { simple: 'ROUND_ROBIN' } } },
      ],
    },
  ],
  [
    'DestinationRule',
    'circuit breaker',
    {
      host: 'shop',
      trafficPolicy: {
        connectionPool: {
          tcp: { maxConnections: 1 },
          http: { http1MaxPendingRequests: 1, maxRequestsPerConnection: 1 },
        },
        outlierDetection: {
          consecutive5xxErrors: 1,
          interval: '1s',
          baseEjectionTime: '3m',
          maxEjectionPercent: 100,
        },
      },
    },
  ],
  ...['DISABLE', 'SIMPLE', 'ISTIO_MUTUAL'].map(
    (mode) => ['DestinationRule', `TLS ${mode}`, { host: '*.local', trafficPolicy: { tls: { mode } } }] as const,
  ),
  [
    'DestinationRule',
    'TLS MUTUAL',
    {
      host: 'shop.other.svc.cluster.local',
      trafficPolicy: { tls: { mode: 'MUTUAL', credentialName: 'client', sni: 'shop.example.com' } },
    },
  ],
  [
    'DestinationRule',
    'locality failover',
    {
      host: 'shop',
      trafficPolicy: {
        connectionPool: { http: { maxRequestsPerConnection: 1 } },
        loadBalancer: {
          simple: 'ROUND_ROBIN',
          localityLbSetting: { enabled: true, failover: [{ from: 'region1', to: 'region2' }] },
        },
        outlierDetection: { consecutive5xxErrors: 1, interval: '1s', baseEjectionTime: '1m' },
      },
    },
  ],
  [
    'DestinationRule',
    'locality shares',
    {
      host: 'shop',
      trafficPolicy: {
        loadBalancer: {
          localityLbSetting: {
            enabled: true,
            distribute: [
              { from: 'region1/zone1/*', to: { 'region1/zone1/*': 70, 'region1/zone2/*': 20, region3: 10 } },
            ],
          },
        },
      },
    },
  ],
  [
    'RequestAuthentication',
    'tokens of an issuer',
    {
      selector: { matchLabels: { app: 'shop' } },
      jwtRules: [{ issuer: 'issuer@example.com', jwksUri: 'https://example.com/.well-known/jwks.json' }],
    },
  ],
  [
    'RequestAuthentication',
    'claims to headers',
    {
      targetRefs: [{ kind: 'Gateway', group: 'gateway.networking.k8s.io', name: 'waypoint' }],
      jwtRules: [
        {
          issuer: 'issuer@example.com',
          jwksUri: 'https://example.com/jwks.json',
          outputClaimToHeaders: [{ header: 'x-jwt-claim-foo', claim: 'foo' }],
        },
      ],
    },
  ],
  ['PeerAuthentication', 'strict mTLS', { mtls: { mode: 'STRICT' } }],
  ['Telemetry', 'access log', { accessLogging: [{ providers: [{ name: 'envoy' }] }] }],
  ['Telemetry', 'sampling', { tracing: [{ providers: [{ name: 'zipkin' }], randomSamplingPercentage: 10 }] }],
  ['Sidecar', 'own namespace', { egress: [{ hosts: ['./*', 'istio-system/*'] }] }],
];
