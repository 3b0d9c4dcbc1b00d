/** A spec of each kind as users write it, by kind. */
const SELECTOR = { matchLabels: { app: 'web' } };
const TARGETS = [{ group: '', kind: 'Service', name: 'web' }];

export const TYPICAL_SPECS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  AuthorizationPolicy: {
    selector: SELECTOR,
    action: 'DENY',
    rules: [
      {
        from: [{ source: { principals: ['cluster.local/ns/demo/sa/*'], notIpBlocks: ['10.0.0.0/8'] } }],
        to: [{ operation: { ports: ['8080'] } }],
        when: [{ key: 'source.namespace', notValues: ['demo'] }],
      },
    ],
  },
  PeerAuthentication: {
    selector: SELECTOR,
    mtls: { mode: 'STRICT' },
    portLevelMtls: { '9090': { mode: 'PERMISSIVE' } },
  },
  RequestAuthentication: {
    targetRefs: TARGETS,
    jwtRules: [
      { issuer: 'https://issuer.example', audiences: ['web'], fromHeaders: [{ name: 'x-token', prefix: 'B ' }] },
    ],
  },
  ServiceEntry: {
    hosts: ['api.example.com'],
    ports: [{ number: 443, name: 'tls', protocol: 'TLS', targetPort: 8443 }],
    location: 'MESH_EXTERNAL',
    resolution: 'STATIC',
    endpoints: [{ address: '192.0.2.1', ports: { tls: 8443 }, labels: { version: 'v1' }, weight: 10 }],
    exportTo: ['.'],
  },
  WorkloadEntry: { address: '192.0.2.2', labels: { app: 'vm' }, network: 'n1', locality: 'r/z', serviceAccount: 'vm' },
  WorkloadGroup: {
    metadata: { labels: { app: 'vm' } },
    template: { serviceAccount: 'vm', ports: { http: 8080 } },
    probe: { periodSeconds: 5, httpGet: { path: '/ready', port: 8080 } },
  },
  VirtualService: {
    hosts: ['web', 'a.example'],
    gateways: ['mesh', 'edge/public'],
    http: [
      {
        match: [{ uri: { prefix: '/api' }, headers: { 'x-user': { exact: 'jane' } }, withoutHeaders: { x: {} } }],
        route: [
          { destination: { host: 'web', subset: 'v1', port: { number: 80 } }, weight: 90 },
          { destination: { host: 'web', subset: 'v2' }, weight: 10, headers: { request: { set: { a: 'b' } } } },
        ],
        timeout: '5s',
        retries: { attempts: 3, perTryTimeout: '500ms', retryOn: '5xx,reset' },
        fault: {
          delay: { percentage: { value: 0.1 }, fixedDelay: '1s' },
          abort: { percentage: { value: 1 }, httpStatus: 503 },
        },
        corsPolicy: { allowOrigins: [{ regex: '.*' }], maxAge: '24h', allowCredentials: true },
      },
      { redirect: { authority: 'new.example', redirectCode: 308 } },
    ],
    tls: [{ match: [{ sniHosts: ['a.example'], port: 443 }], route: [{ destination: { host: 'a' } }] }],
    tcp: [{ route: [{ destination: { host: 'b' } }] }],
  },
  DestinationRule: {
    host: 'web',
    trafficPolicy: {
      loadBalancer: { consistentHash: { httpCookie: { name: 'user', ttl: '0s' } } },
      connectionPool: { tcp: { maxConnections: 100, connectTimeout: '30ms' }, http: { http2MaxRequests: 1000 } },
      outlierDetection: { consecutive5xxErrors: 7, interval: '5m', baseEjectionTime: '15m' },
      portLevelSettings: [{ port: { number: 80 }, loadBalancer: { simple: 'LEAST_REQUEST' } }],
      tls: { mode: 'SIMPLE', sni: 'web.example', subjectAltNames: ['web.example'] },
    },
    subsets: [{ name: 'v1', labels: { version: 'v1' }, trafficPolicy: { tls: { mode: 'ISTIO_MUTUAL' } } }],
  },
  Gateway: {
    selector: { istio: 'ingressgateway' },
    servers: [
      { port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['*'], tls: { httpsRedirect: true } },
      {
        port: { number: 443, name: 'https', protocol: 'HTTPS' },
        hosts: ['demo/*.example'],
        tls: { mode: 'SIMPLE', credentialName: 'cert', minProtocolVersion: 'TLSV1_2' },
      },
    ],
  },
  Sidecar: {
    workloadSelector: { labels: { app: 'web' } },
    ingress: [{ port: { number: 9080, protocol: 'HTTP', name: 'http' }, defaultEndpoint: '127.0.0.1:8080' }],
    egress: [{ hosts: ['./*', 'istio-system/*'] }],
    outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' },
  },
  EnvoyFilter: {
    workloadSelector: { labels: { app: 'web' } },
    priority: -10,
    configPatches: [
      {
        applyTo: 'HTTP_FILTER',
        match: { context: 'GATEWAY', listener: { filterChain: { filter: { subFilter: { name: 'router' } } } } },
        patch: { operation: 'INSERT_BEFORE', value: { name: 'lua', typed_config: { inline_code: 'x' } } },
      },
    ],
  },
  ProxyConfig: {
    selector: SELECTOR,
    concurrency: 0,
    environmentVariables: { A: 'b' },
    image: { imageType: 'distroless' },
  },
  Telemetry: {
    targetRefs: TARGETS,
    tracing: [
      {
        providers: [{ name: 'zipkin' }],
        randomSamplingPercentage: 0.5,
        customTags: { a: { literal: { value: 'b' } } },
      },
    ],
    metrics: [
      {
        overrides: [
          { match: { metric: 'REQUEST_COUNT', mode: 'SERVER' }, tagOverrides: { a: { operation: 'REMOVE' } } },
        ],
      },
    ],
    accessLogging: [{ filter: { expression: 'response.code >= 400' } }],
  },
};
