import { describe } from 'node:test';
import { type RefusalRow, testRefusals, testWarnings } from '../../../helpers/admission-tables.ts';

const ROUTE = [{ destination: { host: 'web' } }];
const TO_TWO = (first: object, second: object) => [
  { destination: { host: 'web', subset: 'v1' }, ...first },
  { destination: { host: 'web', subset: 'v2' }, ...second },
];

function withHosts(hosts: readonly string[], more: object = {}) {
  return { hosts, http: [{ route: ROUTE }], ...more };
}

/** A resource whose one HTTP rule forwards, with more fields. */
function rule(fields: object) {
  return { hosts: ['web'], http: [{ route: ROUTE, ...fields }] };
}

/** A resource whose one HTTP rule has these fields only. */
function action(fields: object, more: object = {}) {
  return { hosts: ['web'], http: [fields], ...more };
}

function match(fields: object, more: object = {}) {
  return { ...rule({ match: [fields] }), ...more };
}

const TOP: RefusalRow[] = [
  ['a host that is none', withHosts(['we b']), withHosts(['web']), /spec\.hosts: "we b" is not a host name/],
  ['a wildcard inside a host', withHosts(['a.*.com']), withHosts(['*.a.com']), /left-most/],
  ['* in the mesh', withHosts(['*']), withHosts(['*'], { gateways: ['edge'] }), /gateways only/],
  [
    '* where the mesh is named too',
    withHosts(['*'], { gateways: ['mesh', 'edge'] }),
    withHosts(['*.com'], { gateways: ['mesh', 'edge'] }),
    /gateways only/,
  ],
  [
    'a host within another',
    withHosts(['*.foo.com', 'a.foo.com']),
    withHosts(['*.foo.com', 'foo.com']),
    /part of "\*\.foo\.com"/,
  ],
  ['a host twice', withHosts(['a.com', 'A.com']), withHosts(['a.com', 'b.com']), /listed twice/],
  ['no rule at all', { hosts: ['web'] }, withHosts(['web']), /routes nothing/],
  [
    'gateways without hosts',
    { gateways: ['edge'], http: [{ route: ROUTE }] },
    { http: [{ route: ROUTE }] },
    /spec\.gateways/,
  ],
  [
    'tcp without hosts',
    { http: [{ route: ROUTE }], tcp: [{ route: ROUTE }] },
    { hosts: ['a'], http: [{ route: ROUTE }], tcp: [{ route: ROUTE }] },
    /spec\.tcp/,
  ],
  [
    'a gateway that is no name',
    withHosts(['web'], { gateways: ['a/b/c'] }),
    withHosts(['web'], { gateways: ['./b', 'a/b'] }),
    /spec\.gateways/,
  ],
  [
    'export to all and others',
    withHosts(['web'], { exportTo: ['*', '.'] }),
    withHosts(['web'], { exportTo: ['*'] }),
    /combined/,
  ],
  [
    'export to one namespace twice',
    withHosts(['web'], { exportTo: ['a', 'a'] }),
    withHosts(['web'], { exportTo: ['a', '.'] }),
    /twice/,
  ],
  ['export to nobody', withHosts(['web'], { exportTo: ['~'] }), withHosts(['web'], { exportTo: ['.'] }), /nobody/],
];
const ACTIONS: RefusalRow[] = [
  ['a rule that does nothing', action({ timeout: '1s' }), action({ timeout: '1s', route: ROUTE }), /does nothing/],
  [
    'route and redirect',
    rule({ redirect: { uri: '/' } }),
    action({ redirect: { uri: '/' } }),
    /redirect: cannot be combined with route/,
  ],
  [
    'fault and redirect',
    action({ redirect: { uri: '/' }, fault: { abort: { percentage: { value: 1 }, httpStatus: 500 } } }),
    rule({ fault: { abort: { httpStatus: 500 } } }),
    /fault: cannot/,
  ],
  [
    'rewrite and redirect',
    action({ redirect: { uri: '/' }, rewrite: { uri: '/' } }),
    rule({ rewrite: { uri: '/' } }),
    /rewrite: cannot/,
  ],
  [
    'an answer and redirect',
    action({ redirect: { uri: '/' }, directResponse: { status: 200 } }),
    action({ directResponse: { status: 200 } }),
    /directResponse: cannot/,
  ],
  [
    'an answer and route',
    rule({ directResponse: { status: 200 } }),
    action({ directResponse: { status: 200 } }),
    /directResponse: cannot/,
  ],
  [
    'fault and an answer',
    action({ directResponse: { status: 200 }, fault: { delay: { fixedDelay: '1s' } } }),
    rule({ fault: { delay: { fixedDelay: '1s' } } }),
    /fault: cannot/,
  ],
  [
    'rewrite and an answer',
    action({ directResponse: { status: 200 }, rewrite: { uri: '/' } }),
    rule({ rewrite: { uri: '/' } }),
    /rewrite: cannot/,
  ],
  [
    'mirror and mirrors',
    rule({ mirror: { host: 'a' }, mirrors: [{ destination: { host: 'b' } }] }),
    rule({ mirrors: [{ destination: { host: 'b' } }] }),
    /mirrors: cannot/,
  ],
  ['delegate and route', rule({ delegate: { name: 'a' } }), action({ delegate: { name: 'a' } }), /delegate: cannot/],
  [
    'a delegate that delegates',
    { http: [{ delegate: { name: 'a' } }] },
    action({ delegate: { name: 'a', namespace: 'b' } }),
    /cannot delegate further/,
  ],
  [
    'a delegate without name',
    action({ delegate: {} }),
    action({ delegate: { name: 'a' } }),
    /delegate\.name: is required/,
  ],
  [
    'a redirect that changes nothing',
    action({ redirect: { redirectCode: 302 } }),
    action({ redirect: { redirectCode: 302, scheme: 'https' } }),
    /changes nothing/,
  ],
  [
    'a redirect with uri and prefixRewrite',
    action({ match: [{ uri: { prefix: '/a' } }], redirect: { uri: '/', prefixRewrite: '/' } }),
    action({ match: [{ uri: { prefix: '/a' } }], redirect: { prefixRewrite: '/' } }),
    /prefixRewrite: cannot/,
  ],
  [
    'prefixRewrite of an exact match',
    action({ match: [{ uri: { exact: '/a' } }], redirect: { prefixRewrite: '/' } }),
    action({ match: [{ uri: { prefix: '/a' } }], redirect: { prefixRewrite: '/' } }),
    /uri\.prefix/,
  ],
  [
    'a scheme that is not of HTTP',
    action({ redirect: { scheme: 'ftp' } }),
    action({ redirect: { scheme: 'https' } }),
    /http or https/,
  ],
  [
    'a redirect with port and derivePort',
    action({ redirect: { port: 80, derivePort: 'FROM_REQUEST_PORT' } }),
    action({ redirect: { derivePort: 'FROM_REQUEST_PORT' } }),
    /only one of/,
  ],
  [
    'a redirect by 200',
    action({ redirect: { uri: '/', redirectCode: 200 } }),
    action({ redirect: { uri: '/', redirectCode: 307 } }),
    /3xx/,
  ],
  [
    'an answer of status 100',
    action({ directResponse: { status: 100 } }),
    action({ directResponse: { status: 204 } }),
    /200 to 599/,
  ],
  [
    'an answer of status 600',
    action({ directResponse: { status: 600 } }),
    action({ directResponse: { status: 599 } }),
    /directResponse\.status: must be from 200 to 599, is 600/,
  ],
  [
    'an answer of more than 1 MiB',
    action({ directResponse: { status: 200, body: { string: 'a'.repeat(1024 * 1024 + 1) } } }),
    action({ directResponse: { status: 200, body: { string: 'a' } } }),
    /bytes at most/,
  ],
  [
    'an answer that is not base64',
    action({ directResponse: { status: 200, body: { bytes: '?' } } }),
    action({ directResponse: { status: 200, body: { bytes: 'YQ==' } } }),
    /base64/,
  ],
  ['an empty rewrite', rule({ rewrite: {} }), rule({ rewrite: { authority: 'a' } }), /needs uri/],
  [
    'a rewrite by uri and by regex',
    rule({ rewrite: { uri: '/', uriRegexRewrite: { match: 'a', rewrite: 'b' } } }),
    rule({ rewrite: { uriRegexRewrite: { match: 'a', rewrite: 'b' } } }),
    /uriRegexRewrite: cannot/,
  ],
  [
    'half a rewrite by regex',
    rule({ rewrite: { uriRegexRewrite: { match: 'a' } } }),
    rule({ rewrite: { uriRegexRewrite: { match: 'a', rewrite: '\\1' } } }),
    /rewrite: is required/,
  ],
  [
    'a rewrite by a regex that is none',
    rule({ rewrite: { uriRegexRewrite: { match: '(', rewrite: 'b' } } }),
    rule({ rewrite: { uriRegexRewrite: { match: '()', rewrite: 'b' } } }),
    /without its \)/,
  ],
];
const MATCHES: RefusalRow[] = [
  [
    'a regex that is none',
    match({ uri: { regex: '[a' } }),
    match({ uri: { regex: '(?i)/[a-z]+' } }),
    /uri\.regex: has a \[ without/,
  ],
  ['a regex that looks ahead', match({ uri: { regex: '(?!a)b' } }), match({ uri: { regex: '(?:a)b' } }), /RE2/],
  [
    'a regex of more than 1024 characters',
    match({ uri: { regex: 'a'.repeat(1025) } }),
    match({ uri: { regex: 'a'.repeat(1024) } }),
    /1024/,
  ],
  [
    'an empty prefix of a header',
    match({ headers: { a: { prefix: '' } } }),
    match({ headers: { a: { prefix: 'b' } } }),
    /prefix: must not be empty/,
  ],
  [
    'an empty regex of an authority',
    match({ authority: { regex: '' } }),
    match({ authority: { regex: 'a' } }),
    /regex: must not be empty/,
  ],
  ['a path match of nothing', match({ uri: {} }), match({ uri: { prefix: '' } }), /one of exact/],
  ['two ways to match', match({ uri: { exact: '/a', prefix: '/a' } }), match({ uri: { exact: '/a' } }), /only one of/],
  ['a header without name', match({ headers: { '': {} } }), match({ headers: { 'x-a': {} } }), /must not be empty/],
  [
    'a header that is none',
    match({ withoutHeaders: { 'a b': {} } }),
    match({ withoutHeaders: { ':path': {} } }),
    /"a b" is not the name/,
  ],
  [
    'a claim of a token without its end',
    match({ headers: { '@request.auth.claims[group': { exact: 'a' } } }),
    match({ headers: { '@request.auth.claims[group][x]': { exact: 'a' } } }),
    /must be @request\.auth\.claims\.a\.b or/,
  ],
  [
    'a claim without name',
    match({ withoutHeaders: { '@request.auth.claims': {} } }),
    match({ withoutHeaders: { '@request.auth.claims.group.x': {} } }),
    /must be @request\.auth\.claims/,
  ],
  ['a port out of range', match({ port: 70_000 }), match({ port: 443 }), /1 to 65535/],
  [
    'a label that is none',
    match({ sourceLabels: { 'a b': 'c' } }),
    match({ sourceLabels: { 'a.b/c': 'd' } }),
    /key of a label/,
  ],
  [
    'a gateway of a match that is no name',
    match({ gateways: ['A B'] }),
    match({ gateways: ['edge'] }),
    /name of a gateway/,
  ],
];
const DESTINATIONS: RefusalRow[] = [
  [
    'the destination *',
    rule({ route: [{ destination: { host: '*' } }] }),
    rule({ route: [{ destination: { host: 'a.b' } }] }),
    /no destination/,
  ],
  [
    'a destination that is no host',
    rule({ route: [{ destination: { host: 'a_b!' } }] }),
    rule({ route: [{ destination: { host: 'a-b' } }] }),
    /not a host name/,
  ],
  [
    'a subset that is no label',
    rule({ route: [{ destination: { host: 'a', subset: 'v1.0' } }] }),
    rule({ route: [{ destination: { host: 'a', subset: 'v1-0' } }] }),
    /DNS label/,
  ],
  [
    'a destination port of 0',
    rule({ route: [{ destination: { host: 'a', port: { number: 0 } } }] }),
    rule({ route: [{ destination: { host: 'a', port: { number: 1 } } }] }),
    /1 to 65535/,
  ],
  [
    'a negative weight',
    rule({ route: TO_TWO({ weight: -1 }, { weight: 5 }) }),
    rule({ route: TO_TWO({ weight: 1 }, { weight: 5 }) }),
    /weight: must not be negative/,
  ],
  [
    'weights that are all 0',
    rule({ route: TO_TWO({}, { weight: 0 }) }),
    rule({ route: TO_TWO({}, { weight: 1 }) }),
    /must not all be 0/,
  ],
  ['a mirror to *', rule({ mirror: { host: '*' } }), rule({ mirror: { host: 'a' } }), /mirror\.host/],
  [
    'more than all requests mirrored',
    rule({ mirror: { host: 'a' }, mirrorPercentage: { value: 101 } }),
    rule({ mirror: { host: 'a' }, mirrorPercentage: { value: 0.5 } }),
    /0 to 100/,
  ],
];
const HEADERS: RefusalRow[] = [
  [
    'a change of a pseudo header',
    rule({ headers: { request: { set: { ':path': '/' } } } }),
    rule({ headers: { request: { set: { ':authority': 'a' } } } }),
    /cannot be changed/,
  ],
  [
    'the removal of the host',
    rule({ headers: { request: { remove: ['Host'] } } }),
    rule({ headers: { request: { remove: ['x-host'] } } }),
    /"Host" cannot be changed/,
  ],
  [
    'a changed host of a response',
    rule({ headers: { response: { add: { host: 'a' } } } }),
    rule({ headers: { request: { add: { host: 'a' } } } }),
    /cannot be changed/,
  ],
  [
    'a host that is rewritten twice',
    rule({ rewrite: { authority: 'a' }, headers: { request: { set: { host: 'b' } } } }),
    rule({ rewrite: { authority: 'a' }, headers: { request: { set: { x: 'b' } } } }),
    /rewritten twice/,
  ],
  [
    'a single %',
    rule({ headers: { request: { set: { a: '5%' } } } }),
    rule({ headers: { request: { set: { a: '5%% %REQ(x)% %START_TIME(%Y-%m-%d)%' } } } }),
    /single %/,
  ],
  [
    'a header name with a blank',
    rule({ headers: { response: { set: { 'a b': 'c' } } } }),
    rule({ headers: { response: { set: { ab: 'c' } } } }),
    /name of a header/,
  ],
];
const FAILURES: RefusalRow[] = [
  ['an empty fault', rule({ fault: {} }), rule({ fault: { delay: { fixedDelay: '1s' } } }), /delay or abort/],
  [
    'a delay of more than all requests',
    rule({ fault: { delay: { percentage: { value: 100.1 }, fixedDelay: '1s' } } }),
    rule({ fault: { delay: { percentage: { value: 0.0001 }, fixedDelay: '1s' } } }),
    /0 to 100/,
  ],
  [
    'a delay of less than 1ms',
    rule({ fault: { delay: { fixedDelay: '10us' } } }),
    rule({ fault: { delay: { fixedDelay: '1ms' } } }),
    /1ms or more/,
  ],
  [
    'an exponential delay',
    rule({ fault: { delay: { exponentialDelay: '1s' } } }),
    rule({ fault: { delay: { fixedDelay: '1s' } } }),
    /not supported/,
  ],
  [
    'an abort by status 100',
    rule({ fault: { abort: { httpStatus: 100 } } }),
    rule({ fault: { abort: { httpStatus: 599 } } }),
    /200 to 599/,
  ],
  [
    'an abort by status 600',
    rule({ fault: { abort: { httpStatus: 600 } } }),
    rule({ fault: { abort: { httpStatus: 200 } } }),
    /abort\.httpStatus: must be from 200 to 599, is 600/,
  ],
  [
    'an abort by a gRPC number',
    rule({ fault: { abort: { grpcStatus: '14' } } }),
    rule({ fault: { abort: { grpcStatus: 'UNAVAILABLE' } } }),
    /name of a gRPC status/,
  ],
  [
    'an abort by an HTTP/2 error',
    rule({ fault: { abort: { http2Error: 'x' } } }),
    rule({ fault: { abort: { httpStatus: 500 } } }),
    /not supported/,
  ],
  ['a timeout below 1ms', rule({ timeout: '1us' }), rule({ timeout: '0s' }), /1ms or more, or 0s/],
  ['a timeout of broken milliseconds', rule({ timeout: '1.5ms' }), rule({ timeout: '1.5s' }), /whole milliseconds/],
  [
    'a perTryTimeout of 0',
    rule({ retries: { attempts: 1, perTryTimeout: '0s' } }),
    rule({ retries: { attempts: 1, perTryTimeout: '1s' } }),
    /1ms or more/,
  ],
  [
    'an unknown condition to retry on',
    rule({ retries: { attempts: 1, retryOn: '5xx,timeout' } }),
    rule({ retries: { attempts: 1, retryOn: '5xx, reset,503' } }),
    /"timeout" is not/,
  ],
  [
    'a status to retry on that is none',
    rule({ retries: { attempts: 1, retryOn: '999' } }),
    rule({ retries: { attempts: 1, retryOn: '409' } }),
    /HTTP status/,
  ],
  [
    'a method of CORS that is none',
    rule({ corsPolicy: { allowMethods: ['get'] } }),
    rule({ corsPolicy: { allowMethods: ['GET', '*'] } }),
    /"get" is none of/,
  ],
  [
    'an empty prefix of an origin',
    rule({ corsPolicy: { allowOrigins: [{ prefix: '' }] } }),
    rule({ corsPolicy: { allowOrigins: [{ exact: '*' }] } }),
    /must not be empty/,
  ],
  [
    'a maxAge below a second',
    rule({ corsPolicy: { maxAge: '1500ms' } }),
    rule({ corsPolicy: { maxAge: '24h' } }),
    /whole seconds/,
  ],
  [
    'a header of CORS that is none',
    rule({ corsPolicy: { allowHeaders: ['a b'] } }),
    rule({ corsPolicy: { allowHeaders: ['*', 'x-a'] } }),
    /name of a header/,
  ],
];
const tls = (sniHosts: string[], more: object = {}) => ({
  hosts: ['*.a.com', 'b.com'],
  tls: [{ match: [{ sniHosts, ...more }], route: ROUTE }],
});
const tcp = (fields: object, route: unknown = ROUTE) => ({ hosts: ['a'], tcp: [{ match: [fields], route }] });
const L4: RefusalRow[] = [
  [
    'a name in TLS outside of the hosts',
    tls(['c.com']),
    tls(['x.a.com', '*.x.a.com', 'b.com', '*.a.com']),
    /none of the hosts/,
  ],
  ['no name in TLS', tls([]), tls(['b.com']), /at least one name/],
  [
    'a TLS rule without match',
    { hosts: ['a'], tls: [{ match: [], route: ROUTE }] },
    { hosts: ['a'], tls: [{ match: [{ sniHosts: ['a'] }], route: ROUTE }] },
    /at least one entry/,
  ],
  [
    'a subnet that is none',
    tls(['b.com'], { destinationSubnets: ['10.0.0.0/33'] }),
    tls(['b.com'], { destinationSubnets: ['10.0.0.0/8', '::/0', '1.2.3.4'] }),
    /CIDR/,
  ],
  ['a source that is no subnet', tcp({ sourceSubnet: 'web' }), tcp({ sourceSubnet: '10.0.0.0/8' }), /CIDR/],
  ['a TCP rule without destination', tcp({ port: 80 }, []), tcp({ port: 80 }), /at least one destination/],
  ['a TCP port out of range', tcp({ port: 0 }), tcp({ port: 65535 }), /1 to 65535/],
];

describe('a VirtualService', () => {
  testRefusals('VirtualService', [...TOP, ...ACTIONS, ...MATCHES, ...DESTINATIONS, ...HEADERS, ...FAILURES, ...L4]);
  testWarnings('VirtualService', [
    [
      'a gateway by its host name',
      withHosts(['web'], { gateways: ['edge.demo.svc'] }),
      withHosts(['web'], { gateways: ['demo/edge'] }),
      /namespace\/name/,
    ],
    [
      'rules after one that takes everything',
      { hosts: ['web'], http: [{ match: [{ uri: { prefix: '/' } }], route: ROUTE }, { route: ROUTE }] },
      { hosts: ['web'], http: [{ match: [{ uri: { prefix: '/a' } }], route: ROUTE }, { route: ROUTE }] },
      /http\[1\]: is never reached/,
    ],
    ['labels of clients', match({ sourceLabels: { app: 'a' } }), match({ port: 80 }), /waypoints pass over/],
    [
      'ignoreUriCase of a regex',
      match({ uri: { regex: 'a' }, ignoreUriCase: true }),
      match({ uri: { exact: '/a' }, ignoreUriCase: true }),
      /\(\?i\)/,
    ],
    [
      'a code that does not redirect',
      action({ redirect: { uri: '/', redirectCode: 304 } }),
      action({ redirect: { uri: '/', redirectCode: 303 } }),
      /does not redirect/,
    ],
    [
      'an answer of more than 100 KiB',
      action({ directResponse: { status: 200, body: { string: 'a'.repeat(200_000) } } }),
      action({ directResponse: { status: 200, body: { string: 'a'.repeat(1000) } } }),
      /in memory/,
    ],
    [
      'a fault that never happens',
      rule({ fault: { abort: { httpStatus: 500 } } }),
      rule({ fault: { abort: { percentage: { value: 10 }, httpStatus: 500 } } }),
      /no request is aborted/,
    ],
    [
      'retries without attempts',
      rule({ retries: { retryOn: '5xx' } }),
      rule({ retries: { attempts: 2, retryOn: '5xx' } }),
      /nothing is retried/,
    ],
    [
      'a perTryTimeout that is never reached',
      rule({ timeout: '1s', retries: { attempts: 2, perTryTimeout: '1s' } }),
      rule({ timeout: '1s', retries: { attempts: 2, perTryTimeout: '900ms' } }),
      /no effect/,
    ],
    [
      'the legacy mirrorPercent',
      rule({ mirror: { host: 'a' }, mirrorPercent: 5 }),
      rule({ mirror: { host: 'a' }, mirrorPercentage: { value: 5 } }),
      /deprecated/,
    ],
    [
      'the legacy allowOrigin',
      rule({ corsPolicy: { allowOrigin: ['*'] } }),
      rule({ corsPolicy: { allowOrigins: [{ exact: 'a' }] } }),
      /deprecated/,
    ],
  ]);
});
