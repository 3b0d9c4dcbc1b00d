import { describe } from 'node:test';
import { type RefusalRow, testRefusals, testWarnings } from '../../../helpers/admission-tables.ts';

const HTTP = { number: 80, name: 'http', protocol: 'HTTP' };
const HTTPS = { number: 443, name: 'https', protocol: 'HTTPS' };
const FILES = { serverCertificate: '/c', privateKey: '/k' };

function server(fields: object) {
  return { servers: [{ port: HTTP, hosts: ['*'], ...fields }] };
}

function tls(settings: object) {
  return server({ port: HTTPS, tls: settings });
}

const REFUSALS: RefusalRow[] = [
  ['no server', { selector: { a: 'b' } }, server({}), /at least one server/],
  ['no host', server({ hosts: [] }), server({ hosts: ['a.com'] }), /at least one host/],
  [
    'a wildcard that is not left-most',
    server({ hosts: ['a.*.com'] }),
    server({ hosts: ['*.a.com', './a.com', 'ns/*', '*/b.com'] }),
    /left-most/,
  ],
  [
    'a host of a namespace that is none',
    server({ hosts: ['A_B/a.com'] }),
    server({ hosts: ['a-b/a.com'] }),
    /namespace/,
  ],
  [
    'a protocol that is none',
    server({ port: { ...HTTP, protocol: 'UDP' } }),
    server({ port: { ...HTTP, protocol: 'grpc-web' } }),
    /protocol: must be one of/,
  ],
  ['a targetPort', server({ port: { ...HTTP, targetPort: 8080 } }), server({ port: HTTP }), /targetPort: is not/],
  [
    'a port out of range',
    server({ port: { ...HTTP, number: 65_536 } }),
    server({ port: { ...HTTP, number: 65_535 } }),
    /1 to 65535/,
  ],
  [
    'a name of a port that is used twice',
    {
      servers: [
        { port: HTTP, hosts: ['a'] },
        { port: HTTP, hosts: ['b'] },
      ],
    },
    {
      servers: [
        { port: HTTP, hosts: ['a'] },
        { port: { ...HTTP, name: 'other' }, hosts: ['b'] },
      ],
    },
    /used twice/,
  ],
  ['an address that is none', server({ bind: 'localhost' }), server({ bind: '0.0.0.0' }), /IP address/],
  [
    'TLS on HTTP',
    server({ tls: { mode: 'SIMPLE', credentialName: 'a' } }),
    server({ tls: { httpsRedirect: true } }),
    /only httpsRedirect/,
  ],
  [
    'HTTPS without TLS',
    server({ port: HTTPS }),
    tls({ mode: 'SIMPLE', credentialName: 'a' }),
    /tls: is required for HTTPS/,
  ],
  ['SIMPLE without certificate', tls({ mode: 'SIMPLE' }), tls({ mode: 'SIMPLE', ...FILES }), /needs a certificate/],
  [
    'a certificate without key',
    tls({ mode: 'SIMPLE', serverCertificate: '/c' }),
    tls({ mode: 'SIMPLE', ...FILES }),
    /privateKey: is required/,
  ],
  [
    'MUTUAL without roots',
    tls({ mode: 'MUTUAL', ...FILES }),
    tls({ mode: 'MUTUAL', ...FILES, caCertificates: '/r' }),
    /caCertificates: is required/,
  ],
  [
    'two sources of certificates',
    tls({ mode: 'SIMPLE', credentialName: 'a', ...FILES }),
    tls({ mode: 'MUTUAL', credentialName: 'a' }),
    /one source/,
  ],
  [
    'half a pair of certificates',
    tls({ mode: 'SIMPLE', tlsCertificates: [{ privateKey: '/k' }] }),
    tls({ mode: 'SIMPLE', tlsCertificates: [FILES] }),
    /serverCertificate: is required/,
  ],
  [
    'ISTIO_MUTUAL with a certificate',
    tls({ mode: 'ISTIO_MUTUAL', credentialName: 'a' }),
    tls({ mode: 'ISTIO_MUTUAL' }),
    /certificates of the mesh/,
  ],
  [
    'a selector that is no label',
    { selector: { 'a b': 'c' }, ...server({}) },
    { selector: { istio: 'ingressgateway' }, ...server({}) },
    /label/,
  ],
];

describe('a Gateway', () => {
  testRefusals('Gateway', REFUSALS);
  testWarnings('Gateway', [
    [
      'a redirect of what is not HTTP',
      server({ port: { ...HTTP, protocol: 'TCP' }, tls: { httpsRedirect: true } }),
      server({ tls: { httpsRedirect: true } }),
      /no effect/,
    ],
    [
      'a certificate with PASSTHROUGH',
      tls({ mode: 'PASSTHROUGH', credentialName: 'a' }),
      tls({ mode: 'PASSTHROUGH' }),
      /ends TLS/,
    ],
    [
      'an unknown cipher',
      tls({ mode: 'SIMPLE', ...FILES, cipherSuites: ['ROT13'] }),
      tls({ mode: 'SIMPLE', ...FILES, cipherSuites: ['ECDHE-RSA-AES256-GCM-SHA384'] }),
      /ROT13/,
    ],
    [
      'a cipher that is listed twice',
      tls({ mode: 'SIMPLE', ...FILES, cipherSuites: ['AES128-SHA', 'AES128-SHA'] }),
      tls({ mode: 'SIMPLE', ...FILES, cipherSuites: ['AES128-SHA'] }),
      /twice/,
    ],
    [
      'an old version without ciphers',
      tls({ mode: 'SIMPLE', ...FILES, minProtocolVersion: 'TLSV1_1' }),
      tls({ mode: 'SIMPLE', ...FILES, minProtocolVersion: 'TLSV1_1', cipherSuites: ['AES128-SHA'] }),
      /needs cipherSuites/,
    ],
    [
      'versions that no client can meet',
      tls({ mode: 'SIMPLE', ...FILES, minProtocolVersion: 'TLSV1_3', maxProtocolVersion: 'TLSV1_2' }),
      tls({ mode: 'SIMPLE', ...FILES, minProtocolVersion: 'TLSV1_2', maxProtocolVersion: 'TLSV1_3' }),
      /no client/,
    ],
  ]);
});
