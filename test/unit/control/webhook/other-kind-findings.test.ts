import { describe } from 'node:test';
import { type RefusalRow, testRefusals, testWarnings } from '../../../helpers/admission-tables.ts';

const jwt = (rule: object) => ({ jwtRules: [{ issuer: 'https://a.example', ...rule }] });
const KEY = { kty: 'EC', crv: 'P-256', x: 'a', y: 'b' };
const jwks = (...keys: object[]) => jwt({ jwks: JSON.stringify({ keys }) });

const TOKENS: RefusalRow[] = [
  [
    'a rule without issuer and jwksUri',
    { jwtRules: [{ audiences: ['a'] }] },
    { jwtRules: [{ jwksUri: 'https://a.example/keys' }] },
    /issuer: is required/,
  ],
  ['an empty audience', jwt({ audiences: [''] }), jwt({ audiences: ['a'] }), /audiences\[0\]: must not be empty/],
  ['a jwksUri of another scheme', jwt({ jwksUri: 'file:///keys' }), jwt({ jwksUri: 'http://a/keys' }), /URL/],
  ['a jwksUri that is no URL', jwt({ jwksUri: 'keys' }), jwt({ jwksUri: 'https://a:8080/keys' }), /not a URL/],
  ['keys that are no JSON', jwt({ jwks: '{keys' }), jwks(KEY), /JWK set/],
  ['keys without type', jwks({ x: 'a' }), jwks(), /JWK set/],
  [
    'keys in two places',
    jwt({ jwks: '{"keys":[]}', jwksUri: 'https://a/keys' }),
    jwt({ jwksUri: 'https://a/keys' }),
    /only one of/,
  ],
  [
    'a header without name',
    jwt({ fromHeaders: [{ name: '' }] }),
    jwt({ fromHeaders: [{ name: 'x-token', prefix: 'Bearer ' }] }),
    /must not be empty/,
  ],
  [
    'a header that is none',
    jwt({ fromHeaders: [{ name: 'a b' }] }),
    jwt({ fromHeaders: [{ name: 'a_b' }] }),
    /name of a header/,
  ],
  ['a parameter without name', jwt({ fromParams: [''] }), jwt({ fromParams: ['token'] }), /must not be empty/],
  ['a cookie without name', jwt({ fromCookies: [''] }), jwt({ fromCookies: ['session'] }), /must not be empty/],
  [
    'a header of a claim with a dot',
    jwt({ outputClaimToHeaders: [{ header: 'x.a', claim: 'a.b' }] }),
    jwt({ outputClaimToHeaders: [{ header: 'x-a', claim: 'a.b' }] }),
    /letters, digits/,
  ],
  ['a timeout of 0', jwt({ timeout: '0s' }), jwt({ timeout: '5s' }), /1ms or more/],
  [
    'a target that cannot be one',
    { targetRefs: [{ kind: 'Pod', name: 'a', group: 'core' }] },
    { targetRefs: [{ kind: 'Service', name: 'a' }] },
    /cannot be a target/,
  ],
  [
    'a selector with a wildcard',
    { selector: { matchLabels: { app: '*' } } },
    { selector: { matchLabels: { app: 'a' } } },
    /wildcards/,
  ],
];

const tracing = (fields: object) => ({ tracing: [fields] });
const override = (tag: object) => ({ metrics: [{ overrides: [{ tagOverrides: { a: tag } }] }] });
const TELEMETRY: RefusalRow[] = [
  [
    'a provider without name',
    tracing({ providers: [{ name: '' }] }),
    tracing({ providers: [{ name: 'zipkin' }] }),
    /must not be empty/,
  ],
  [
    'a tag without source',
    tracing({ customTags: { a: {} } }),
    tracing({ customTags: { a: { header: { name: 'x-a' } } } }),
    /needs one of literal/,
  ],
  [
    'a tag with two sources',
    tracing({ customTags: { a: { literal: { value: 'a' }, environment: { name: 'A' } } } }),
    tracing({ customTags: { a: { environment: { name: 'A' } } } }),
    /only one of/,
  ],
  [
    'a sample of more than all',
    tracing({ randomSamplingPercentage: 101 }),
    tracing({ randomSamplingPercentage: 0.01 }),
    /100 or less/,
  ],
  ['a tag to write without value', override({}), override({ value: 'request.host' }), /UPSERT/],
  [
    'a tag to remove with a value',
    override({ operation: 'REMOVE', value: 'a' }),
    override({ operation: 'REMOVE' }),
    /REMOVE/,
  ],
  [
    'an interval of 0',
    { metrics: [{ reportingInterval: '0s' }] },
    { metrics: [{ reportingInterval: '5s' }] },
    /1ms or more/,
  ],
  [
    'a filter of nothing',
    { accessLogging: [{ filter: { expression: ' ' } }] },
    { accessLogging: [{ filter: { expression: 'response.code >= 400' } }] },
    /leave filter out/,
  ],
];

const ingress = (fields: object) => ({ ingress: [{ port: { number: 80 }, ...fields }] });
const egress = (...hosts: string[]) => ({ egress: [{ hosts }] });
const SIDECARS: RefusalRow[] = [
  ['a sidecar that says nothing', { workloadSelector: { labels: { a: 'b' } } }, egress('./*'), /says nothing/],
  [
    'an endpoint elsewhere',
    ingress({ defaultEndpoint: '10.0.0.1:80' }),
    ingress({ defaultEndpoint: '[::1]:80' }),
    /defaultEndpoint/,
  ],
  [
    'an endpoint without port',
    ingress({ defaultEndpoint: '127.0.0.1' }),
    ingress({ defaultEndpoint: 'unix:///a' }),
    /defaultEndpoint/,
  ],
  [
    'a port twice',
    { ingress: [{ port: { number: 80 } }, { port: { number: 80 } }] },
    { ingress: [{ port: { number: 80 } }, { port: { number: 81 } }] },
    /listed twice/,
  ],
  ['a host without namespace', egress('a.com'), egress('*/a.com', '~/*', 'istio-system/*'), /namespace\/host/],
  ['no hosts', { egress: [{ hosts: [] }] }, egress('*/*'), /at least one host/],
  [
    'two entries for all other traffic',
    { egress: [{ hosts: ['./*'] }, { hosts: ['*/*'] }] },
    { egress: [{ hosts: ['./*'], port: { number: 80 } }, { hosts: ['*/*'] }] },
    /only one entry/,
  ],
  [
    'a wildcard label',
    { ...egress('./*'), workloadSelector: { labels: { a: '*' } } },
    { ...egress('./*'), workloadSelector: { labels: { a: 'b' } } },
    /wildcards/,
  ],
  [
    'an empty connection pool',
    { inboundConnectionPool: {} },
    { inboundConnectionPool: { tcp: {} } },
    /must not be empty/,
  ],
  [
    'a proxy that is *',
    { outboundTrafficPolicy: { egressProxy: { host: '*' } } },
    { outboundTrafficPolicy: { egressProxy: { host: 'a' } } },
    /no destination/,
  ],
];

const group = (probe: object) => ({ template: {}, probe });
const GROUPS: RefusalRow[] = [
  [
    'a label that is none',
    { template: { labels: { a: 'b c' } } },
    { template: { labels: { a: 'b' } } },
    /value of a label/,
  ],
  [
    'a service account that is none',
    { template: { serviceAccount: 'A B' } },
    { template: { serviceAccount: 'a' } },
    /service account/,
  ],
  ['a probe of nothing', group({ periodSeconds: 5 }), group({ tcpSocket: { port: 80 } }), /needs one of httpGet/],
  [
    'a negative delay',
    group({ initialDelaySeconds: -1, grpc: { port: 80 } }),
    group({ initialDelaySeconds: 1, grpc: { port: 80 } }),
    /negative/,
  ],
  [
    'a scheme that is not of HTTP',
    group({ httpGet: { port: 80, scheme: 'ftp' } }),
    group({ httpGet: { port: 80, scheme: 'HTTPS' } }),
    /HTTP or HTTPS/,
  ],
  [
    'a command of nothing',
    group({ exec: { command: [] } }),
    group({ exec: { command: ['true'] } }),
    /must not be empty/,
  ],
];

const patch = (fields: object) => ({
  configPatches: [{ applyTo: 'CLUSTER', patch: { operation: 'REMOVE' }, ...fields }],
});
const FILTERS: RefusalRow[] = [
  ['a patch of nothing', { configPatches: [{ patch: { operation: 'REMOVE' } }] }, patch({}), /applyTo: is required/],
  ['a patch without patch', { configPatches: [{ applyTo: 'CLUSTER' }] }, patch({}), /patch: is required/],
  [
    'a patch without value',
    patch({ patch: { operation: 'MERGE' } }),
    patch({ patch: { operation: 'MERGE', value: {} } }),
    /value: is required/,
  ],
  ['a match of another object', patch({ match: { listener: {} } }), patch({ match: { cluster: {} } }), /cluster can/],
];

const entry = (fields: object) => ({
  hosts: ['a.com'],
  ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
  ...fields,
});
const TCP_PORT = [{ number: 80, name: 'tcp', protocol: 'TCP' }];
const ENTRIES: RefusalRow[] = [
  [
    'several hosts on a TCP port',
    entry({ hosts: ['a.com', 'b.com'], ports: TCP_PORT, resolution: 'DNS' }),
    entry({ hosts: ['a.com', 'b.com'], resolution: 'DNS' }),
    /several hosts/,
  ],
  [
    'DYNAMIC_DNS of one host',
    entry({ resolution: 'DYNAMIC_DNS' }),
    entry({ resolution: 'DYNAMIC_DNS', hosts: ['*.a.com'] }),
    /wildcard/,
  ],
  [
    'DYNAMIC_DNS of TCP',
    entry({ resolution: 'DYNAMIC_DNS', hosts: ['*.a.com'], ports: TCP_PORT }),
    entry({ ports: TCP_PORT }),
    /DYNAMIC_DNS/,
  ],
  ['export to nobody and somebody', entry({ exportTo: ['~', '.'] }), entry({ exportTo: ['~'] }), /combined/],
];

describe('a RequestAuthentication', () => {
  testRefusals('RequestAuthentication', TOKENS);
  testWarnings('RequestAuthentication', [
    ['a private key in plain sight', jwks({ ...KEY, d: 'secret' }), jwks(KEY), /private key/],
  ]);
});
describe('a Telemetry', () => {
  testRefusals('Telemetry', TELEMETRY);
  testWarnings('Telemetry', [
    [
      'several providers',
      tracing({ providers: [{ name: 'a' }, { name: 'b' }] }),
      tracing({ providers: [{ name: 'a' }] }),
      /only the first/,
    ],
    ['several entries', { tracing: [{}, {}] }, { tracing: [{}] }, /no effect/],
  ]);
});
describe('a Sidecar', () => testRefusals('Sidecar', SIDECARS));
describe('a WorkloadGroup', () => testRefusals('WorkloadGroup', GROUPS));
describe('an EnvoyFilter', () => testRefusals('EnvoyFilter', FILTERS));
describe('a ServiceEntry', () => testRefusals('ServiceEntry', ENTRIES));
describe('a ProxyConfig', () =>
  testRefusals('ProxyConfig', [
    [
      'a variable without name',
      { environmentVariables: { '': 'a' } },
      { environmentVariables: { A: 'a' } },
      /name a variable/,
    ],
    ['less than no threads', { concurrency: -1 }, { concurrency: 0 }, /0 or more/],
    [
      'a selector with a wildcard',
      { selector: { matchLabels: { a: '*' } } },
      { selector: { matchLabels: { a: 'b' } } },
      /wildcards/,
    ],
  ]));
