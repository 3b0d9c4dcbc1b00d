/** IstioCertificateService: signing requests to certificates (facts ztunnel-wire 10.1, 10.3). */
import { Metadata, type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js';
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { fail, ok, type Result } from '../base/result.ts';
import type { ObjectStore } from '../manifests/object-store.ts';
import { type Identity, parseSpiffeId, spiffeId } from '../model/spiffe.ts';
import type { CertificateAuthority } from '../pki/certificate-authority.ts';
import { verifyCsr } from '../pki/csr.ts';
import type {
  IstioCertificateRequest,
  IstioCertificateResponse,
  IstioCertificateServiceServer,
} from '../proto/gen/ca.ts';
import { bearerToken, type Caller, type TokenAuthenticator } from './caller.ts';
import { authorizeImpersonation, type NodeAuthorizerOptions } from './node-authorizer.ts';

export interface CaServiceDeps {
  readonly authority: CertificateAuthority;
  readonly authenticator: TokenAuthenticator;
  readonly store: ObjectStore;
  /** As they are now: the trust domain may change while serving. */
  readonly nodes: () => NodeAuthorizerOptions;
  readonly logger: Logger;
  readonly stats: CaServiceStats;
}

/** Plain counters, read when scraped. */
export interface CaServiceStats {
  requests: number;
  issued: number;
  refused: number;
  /** Refused because the caller was not who it had to be. */
  unauthenticated: number;
  /** Refused because the signing request was no good. */
  badRequests: number;
}

/** What a refusal looks like to the caller; the reason stays in the log. */
interface Refusal {
  readonly code: status;
  readonly details: string;
  readonly reason: string;
}

const IMPERSONATED = 'ImpersonatedIdentity';
const IMPERSONATION_FAILURE = 'request impersonation authentication failure';
const AUTHENTICATION_FAILURE = 'request authenticate failure';

type Call = ServerUnaryCall<IstioCertificateRequest, IstioCertificateResponse>;

/** A new set of counters, all zero. */
export function createCaServiceStats(): CaServiceStats {
  return { requests: 0, issued: 0, refused: 0, unauthenticated: 0, badRequests: 0 };
}

/** The gRPC handlers. */
export function createCaService(deps: CaServiceDeps): IstioCertificateServiceServer {
  return {
    createCertificate: (call: Call, callback: sendUnaryData<IstioCertificateResponse>) => {
      const [authorization = ''] = call.metadata.get('authorization');
      deps.stats.requests++;
      signRequest(deps, String(authorization), call.request).then(
        (outcome) => answer(deps, call, callback, outcome),
        (error: unknown) => answer(deps, call, callback, fail(internal(errorText(error)))),
      );
    },
  };
}

/** Authenticates, authorises and signs one request. */
export async function signRequest(
  deps: CaServiceDeps,
  authorization: string,
  request: IstioCertificateRequest,
): Promise<Result<IstioCertificateResponse, Refusal>> {
  const caller = await deps.authenticator.authenticate(bearerToken(authorization));
  if (!caller.ok && caller.error.code === 'TOKEN_REVIEW_FAILED') {
    return fail({
      code: status.UNAVAILABLE,
      details: 'authentication is not possible now',
      reason: caller.error.message,
    });
  }
  if (!caller.ok) return unauthenticated(AUTHENTICATION_FAILURE, caller.error.message);
  const identity = identityFor(deps, caller.value, request.metadata?.[IMPERSONATED]);
  if (!identity.ok) return identity;
  const csr = verifyCsr(request.csr);
  if (!csr.ok) return fail({ code: status.INVALID_ARGUMENT, details: csr.error.message, reason: csr.error.message });
  const ttlMs = Number.isSafeInteger(request.validityDuration) ? request.validityDuration * 1000 : 0;
  const uri = spiffeId(identity.value);
  const issued = deps.authority.issue({ publicKey: csr.value.publicKey, uris: [uri], ttlMs });
  deps.logger.debug('certificate issued', { identity: uri, notAfter: new Date(issued.notAfterMs).toISOString() });
  return ok({ certChain: [...issued.chain] });
}

function identityFor(deps: CaServiceDeps, caller: Caller, wanted: unknown): Result<Identity, Refusal> {
  const nodes = deps.nodes();
  const { trustDomain } = nodes;
  if (wanted === undefined || wanted === null || wanted === '') {
    return ok({ trustDomain, namespace: caller.namespace, serviceAccount: caller.serviceAccount });
  }
  const identity = typeof wanted === 'string' ? parseSpiffeId(wanted) : undefined;
  if (identity === undefined) return unauthenticated(IMPERSONATION_FAILURE, 'the wanted identity is no SPIFFE id');
  const allowed = authorizeImpersonation(deps.store, nodes, caller, identity);
  return allowed.ok ? ok(identity) : unauthenticated(IMPERSONATION_FAILURE, `${spiffeId(identity)}: ${allowed.error}`);
}

function answer(
  deps: CaServiceDeps,
  call: Call,
  callback: sendUnaryData<IstioCertificateResponse>,
  outcome: Result<IstioCertificateResponse, Refusal>,
): void {
  if (outcome.ok) {
    deps.stats.issued++;
    callback(null, outcome.value);
    return;
  }
  deps.stats.refused++;
  const { code, details, reason } = outcome.error;
  if (code === status.UNAUTHENTICATED) deps.stats.unauthenticated++;
  if (code === status.INVALID_ARGUMENT) deps.stats.badRequests++;
  deps.logger.warn('certificate refused', { peer: call.getPeer(), reason });
  callback({ code, details, metadata: new Metadata() });
}

function unauthenticated(details: string, reason: string): Result<never, Refusal> {
  return fail({ code: status.UNAUTHENTICATED, details, reason });
}

function internal(reason: string): Refusal {
  return { code: status.INTERNAL, details: 'the certificate could not be issued', reason };
}
