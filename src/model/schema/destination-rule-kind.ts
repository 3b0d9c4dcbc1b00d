/** DestinationRule (facts l7-and-control 2). */
import { AGE, type KindSchema, statusSchema } from './kind-schema.ts';
import {
  between,
  boolean,
  count,
  duration,
  integer,
  list,
  map,
  nonEmptyText,
  number,
  object,
  oneOf,
  port,
  text,
} from './schema.ts';

const PERCENT = number;
const CONSISTENT_HASH = object(
  {
    httpHeaderName: text,
    httpCookie: object(
      { name: text, path: text, ttl: duration, attributes: list(object({ name: text, value: text })) },
      { required: ['name'] },
    ),
    useSourceIp: boolean,
    httpQueryParameterName: text,
    ringHash: object({ minimumRingSize: count }),
    maglev: object({ tableSize: count }),
    minimumRingSize: count,
  },
  {
    atMostOne: [
      ['httpHeaderName', 'httpCookie', 'useSourceIp', 'httpQueryParameterName'],
      ['ringHash', 'maglev'],
    ],
  },
);
const LOCALITY = object(
  {
    enabled: boolean,
    distribute: list(object({ from: text, to: map(count) })),
    failover: list(object({ from: text, to: text })),
    failoverPriority: list(text),
  },
  { atMostOne: [['distribute', 'failover', 'failoverPriority']] },
);
const LOAD_BALANCER = object(
  {
    simple: oneOf('UNSPECIFIED', 'LEAST_CONN', 'RANDOM', 'PASSTHROUGH', 'ROUND_ROBIN', 'LEAST_REQUEST'),
    consistentHash: CONSISTENT_HASH,
    localityLbSetting: LOCALITY,
    zoneAwareLbSetting: object({ enabled: boolean }, { open: true }),
    warmupDurationSecs: duration,
    warmup: object({ duration, minimumPercent: PERCENT, aggression: number }, { required: ['duration'] }),
  },
  {
    atMostOne: [
      ['simple', 'consistentHash'],
      ['localityLbSetting', 'zoneAwareLbSetting'],
    ],
  },
);
const KEEPALIVE = object({ probes: count, time: duration, interval: duration });
const CONNECTION_POOL = object({
  tcp: object({
    maxConnections: integer,
    connectTimeout: duration,
    tcpKeepalive: KEEPALIVE,
    maxConnectionDuration: duration,
    idleTimeout: duration,
  }),
  http: object({
    http1MaxPendingRequests: integer,
    http2MaxRequests: integer,
    maxRequestsPerConnection: integer,
    maxRetries: integer,
    idleTimeout: duration,
    h2UpgradePolicy: oneOf('DEFAULT', 'DO_NOT_UPGRADE', 'UPGRADE'),
    useClientProtocol: boolean,
    maxConcurrentStreams: integer,
    http2KeepAlive: object({ interval: duration, timeout: duration }),
  }),
});
const OUTLIER_DETECTION = object({
  consecutiveErrors: integer,
  consecutive5xxErrors: count,
  consecutiveGatewayErrors: count,
  consecutiveLocalOriginFailures: count,
  splitExternalLocalOriginErrors: boolean,
  interval: duration,
  baseEjectionTime: duration,
  maxEjectionPercent: integer,
  minHealthPercent: integer,
  outlierDetectionHttpErrorCodes: list(between(100, 599)),
});
const TLS = object({
  mode: oneOf('DISABLE', 'SIMPLE', 'MUTUAL', 'ISTIO_MUTUAL'),
  clientCertificate: text,
  privateKey: text,
  caCertificates: text,
  caCrl: text,
  credentialName: text,
  subjectAltNames: list(text),
  sni: text,
  insecureSkipVerify: boolean,
});
const PORT_POLICY_FIELDS = {
  loadBalancer: LOAD_BALANCER,
  connectionPool: CONNECTION_POOL,
  outlierDetection: OUTLIER_DETECTION,
  tls: TLS,
};
const TRAFFIC_POLICY = object({
  ...PORT_POLICY_FIELDS,
  portLevelSettings: list(object({ ...PORT_POLICY_FIELDS, port: object({ number: count }) }), { maxItems: 4096 }),
  tunnel: object({ protocol: text, targetHost: text, targetPort: port }, { required: ['targetHost', 'targetPort'] }),
  proxyProtocol: object({ version: oneOf('V1', 'V2') }),
  retryBudget: object({ percent: PERCENT, minRetryConcurrency: count, budgetInterval: duration }),
});

export const DESTINATION_RULE_KIND: KindSchema = {
  group: 'networking.istio.io',
  kind: 'DestinationRule',
  plural: 'destinationrules',
  singular: 'destinationrule',
  shortNames: ['dr'],
  versions: ['v1', 'v1beta1', 'v1alpha3'],
  columns: [{ name: 'Host', type: 'string', path: '.spec.host', description: 'The service that it is about' }, AGE],
  spec: object(
    {
      host: nonEmptyText,
      trafficPolicy: TRAFFIC_POLICY,
      subsets: list(object({ name: text, labels: map(text), trafficPolicy: TRAFFIC_POLICY }, { required: ['name'] })),
      exportTo: list(text),
      workloadSelector: object({ matchLabels: map(text) }),
    },
    { required: ['host'], description: 'How connections to a service are made, kept and balanced.' },
  ),
  status: statusSchema(),
};

/** Shared with Sidecar. */
export const CONNECTION_POOL_SCHEMA = CONNECTION_POOL;
