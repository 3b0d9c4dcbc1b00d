/** Gateway of networking.istio.io (facts l7-and-control 4.7). */
import { AGE, type KindSchema, statusSchema } from './kind-schema.ts';
import { boolean, count, list, map, object, oneOf, text } from './schema.ts';

const TLS_VERSION = oneOf('TLS_AUTO', 'TLSV1_0', 'TLSV1_1', 'TLSV1_2', 'TLSV1_3');

/** The TLS settings of a server. */
export const SERVER_TLS = object({
  httpsRedirect: boolean,
  mode: oneOf('PASSTHROUGH', 'SIMPLE', 'MUTUAL', 'AUTO_PASSTHROUGH', 'ISTIO_MUTUAL', 'OPTIONAL_MUTUAL'),
  serverCertificate: text,
  privateKey: text,
  caCertificates: text,
  caCrl: text,
  credentialName: text,
  credentialNames: list(text, { maxItems: 2 }),
  tlsCertificates: list(object({ serverCertificate: text, privateKey: text, caCertificates: text }), { maxItems: 2 }),
  caCertCredentialName: text,
  subjectAltNames: list(text),
  verifyCertificateSpki: list(text),
  verifyCertificateHash: list(text),
  minProtocolVersion: TLS_VERSION,
  maxProtocolVersion: TLS_VERSION,
  cipherSuites: list(text),
  insecureSkipVerify: boolean,
});

/** The port of a server or a listener. */
export const SERVER_PORT = object({ number: count, protocol: text, name: text, targetPort: count });

const SERVER = object(
  { port: SERVER_PORT, bind: text, hosts: list(text), tls: SERVER_TLS, defaultEndpoint: text, name: text },
  { required: ['port', 'hosts'] },
);

export const GATEWAY_KIND: KindSchema = {
  group: 'networking.istio.io',
  kind: 'Gateway',
  plural: 'gateways',
  singular: 'gateway',
  shortNames: ['gw'],
  versions: ['v1', 'v1beta1', 'v1alpha3'],
  columns: [AGE],
  spec: object(
    { selector: map(text), servers: list(SERVER) },
    { description: 'What a proxy at the edge of the mesh listens to.' },
  ),
  status: statusSchema(),
};
