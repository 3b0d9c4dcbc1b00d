/** Telemetry (facts l7-and-control 6.4). */
import { AGE, ATTACHMENT, type KindSchema, ONE_ATTACHMENT, statusSchema } from './kind-schema.ts';
import { boolean, duration, list, map, nonEmptyText, object, oneOf, text } from './schema.ts';

const PROVIDERS = list(object({ name: nonEmptyText }, { required: ['name'] }));
const MODE = oneOf('CLIENT_AND_SERVER', 'CLIENT', 'SERVER');

const TAG = object(
  {
    literal: object({ value: nonEmptyText }, { required: ['value'] }),
    environment: object({ name: nonEmptyText, defaultValue: text }, { required: ['name'] }),
    header: object({ name: nonEmptyText, defaultValue: text }, { required: ['name'] }),
    formatter: object({ value: nonEmptyText }, { required: ['value'] }),
  },
  { atMostOne: [['literal', 'environment', 'header', 'formatter']] },
);
const TRACING = object({
  match: object({ mode: MODE }),
  providers: PROVIDERS,
  randomSamplingPercentage: { type: 'number', minimum: 0, maximum: 100 },
  disableSpanReporting: boolean,
  customTags: map(TAG),
  useRequestIdForTraceSampling: boolean,
  enableIstioTags: boolean,
  disableContextPropagation: boolean,
});
const METRIC = oneOf(
  'ALL_METRICS',
  'REQUEST_COUNT',
  'REQUEST_DURATION',
  'REQUEST_SIZE',
  'RESPONSE_SIZE',
  'TCP_OPENED_CONNECTIONS',
  'TCP_CLOSED_CONNECTIONS',
  'TCP_SENT_BYTES',
  'TCP_RECEIVED_BYTES',
  'GRPC_REQUEST_MESSAGES',
  'GRPC_RESPONSE_MESSAGES',
);
const METRICS = object({
  providers: PROVIDERS,
  overrides: list(
    object({
      match: object(
        { metric: METRIC, customMetric: nonEmptyText, mode: MODE },
        { atMostOne: [['metric', 'customMetric']] },
      ),
      disabled: boolean,
      tagOverrides: map(object({ operation: oneOf('UPSERT', 'REMOVE'), value: text })),
    }),
  ),
  reportingInterval: duration,
});
const ACCESS_LOGGING = object({
  match: object({ mode: MODE }),
  providers: PROVIDERS,
  disabled: boolean,
  filter: object({ expression: text }),
});

export const TELEMETRY_KIND: KindSchema = {
  group: 'telemetry.istio.io',
  kind: 'Telemetry',
  plural: 'telemetries',
  singular: 'telemetry',
  shortNames: ['telemetry'],
  versions: ['v1', 'v1alpha1'],
  columns: [AGE],
  spec: object(
    { ...ATTACHMENT, tracing: list(TRACING), metrics: list(METRICS), accessLogging: list(ACCESS_LOGGING) },
    { atMostOne: ONE_ATTACHMENT, description: 'Which metrics, traces and access logs proxies write.' },
  ),
  status: statusSchema(),
};
