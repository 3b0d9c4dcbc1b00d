/** VirtualService (facts l7-and-control 1). */
import { AGE, type KindSchema, STRING_MATCH, statusSchema } from './kind-schema.ts';
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
  text,
} from './schema.ts';

const PERCENT = object({ value: number });
const DESTINATION = object(
  { host: nonEmptyText, subset: text, port: object({ number: count }) },
  { required: ['host'] },
);
const HEADER_CHANGES = object({ set: map(text), add: map(text), remove: list(text) });
const HEADERS = object({ request: HEADER_CHANGES, response: HEADER_CHANGES });
const LABELS = map(text);

const HTTP_MATCH = object({
  name: text,
  uri: STRING_MATCH,
  scheme: STRING_MATCH,
  method: STRING_MATCH,
  authority: STRING_MATCH,
  headers: map(STRING_MATCH),
  withoutHeaders: map(STRING_MATCH),
  queryParams: map(STRING_MATCH),
  ignoreUriCase: boolean,
  port: count,
  sourceLabels: LABELS,
  sourceNamespace: text,
  gateways: list(text),
  statPrefix: text,
});

const REDIRECT = object(
  {
    uri: text,
    prefixRewrite: text,
    authority: text,
    scheme: text,
    port: count,
    derivePort: oneOf('FROM_PROTOCOL_DEFAULT', 'FROM_REQUEST_PORT'),
    redirectCode: count,
  },
  { atMostOne: [['port', 'derivePort']] },
);
const FAULT = object({
  delay: object(
    { percentage: PERCENT, percent: between(0, 100), fixedDelay: duration, exponentialDelay: duration },
    { atMostOne: [['fixedDelay', 'exponentialDelay']] },
  ),
  abort: object(
    { percentage: PERCENT, httpStatus: integer, grpcStatus: text, http2Error: text },
    { atMostOne: [['httpStatus', 'grpcStatus', 'http2Error']] },
  ),
});
const RETRIES = object({
  attempts: integer,
  perTryTimeout: duration,
  retryOn: text,
  retryRemoteLocalities: boolean,
  retryIgnorePreviousHosts: boolean,
  backoff: duration,
});
const CORS = object({
  allowOrigin: list(text),
  allowOrigins: list(STRING_MATCH),
  allowMethods: list(text),
  allowHeaders: list(text),
  exposeHeaders: list(text),
  maxAge: duration,
  allowCredentials: boolean,
  unmatchedPreflights: oneOf('UNSPECIFIED', 'FORWARD', 'IGNORE'),
});

const HTTP_ROUTE = object({
  name: text,
  match: list(HTTP_MATCH),
  route: list(object({ destination: DESTINATION, weight: integer, headers: HEADERS }, { required: ['destination'] })),
  redirect: REDIRECT,
  directResponse: object(
    {
      status: count,
      body: object({ string: text, bytes: text }, { atMostOne: [['string', 'bytes']] }),
    },
    { required: ['status'] },
  ),
  delegate: object({ name: text, namespace: text }),
  rewrite: object({ uri: text, authority: text, uriRegexRewrite: object({ match: text, rewrite: text }) }),
  timeout: duration,
  retries: RETRIES,
  fault: FAULT,
  mirror: DESTINATION,
  mirrorPercent: count,
  mirrorPercentage: PERCENT,
  mirrors: list(object({ destination: DESTINATION, percentage: PERCENT }, { required: ['destination'] })),
  corsPolicy: CORS,
  headers: HEADERS,
});

const L4_MATCH = {
  destinationSubnets: list(text),
  port: count,
  sourceLabels: LABELS,
  gateways: list(text),
  sourceNamespace: text,
};
const L4_ROUTES = list(object({ destination: DESTINATION, weight: integer }, { required: ['destination'] }));
const TLS_ROUTE = object(
  { match: list(object({ ...L4_MATCH, sniHosts: list(text) }, { required: ['sniHosts'] })), route: L4_ROUTES },
  { required: ['match'] },
);
const TCP_ROUTE = object({ match: list(object({ ...L4_MATCH, sourceSubnet: text })), route: L4_ROUTES });

export const VIRTUAL_SERVICE_KIND: KindSchema = {
  group: 'networking.istio.io',
  kind: 'VirtualService',
  plural: 'virtualservices',
  singular: 'virtualservice',
  shortNames: ['vs'],
  versions: ['v1', 'v1beta1', 'v1alpha3'],
  columns: [
    { name: 'Gateways', type: 'string', path: '.spec.gateways', description: 'Where the routes apply' },
    { name: 'Hosts', type: 'string', path: '.spec.hosts', description: 'The names that it is about' },
    AGE,
  ],
  spec: object(
    {
      hosts: list(text),
      gateways: list(text),
      http: list(HTTP_ROUTE),
      tls: list(TLS_ROUTE),
      tcp: list(TCP_ROUTE),
      exportTo: list(text),
    },
    { description: 'How requests to a host are routed.' },
  ),
  status: statusSchema(),
};
