/** Opens HBONE tunnels: TCP from wherever the dialer is, mutual TLS, HTTP/2 (facts ztunnel-wire 7.1, 7.4). */
import type { X509Certificate } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { SecureContext } from 'node:tls';
import type { Clock } from '../base/clock.ts';
import { fail, ok, type Result } from '../base/result.ts';
import type { BlockPool } from '../http2/block-pool.ts';
import { Http2Connection } from '../http2/connection.ts';
import { formatAddress } from '../model/address.ts';
import type { SpiffeId } from '../model/spiffe.ts';
import { connectMeshTls } from '../tls/mesh-tls.ts';
import { connectError, type Dialer, isConnectTimeout } from './dialer.ts';
import { type ProxyError, proxyError, tlsFailed } from './proxy-error.ts';
import type { Revocations } from './revocations.ts';
import type { TlsStore } from './tls-store.ts';
import type { Tunnel, TunnelKey } from './tunnel-pool.ts';
import { type TunnelWindows, tunnelSettings } from './tunnel-settings.ts';
import { tunnelReading, tunnelStream, tunnelTransport } from './tunnel-stream.ts';

export interface OpenTunnelDeps {
  readonly clock: Clock;
  readonly blocks: BlockPool;
  readonly tls: TlsStore;
  readonly network: Dialer;
  readonly http2: TunnelWindows;
  readonly handshakeTimeoutMs: number;
  /** Undefined without a revocation list. */
  readonly revocations: Revocations | undefined;
}

/** Connects to a tunnel's other end; `onClosed` is called once when an opened tunnel ends. */
export async function openTunnel(
  key: TunnelKey,
  onClosed: () => void,
  deps: OpenTunnelDeps,
): Promise<Result<Tunnel, ProxyError>> {
  const own = await deps.tls.get(key.sourceIdentity);
  if (!own.ok) return own;
  const reading = tunnelReading(own.value.records);
  const target = { address: key.targetIp, port: key.targetPort };
  const dialled = await deps.network.dial(target, reading && { readInto: reading.intake.onread });
  if (!dialled.ok) return fail(blamePolicy(dialled.error, key));
  const stream = tunnelStream(dialled.value, reading, 'client');
  return orDestroy(stream, secure(stream, own.value.context, key.identities, onClosed, deps));
}

/** TLS and HTTP/2 over a stream that is connected already: a tunnel inside another tunnel. */
export async function openTunnelOver(
  stream: Duplex,
  sourceIdentity: SpiffeId,
  identities: readonly SpiffeId[],
  onClosed: () => void,
  deps: Omit<OpenTunnelDeps, 'network'>,
): Promise<Result<Tunnel, ProxyError>> {
  const own = await deps.tls.get(sourceIdentity);
  if (!own.ok) {
    stream.destroy();
    return own;
  }
  return orDestroy(stream, secure(stream, own.value.context, identities, onClosed, deps));
}

/** Opening answers with its failures; where it throws all the same, nobody else has the connection. */
async function orDestroy<T>(stream: Duplex, opening: Promise<Result<T, ProxyError>>): Promise<Result<T, ProxyError>> {
  try {
    return await opening;
  } catch (error) {
    stream.destroy();
    return fail(connectError(error));
  }
}

async function secure(
  stream: Duplex,
  context: SecureContext,
  identities: readonly SpiffeId[],
  onClosed: () => void,
  { http2, clock, blocks, revocations, handshakeTimeoutMs }: Omit<OpenTunnelDeps, 'network'>,
): Promise<Result<Tunnel, ProxyError>> {
  const isRevoked = revocations && ((certificate: X509Certificate) => revocations.refuses(certificate, 'source'));
  const secured = await connectMeshTls({
    stream,
    context,
    identities,
    handshakeTimeoutMs,
    ...(isRevoked !== undefined && { isRevoked }),
  });
  if (!secured.ok) return fail(tlsFailed(secured.error));
  const { peer, certificate } = secured.value;
  let close = destroying(stream);
  const watched = revocations?.watch(certificate, 'source', () => close());
  const connection = new Http2Connection(
    await tunnelTransport(stream, secured.value.socket),
    'client',
    { clock, pool: blocks, settings: tunnelSettings('client', http2) },
    {
      onClosed: () => {
        watched?.unwatch();
        onClosed();
      },
    },
  );
  close = () => connection.destroy();
  return ok({ connection, peer: peer.id, peerKeys: watched?.keys });
}

/** Not written where it is used: what a tunnel calls at its end would keep the stream of its handshake until then. */
function destroying(stream: Duplex): () => unknown {
  return () => stream.destroy();
}

/** A tunnel port that answers nothing is most often a NetworkPolicy (facts ztunnel-wire 7.5). */
function blamePolicy(error: ProxyError, key: TunnelKey): ProxyError {
  if (!isConnectTimeout(error)) return error;
  const target = formatAddress(key.targetIp, key.targetPort);
  return proxyError(
    'CONNECT_TIMED_OUT',
    `connection timed out, maybe a NetworkPolicy is blocking HBONE port 15008: ${target}`,
    { cause: error },
  );
}
