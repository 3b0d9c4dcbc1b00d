/** A gRPC channel to the control plane: server-authenticated TLS and per-call metadata (facts ztunnel-wire 5.1, 10.1). */
import { readFile } from 'node:fs/promises';
import { rootCertificates } from 'node:tls';
import { type ChannelCredentials, type ClientOptions, credentials, Metadata } from '@grpc/grpc-js';
import { AmbitError } from '../../base/errors.ts';

/** Where the control plane is and how we prove who we are. */
export interface ControlPlaneEndpoint {
  /** `https://host:port`, or `http://host:port` for a channel without TLS. */
  readonly address: string;
  /** A path, PEM text, or `SYSTEM`. */
  readonly rootCa: string;
  /** The name to verify in place of the address's host. */
  readonly altHostname: string | undefined;
  /** A file with a bearer token, or the token itself when there is no such file. Empty: no token is sent. */
  readonly authToken: string;
  readonly clusterId: string;
  readonly headers: ReadonlyMap<string, string>;
}

const MAX_MESSAGE_BYTES = 200 * 1024 * 1024;

/** `host:port` of the endpoint as gRPC wants it. */
export function grpcTarget(endpoint: ControlPlaneEndpoint): string {
  return new URL(endpoint.address).host;
}

/** TLS credentials with the root as it is on disk now. Throws an AmbitError when the root cannot be read. */
export async function channelCredentials(endpoint: ControlPlaneEndpoint): Promise<ChannelCredentials> {
  if (endpoint.address.startsWith('http://')) return credentials.createInsecure();
  return credentials.createSsl(Buffer.from(await readRootCa(endpoint.rootCa)));
}

/** Channel options: keep-alive, message size, quick reconnects, the name to verify. */
export function channelOptions(endpoint: ControlPlaneEndpoint): ClientOptions {
  return {
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 10_000,
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
    'grpc.initial_reconnect_backoff_ms': 50,
    'grpc.min_reconnect_backoff_ms': 50,
    'grpc.max_reconnect_backoff_ms': 5000,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_retries': 0,
    ...(endpoint.altHostname !== undefined && {
      'grpc.ssl_target_name_override': endpoint.altHostname,
      'grpc.default_authority': endpoint.altHostname,
    }),
  };
}

/** The metadata of one call. The token is read anew each time and sent as it is, untrimmed (facts 5.1). */
export async function callMetadata(endpoint: ControlPlaneEndpoint): Promise<Metadata> {
  const metadata = new Metadata();
  const token = endpoint.authToken === '' ? '' : await readToken(endpoint.authToken);
  if (token !== '') metadata.set('authorization', `Bearer ${token}`);
  metadata.set('clusterid', endpoint.clusterId);
  for (const [name, value] of endpoint.headers) metadata.set(name.toLowerCase(), value);
  return metadata;
}

async function readToken(pathOrToken: string): Promise<string> {
  try {
    return await readFile(pathOrToken, 'utf8');
  } catch {
    // No such file: the setting is the token itself, unless it is plainly a path.
    if (!pathOrToken.includes('/')) return pathOrToken;
    throw new AmbitError('TOKEN_UNREADABLE', `no token at ${pathOrToken}: is the projected token volume mounted?`);
  }
}

async function readRootCa(rootCa: string): Promise<string> {
  if (rootCa === 'SYSTEM') return rootCertificates.join('\n');
  if (rootCa.includes('-----BEGIN')) return rootCa;
  try {
    return await readFile(rootCa, 'utf8');
  } catch (cause) {
    throw new AmbitError(
      'ROOT_CA_UNREADABLE',
      `cannot read the control plane's root certificate ${rootCa}: is the ConfigMap istio-ca-root-cert mounted?`,
      { cause },
    );
  }
}
