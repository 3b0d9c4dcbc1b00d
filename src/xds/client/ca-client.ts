/** The client of `IstioCertificateService` (facts ztunnel-wire 10.1, 10.2): a fresh key per request, never on disk. */
import { generateKeyPair, type KeyObject, X509Certificate } from 'node:crypto';
import { promisify } from 'node:util';
import type { ServiceError } from '@grpc/grpc-js';
import { AmbitError, errorText } from '../../base/errors.ts';
import type { SpiffeId } from '../../model/spiffe.ts';
import { createCsr } from '../../pki/csr.ts';
import { splitCertificates } from '../../pki/pem.ts';
import type { WorkloadCertificate } from '../../pki/workload-certificate.ts';
import { type IstioCertificateRequest, IstioCertificateServiceClient } from '../../proto/gen/ca.ts';
import {
  type ControlPlaneEndpoint,
  callMetadata,
  channelCredentials,
  channelOptions,
  grpcTarget,
} from './grpc-channel.ts';

/** Where workload certificates come from. */
export interface CertificateSource {
  /** A new certificate for the identity. Throws an AmbitError with a text for operators. */
  fetch(identity: SpiffeId): Promise<WorkloadCertificate>;
  close(): void;
}

export interface CaClientOptions {
  readonly endpoint: ControlPlaneEndpoint;
  readonly ttlMs: number;
  /** Ask on behalf of the workload; off when the caller's own token names it (dedicated mode). */
  readonly impersonate: boolean;
}

const GRPC_STATUS_NAMES = [
  'Ok',
  'Cancelled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
];
const CALL_TIMEOUT_MS = 10_000;
const newKeyPair = promisify(generateKeyPair);

/** Asks the control plane's certificate service. */
export class CaClient implements CertificateSource {
  readonly #options: CaClientOptions;
  #client: IstioCertificateServiceClient | undefined;

  constructor(options: CaClientOptions) {
    this.#options = options;
  }

  async fetch(identity: SpiffeId): Promise<WorkloadCertificate> {
    const { privateKey } = await newKeyPair('ec', { namedCurve: 'prime256v1' });
    const chain = await this.#sign(identity, createCsr(privateKey, identity));
    return toCertificate(identity, privateKey, chain);
  }

  close(): void {
    this.#client?.close();
    this.#client = undefined;
  }

  async #sign(identity: SpiffeId, csr: string): Promise<readonly string[]> {
    const request: IstioCertificateRequest = {
      csr,
      validityDuration: Math.max(1, Math.round(this.#options.ttlMs / 1000)),
      metadata: this.#options.impersonate ? { ImpersonatedIdentity: identity } : undefined,
    };
    const stub = await this.#stub();
    const metadata = await callMetadata(this.#options.endpoint);
    return new Promise((resolve, reject) => {
      const deadline = Date.now() + CALL_TIMEOUT_MS;
      stub.createCertificate(request, metadata, { deadline }, (error, response) => {
        if (error === null) return resolve(response.certChain);
        // The root on disk may have changed: the next request reads it again.
        this.close();
        reject(signingError(error));
      });
    });
  }

  async #stub(): Promise<IstioCertificateServiceClient> {
    const { endpoint } = this.#options;
    if (this.#client !== undefined) return this.#client;
    const credentials = await channelCredentials(endpoint);
    this.#client ??= new IstioCertificateServiceClient(grpcTarget(endpoint), credentials, channelOptions(endpoint));
    return this.#client;
  }
}

function signingError(error: ServiceError): AmbitError {
  const code = GRPC_STATUS_NAMES[error.code] ?? String(error.code);
  return new AmbitError('CERTIFICATE_SIGNING_FAILED', `signing gRPC error (${code}): ${error.details}`, {
    side: 'upstream',
    retry: 'idempotent',
    cause: error,
  });
}

function toCertificate(identity: SpiffeId, key: KeyObject, chain: readonly string[]): WorkloadCertificate {
  const [leafPem] = chain;
  const rootBundle = chain.at(-1);
  if (leafPem === undefined || rootBundle === undefined) {
    throw invalidChain(`chain returned from CA is empty for: ${identity}`);
  }
  if (chain.length === 1) throw invalidChain('invalid root certificate: no root certificate present');
  const leaf = parseLeaf(leafPem);
  if (leaf.subjectAltName !== `URI:${identity}`) throw invalidChain(`did not find expected SAN: ${identity}`);
  if (!leaf.checkPrivateKey(key))
    throw invalidChain(`the certificate for ${identity} is not for the key that was sent`);
  return {
    identity,
    keyPem: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    chainPem: chain.slice(0, -1),
    rootsPem: splitCertificates(rootBundle),
    notBeforeMs: leaf.validFromDate.getTime(),
    notAfterMs: leaf.validToDate.getTime(),
  };
}

function parseLeaf(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw invalidChain(`the certificate authority answered with something that is no certificate: ${errorText(error)}`);
  }
}

function invalidChain(message: string): AmbitError {
  return new AmbitError('INVALID_CERTIFICATE_CHAIN', message, { side: 'upstream' });
}
