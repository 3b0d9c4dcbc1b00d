/** The TLS settings of a server of a Gateway or a listener of a Sidecar (facts l7-and-control 4.7). */
import type { FieldReader, ReportProblem } from '../manifest/field-reader.ts';
import { quoted } from './value-rules.ts';

const CREDENTIALS = ['credentialName', 'credentialNames', 'tlsCertificates'];
const FILES = ['serverCertificate', 'privateKey'];
const VERIFIES_CLIENTS = ['MUTUAL', 'OPTIONAL_MUTUAL'];
const PASSES_ON = ['PASSTHROUGH', 'AUTO_PASSTHROUGH'];
/** Versions that need their ciphers named. */
const OLD_VERSIONS = ['TLSV1_0', 'TLSV1_1'];
const VERSIONS = [...OLD_VERSIONS, 'TLSV1_2', 'TLSV1_3'];
const CIPHER =
  /^(?:(?:(?:ECDHE-(?:ECDSA|RSA)-)?AES(?:128|256)-(?:GCM-SHA256|GCM-SHA384|SHA256|SHA384|SHA))|ECDHE-(?:ECDSA|RSA)-CHACHA20-POLY1305|DES-CBC3-SHA|\[ECDHE-(?:ECDSA|RSA)-AES128-GCM-SHA256\|ECDHE-(?:ECDSA|RSA)-CHACHA20-POLY1305\]|TLS_(?:AES_128_GCM_SHA256|AES_256_GCM_SHA384|CHACHA20_POLY1305_SHA256))$/;

export function checkServerTls(tls: FieldReader, warn: ReportProblem): void {
  const mode = tls.string('mode') ?? 'PASSTHROUGH';
  const sources = sourcesOf(tls);
  if (sources.length > 1) {
    tls.report(sources[1], `cannot be combined with ${sources[0]}: certificates come from one source`);
  }
  if (PASSES_ON.includes(mode)) {
    for (const name of sources) warn([...tls.path, name], `has no effect with mode ${mode}: the workload ends TLS`);
  } else if (mode === 'ISTIO_MUTUAL') {
    for (const name of [...sources, ...(isGiven(tls, 'caCertificates') ? ['caCertificates'] : [])]) {
      tls.report(name, 'cannot be given with ISTIO_MUTUAL, which uses the certificates of the mesh');
    }
  } else checkCertificates(tls, mode, sources);
  checkVersions(tls, warn);
}

function checkCertificates(tls: FieldReader, mode: string, sources: readonly string[]): void {
  if (sources.length === 0) {
    tls.report(undefined, `${mode} needs a certificate: credentialName, or serverCertificate and privateKey`);
    return;
  }
  if (sources.some((name) => FILES.includes(name))) {
    for (const name of FILES) if (!isGiven(tls, name)) tls.report(name, 'is required: certificate and key go together');
  }
  for (const pair of tls.children('tlsCertificates')) {
    for (const name of FILES) if (!isGiven(pair, name)) pair.report(name, 'is required');
  }
  const isSecret = sources[0] === 'credentialName' || sources[0] === 'credentialNames';
  const hasRoots = isSecret || isGiven(tls, 'caCertificates') || isGiven(tls, 'caCertCredentialName');
  if (VERIFIES_CLIENTS.includes(mode) && !hasRoots) {
    tls.report('caCertificates', `is required for ${mode}: certificates of clients are verified with it`);
  }
}

/** The fields that say where the certificate comes from; a pair of files is one source. */
function sourcesOf(tls: FieldReader): string[] {
  const file = FILES.find((name) => isGiven(tls, name));
  return [...CREDENTIALS.filter((name) => isGiven(tls, name)), ...(file === undefined ? [] : [file])];
}

function checkVersions(tls: FieldReader, warn: ReportProblem): void {
  const least = tls.string('minProtocolVersion') ?? '';
  const most = tls.string('maxProtocolVersion') ?? '';
  const ciphers = tls.strings('cipherSuites');
  if (OLD_VERSIONS.includes(least) && ciphers.length === 0) {
    warn([...tls.path, 'minProtocolVersion'], `${least} needs cipherSuites: none of the default ones is that old`);
  }
  if (VERSIONS.includes(most) && VERSIONS.indexOf(least) > VERSIONS.indexOf(most)) {
    warn([...tls.path, 'maxProtocolVersion'], `is older than minProtocolVersion, ${least}: no client can connect`);
  }
  const seen = new Set<string>();
  for (const [index, cipher] of ciphers.entries()) {
    const path = [...tls.path, 'cipherSuites', index];
    if (!CIPHER.test(cipher)) warn(path, `${quoted(cipher)} is not a known cipher`);
    else if (seen.has(cipher)) warn(path, `${quoted(cipher)} is listed twice`);
    seen.add(cipher);
  }
}

function isGiven(reader: FieldReader, name: string): boolean {
  const value = reader.raw(name);
  return value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0);
}
