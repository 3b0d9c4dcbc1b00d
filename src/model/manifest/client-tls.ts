/** TLS towards the endpoints of a service, as a DestinationRule asks for it (facts l7-and-control 2.5). */
import { type ClientTls, type TlsFiles, TlsMode } from '../../proto/gen/ambit.ts';
import { credentialName } from '../waypoint-feed.ts';
import type { FieldReader } from './field-reader.ts';
import { formatFieldPath } from './manifest-problem.ts';

/** A Secret that a rule names. */
export interface CredentialRef {
  /** `spec.trafficPolicy.tls.credentialName`, or of a subset or port. */
  readonly field: string;
  readonly secret: string;
  /** Whether the waypoint shows a certificate of its own. */
  readonly shows: boolean;
  /** Whether it looks at the endpoint's. */
  readonly checks: boolean;
}

/** The modes of the mesh itself change nothing. @param namespace of the rule */
export function readClientTls(tls: FieldReader, namespace: string): ClientTls {
  const mode = modeOf(tls);
  const secret = secretOf(tls);
  return {
    mode,
    sni: tls.string('sni') ?? '',
    subjectAltNames: tls.strings('subjectAltNames'),
    insecureSkipVerify: tls.raw('insecureSkipVerify') === true,
    credential: secret === '' ? '' : credentialName(mode === TlsMode.MUTUAL, namespace, secret),
    files: readFiles(tls, namespace, mode),
  };
}

/** The Secret of the block; undefined when it names none, or has nothing to do with it. */
export function credentialRefOf(tls: FieldReader): CredentialRef | undefined {
  const secret = secretOf(tls);
  const mode = modeOf(tls);
  if (secret === '' || mode === TlsMode.DISABLE) return undefined;
  const field = formatFieldPath([...tls.path, 'credentialName']);
  return { field, secret, shows: mode === TlsMode.MUTUAL, checks: tls.raw('insecureSkipVerify') !== true };
}

function modeOf(tls: FieldReader): TlsMode {
  const mode = tls.raw('mode');
  return mode === 'SIMPLE' ? TlsMode.SIMPLE : mode === 'MUTUAL' ? TlsMode.MUTUAL : TlsMode.DISABLE;
}

function secretOf(tls: FieldReader): string {
  return (tls.string('credentialName') ?? '').replace(/^kubernetes:\/\//, '');
}

function readFiles(tls: FieldReader, namespace: string, mode: TlsMode): TlsFiles | undefined {
  const path = (name: string) => tls.string(name) ?? '';
  const shows = mode === TlsMode.MUTUAL;
  const files = {
    namespace,
    certificate: shows ? path('clientCertificate') : '',
    key: shows ? path('privateKey') : '',
    ca: path('caCertificates'),
    crl: path('caCrl'),
  };
  const isAny = files.certificate !== '' || files.key !== '' || files.ca !== '' || files.crl !== '';
  return isAny && mode !== TlsMode.DISABLE ? files : undefined;
}
