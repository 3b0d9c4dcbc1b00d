/**
 * Mutual TLS between proxies (facts ztunnel-wire 7.1): TLS 1.3, ALPN h2, no server name, full handshakes only, and the
 * peer's SPIFFE identity checked exactly.
 */
import { constants, type X509Certificate } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { SecureContext, Server, TLSSocket } from 'node:tls';
import { AmbitError, errorText } from '../base/errors.ts';
import { fail, ok, type Result } from '../base/result.ts';
import type { SpiffeId } from '../model/spiffe.ts';
import type { WorkloadCertificate } from '../pki/workload-certificate.ts';
import { type PeerIdentity, peerIdentity } from './peer-identity.ts';

// To import node:tls builds the list of the system's roots, for every thread.
const { connect, createSecureContext, createServer } = process.getBuiltinModule('node:tls');

export type TlsErrorCode = 'TLS_HANDSHAKE_FAILED' | 'TLS_PEER_REFUSED' | 'TLS_PEER_REVOKED';
export type TlsError = AmbitError<TlsErrorCode>;

export type IsRevoked = (certificate: X509Certificate) => boolean;

export interface MeshTlsOptions {
  /** Adds TLS 1.2 with forward-secret AES-GCM suites. */
  readonly tls12: boolean;
  /** `pqc`: only the hybrid post-quantum group. */
  readonly compliancePolicy: '' | 'pqc' | 'fips-140-2';
  readonly handshakeTimeoutMs: number;
  /** Whether a verified certificate was withdrawn. */
  readonly isRevoked?: IsRevoked;
}

/** What a handshake runs over. */
export type HandshakeSocket = Duplex & {
  resetAndDestroy(): unknown;
  /** Wants the key log of the handshake. */
  onKeyLog?(line: Buffer): void;
};

/** A mesh peer after its handshake. */
export interface MeshPeer {
  readonly socket: TLSSocket;
  readonly peer: PeerIdentity;
  readonly certificate: X509Certificate;
}

/** Key exchange groups by compliance policy: FIPS 140-2 knows the NIST curves only. */
const GROUPS: Readonly<Record<MeshTlsOptions['compliancePolicy'], string>> = {
  '': 'X25519:P-256:P-384',
  pqc: 'X25519MLKEM768',
  'fips-140-2': 'P-256:P-384',
};
const SUITES_13 = ['TLS_AES_256_GCM_SHA384', 'TLS_AES_128_GCM_SHA256'];
const SUITES_12 = [
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
];

/** The TLS context of a workload, for both directions. Throws when the certificate does not fit its key. */
export function meshSecureContext(certificate: WorkloadCertificate, options: MeshTlsOptions): SecureContext {
  return createSecureContext(contextOptions(certificate, options));
}

function contextOptions(certificate: WorkloadCertificate, options: MeshTlsOptions) {
  return {
    key: certificate.keyPem,
    cert: certificate.chainPem.join('\n'),
    ca: [...certificate.rootsPem],
    minVersion: options.tls12 ? ('TLSv1.2' as const) : ('TLSv1.3' as const),
    maxVersion: 'TLSv1.3' as const,
    ciphers: [...SUITES_13, ...(options.tls12 ? SUITES_12 : [])].join(':'),
    ecdhCurve: GROUPS[options.compliancePolicy],
    // No session outlives the check of its certificate: what OpenSSL sends as tickets all the same names ones that nobody keeps.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** Accepts mesh peers for one workload identity; connections are handed in, not listened for. */
export class MeshTlsServer {
  readonly #server: Server;
  readonly #options: MeshTlsOptions;
  #trustDomain = '';

  constructor(certificate: WorkloadCertificate, trustDomain: string, options: MeshTlsOptions) {
    this.#options = options;
    this.#trustDomain = trustDomain;
    this.#server = createServer({
      ...contextOptions(certificate, options),
      ALPNProtocols: ['h2'],
      requestCert: true,
      rejectUnauthorized: true,
      handshakeTimeout: options.handshakeTimeoutMs,
      allowHalfOpen: true,
    });
    this.#server.on('secureConnection', (socket: TLSSocket) => {
      socket.allowHalfOpen = true;
      settle(socket, this.#checkPeer(socket));
    });
    this.#server.on('keylog', (line: Buffer, socket: TLSSocket) => parentOf(socket)?.onKeyLog?.(line));
    this.#server.on('tlsClientError', (error: Error, socket: TLSSocket) =>
      settle(socket, fail(handshakeFailed(error))),
    );
  }

  /** New connections get the new certificate; established ones keep the one they have. */
  replaceCertificate(certificate: WorkloadCertificate): void {
    this.#server.setSecureContext(contextOptions(certificate, this.#options));
  }

  /** Runs the handshake on an accepted connection and calls back once with the peer or the reason to drop it. */
  accept(socket: HandshakeSocket, done: (result: Result<MeshPeer, TlsError>) => void): void {
    let settled = false;
    const finish: Settle = (result) => {
      if (settled) return;
      settled = true;
      socket.off('close', closed);
      done(result);
    };
    const closed = () => finish(fail(handshakeFailed(new Error('connection closed during the handshake'))));
    socket.on('close', closed);
    pending.set(socket, finish);
    // A peer that ends its side in the middle of the handshake is gone; the deadline need not be waited for.
    socket.allowHalfOpen = false;
    this.#server.emit('connection', socket);
  }

  #checkPeer(socket: TLSSocket): Result<MeshPeer, TlsError> {
    const found = verifiedPeer(socket, this.#options.isRevoked);
    if (!found.ok) return found;
    const { trustDomain } = found.value.peer.identity;
    if (trustDomain === this.#trustDomain) return found;
    return fail(peerRefused(`peer trust domain ${trustDomain} is not ${this.#trustDomain}`));
  }
}

type Settle = (result: Result<MeshPeer, TlsError>) => void;
/** The callback of each connection that is in its handshake. */
const pending = new WeakMap<object, Settle>();

/** Fields of node:tls that it has no other way to: of a socket over TCP, and of the handle over any other stream. */
interface TlsInternals {
  readonly _parent?: HandshakeSocket;
  readonly _handle?: { readonly _parentWrap?: { readonly stream?: HandshakeSocket } } | null;
}

/** What the handshake of a connection runs over. */
function parentOf(socket: TLSSocket): HandshakeSocket | undefined {
  const { _parent, _handle } = socket as unknown as TlsInternals;
  return _parent ?? _handle?._parentWrap?.stream;
}

function settle(socket: TLSSocket, result: Result<MeshPeer, TlsError>): void {
  const raw = parentOf(socket);
  const finish = raw && pending.get(raw);
  if (!result.ok || finish === undefined) {
    socket.on('error', ignoreLateError);
    // In TLS 1.3 the peer believes the handshake done: a reset tells it at once that it was not.
    if (raw === undefined) socket.destroy();
    else raw.resetAndDestroy();
  }
  finish?.(result);
}

export interface MeshConnectOptions {
  /** The connected stream: a TCP socket, or a tunnel inside another tunnel. */
  readonly stream: Duplex & Pick<HandshakeSocket, 'onKeyLog'>;
  readonly context: SecureContext;
  /** The identities that the peer may have; an empty list refuses every peer. */
  readonly identities: readonly SpiffeId[];
  readonly handshakeTimeoutMs: number;
  readonly isRevoked?: IsRevoked;
}

/** Runs the client handshake and checks who answered. The stream is destroyed when it fails. */
export function connectMeshTls(options: MeshConnectOptions): Promise<Result<MeshPeer, TlsError>> {
  return new Promise((resolve) => {
    const socket = connect({
      socket: options.stream,
      secureContext: options.context,
      ALPNProtocols: ['h2'],
      rejectUnauthorized: true,
      // The identity is checked below, against URI names only; host names play no part in the mesh.
      checkServerIdentity: () => undefined,
    });
    const { stream } = options;
    if (stream.onKeyLog !== undefined) socket.on('keylog', (line) => stream.onKeyLog?.(line));
    const timer = setTimeout(() => socket.destroy(new Error('handshake timed out')), options.handshakeTimeoutMs);
    const finish = (result: Result<MeshPeer, TlsError>) => {
      clearTimeout(timer);
      socket.off('error', failed);
      socket.off('close', closed);
      if (!result.ok) {
        socket.on('error', ignoreLateError);
        socket.destroy();
        options.stream.destroy();
      }
      resolve(result);
    };
    const failed = (error: Error) => finish(fail(handshakeFailed(error)));
    const closed = () => finish(fail(handshakeFailed(new Error('connection closed during the handshake'))));
    socket.on('error', failed);
    socket.on('close', closed);
    socket.once('secureConnect', () => finish(checkServer(socket, options)));
  });
}

function checkServer(socket: TLSSocket, { identities, isRevoked }: MeshConnectOptions): Result<MeshPeer, TlsError> {
  const found = verifiedPeer(socket, isRevoked);
  if (!found.ok) return found;
  const { id } = found.value.peer;
  if (identities.includes(id)) return found;
  return fail(peerRefused(`identity verification error: peer is ${id}, expected one of [${identities.join(', ')}]`));
}

function verifiedPeer(socket: TLSSocket, isRevoked: IsRevoked | undefined): Result<MeshPeer, TlsError> {
  if (!socket.authorized)
    return fail(peerRefused(`peer certificate not verified: ${String(socket.authorizationError)}`));
  if (socket.alpnProtocol !== 'h2' && socket.alpnProtocol !== false) return fail(peerRefused('peer does not speak h2'));
  const certificate = socket.getPeerX509Certificate();
  const peer = certificate && peerIdentity(certificate);
  if (certificate === undefined || peer === undefined) {
    return fail(
      peerRefused(
        'peer certificate carries no mesh identity: exactly one URI name spiffe://<td>/ns/<ns>/sa/<sa> is needed',
      ),
    );
  }
  if (isRevoked?.(certificate) === true) {
    return fail(new AmbitError('TLS_PEER_REVOKED', 'peer certificate revoked by CRL', { side: 'upstream' }));
  }
  return ok({ socket, peer, certificate });
}

function handshakeFailed(cause: Error): TlsError {
  return new AmbitError('TLS_HANDSHAKE_FAILED', errorText(cause), { side: 'upstream', cause });
}

function peerRefused(message: string): TlsError {
  return new AmbitError('TLS_PEER_REFUSED', message, { side: 'upstream' });
}

function ignoreLateError(): void {
  // The connection is already given up with its reason; what follows on the wire says nothing new.
}
