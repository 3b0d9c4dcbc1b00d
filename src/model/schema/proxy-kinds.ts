/** The kinds of networking.istio.io that shape proxies (facts l7-and-control 6.3). */
import { CONNECTION_POOL_SCHEMA } from './destination-rule-kind.ts';
import { SERVER_PORT, SERVER_TLS } from './gateway-kind.ts';
import { AGE, ATTACHMENT, type KindSchema, statusSchema, WORKLOAD_LABELS } from './kind-schema.ts';
import { any, count, integer, list, map, object, oneOf, text } from './schema.ts';

const GROUP = 'networking.istio.io';
const CAPTURE = oneOf('DEFAULT', 'IPTABLES', 'NONE');
const OUTBOUND_POLICY = object({
  mode: oneOf('REGISTRY_ONLY', 'ALLOW_ANY', 'ALLOW_ANY_DYNAMIC_DNS'),
  egressProxy: object({ host: text, subset: text, port: object({ number: count }) }, { required: ['host'] }),
});

export const SIDECAR_KIND: KindSchema = {
  group: GROUP,
  kind: 'Sidecar',
  plural: 'sidecars',
  singular: 'sidecar',
  shortNames: [],
  versions: ['v1', 'v1beta1', 'v1alpha3'],
  columns: [AGE],
  spec: object(
    {
      workloadSelector: WORKLOAD_LABELS,
      ingress: list(
        object(
          {
            port: SERVER_PORT,
            bind: text,
            captureMode: CAPTURE,
            defaultEndpoint: text,
            tls: SERVER_TLS,
            connectionPool: CONNECTION_POOL_SCHEMA,
          },
          { required: ['port'] },
        ),
      ),
      egress: list(
        object({ port: SERVER_PORT, bind: text, captureMode: CAPTURE, hosts: list(text) }, { required: ['hosts'] }),
      ),
      outboundTrafficPolicy: OUTBOUND_POLICY,
      inboundConnectionPool: CONNECTION_POOL_SCHEMA,
    },
    { description: 'What a sidecar listens to and knows; nothing without sidecars looks at it.' },
  ),
  status: statusSchema(),
};

const FILTER_MATCH = object({
  name: text,
  subFilter: object({ name: text }),
});
const LISTENER_MATCH = object({
  portNumber: count,
  portName: text,
  listenerFilter: text,
  name: text,
  filterChain: object({
    name: text,
    sni: text,
    transportProtocol: text,
    applicationProtocols: text,
    destinationPort: count,
    filter: FILTER_MATCH,
  }),
});
const ROUTE_MATCH = object({
  portNumber: count,
  portName: text,
  gateway: text,
  name: text,
  vhost: object({
    name: text,
    domainName: text,
    route: object({ name: text, action: oneOf('ANY', 'ROUTE', 'REDIRECT', 'DIRECT_RESPONSE') }),
  }),
});
const PATCH_MATCH = object(
  {
    context: oneOf('ANY', 'SIDECAR_INBOUND', 'SIDECAR_OUTBOUND', 'GATEWAY', 'WAYPOINT'),
    proxy: object({ proxyVersion: text, metadata: map(text) }),
    listener: LISTENER_MATCH,
    routeConfiguration: ROUTE_MATCH,
    cluster: object({ portNumber: count, service: text, subset: text, name: text }),
    waypoint: object({ portNumber: count, route: object({ name: text }), filter: FILTER_MATCH }),
  },
  { atMostOne: [['listener', 'routeConfiguration', 'cluster', 'waypoint']] },
);
const CONFIG_PATCH = object({
  applyTo: oneOf(
    'INVALID',
    'LISTENER',
    'FILTER_CHAIN',
    'NETWORK_FILTER',
    'HTTP_FILTER',
    'ROUTE_CONFIGURATION',
    'VIRTUAL_HOST',
    'HTTP_ROUTE',
    'CLUSTER',
    'EXTENSION_CONFIG',
    'BOOTSTRAP',
    'LISTENER_FILTER',
  ),
  match: PATCH_MATCH,
  patch: object({
    operation: oneOf('INVALID', 'MERGE', 'ADD', 'REMOVE', 'INSERT_BEFORE', 'INSERT_AFTER', 'INSERT_FIRST', 'REPLACE'),
    filterClass: oneOf('UNSPECIFIED', 'AUTHN', 'AUTHZ', 'STATS'),
    value: any,
  }),
});

export const ENVOY_FILTER_KIND: KindSchema = {
  group: GROUP,
  kind: 'EnvoyFilter',
  plural: 'envoyfilters',
  singular: 'envoyfilter',
  shortNames: [],
  versions: ['v1alpha3'],
  columns: [AGE],
  spec: object(
    {
      workloadSelector: WORKLOAD_LABELS,
      targetRefs: ATTACHMENT.targetRefs,
      configPatches: list(CONFIG_PATCH),
      priority: integer,
    },
    {
      atMostOne: [['workloadSelector', 'targetRefs']],
      description: 'Changes to the configuration of Envoy; other proxies do not look at it.',
    },
  ),
  status: statusSchema(),
};

export const PROXY_CONFIG_KIND: KindSchema = {
  group: GROUP,
  kind: 'ProxyConfig',
  plural: 'proxyconfigs',
  singular: 'proxyconfig',
  shortNames: [],
  versions: ['v1beta1'],
  columns: [AGE],
  spec: object(
    {
      selector: ATTACHMENT.selector,
      concurrency: { type: 'integer', minimum: 0 },
      environmentVariables: map({ type: 'string', maxLength: 2048 }),
      image: object({ imageType: text }),
    },
    { description: 'How the processes of proxies are run.' },
  ),
  status: statusSchema(),
};
