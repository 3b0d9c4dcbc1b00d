/** The gRPC server of the control plane, port 15012: delta xDS and certificates over TLS (facts ztunnel-wire 5.1, 10.1). */
import { experimental, Server, type ServerOptions } from '@grpc/grpc-js';
import { AmbitError, errorText } from '../base/errors.ts';
import { type IstioCertificateServiceServer, IstioCertificateServiceService } from '../proto/gen/ca.ts';
import { DISCOVERY_SERVICE, type DiscoveryService } from '../xds/server/delta-service.ts';

export type ControlServerErrorCode = 'CONTROL_LISTEN_FAILED';

export interface ControlServerOptions {
  /** Address and port; port 0 takes any free one. */
  readonly host: string;
  readonly port: number;
  /** Streams are asked to reconnect after this time. Default 30 min. */
  readonly maxConnectionAgeMs?: number;
}

export interface ControlServerDeps {
  readonly certificate: experimental.CertificateProvider;
  readonly discovery: DiscoveryService;
  readonly certificates: IstioCertificateServiceServer;
}

export interface RunningServer {
  readonly port: number;
  /** Lets calls end for `graceMs`, then ends them. */
  stop(graceMs: number): Promise<void>;
}

/** A client that holds 100,000 resources lists them all when it reconnects. */
const MAX_REQUEST_BYTES = 32 * 1024 * 1024;
const KEEPALIVE_MS = 30_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;
const DEFAULT_MAX_AGE_MS = 30 * 60_000;
const AGE_GRACE_MS = 10_000;

/** Starts to listen. Rejects when the address is taken. */
export async function startControlServer(
  options: ControlServerOptions,
  deps: ControlServerDeps,
): Promise<RunningServer> {
  const server = new Server(serverOptions(options));
  server.addService(DISCOVERY_SERVICE, deps.discovery);
  server.addService(IstioCertificateServiceService, deps.certificates);
  // The declaration swaps the parameter names: the identity comes first. Clients bring no certificates.
  const credentials = experimental.createCertificateProviderServerCredentials(deps.certificate, null, false);
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${host}:${options.port}`, credentials, (error, bound) => {
      if (error === null) resolve(bound);
      else reject(listenFailure(options, error));
    });
  });
  return { port, stop: (graceMs) => stopServer(server, graceMs) };
}

function serverOptions(options: ControlServerOptions): ServerOptions {
  return {
    'grpc.max_receive_message_length': MAX_REQUEST_BYTES,
    'grpc.max_send_message_length': -1,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    'grpc.max_connection_age_ms': options.maxConnectionAgeMs ?? DEFAULT_MAX_AGE_MS,
    'grpc.max_connection_age_grace_ms': AGE_GRACE_MS,
  };
}

function listenFailure(options: ControlServerOptions, error: unknown): AmbitError<ControlServerErrorCode> {
  const message = `cannot listen on ${options.host}:${options.port}: ${errorText(error)}; is another control plane running?`;
  return new AmbitError('CONTROL_LISTEN_FAILED', message, { cause: error });
}

function stopServer(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, graceMs);
    server.tryShutdown(() => {
      clearTimeout(force);
      resolve();
    });
  });
}
