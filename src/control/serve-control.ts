/** What every control plane serves, wherever its objects come from: discovery and certificates over gRPC. */
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { ObjectStore } from '../manifests/object-store.ts';
import type { CertificateAuthority } from '../pki/certificate-authority.ts';
import type { DeltaServerStats } from '../xds/server/delta-server.ts';
import { createDeltaService } from '../xds/server/delta-service.ts';
import type { StreamRegistry } from '../xds/server/stream-registry.ts';
import { type CaServiceStats, createCaService } from './ca-service.ts';
import { bearerToken, type TokenAuthenticator } from './caller.ts';
import { startControlServer } from './control-server.ts';
import { drainingDiscovery } from './draining-discovery.ts';
import type { ModelBuilder } from './model-builder.ts';
import type { NodeAuthorizerOptions } from './node-authorizer.ts';
import { ServingCertificate } from './serving-certificate.ts';

export interface ServeOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** In the serving certificate. */
  readonly dnsNames: readonly string[];
}

export interface ServeParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly authority: CertificateAuthority;
  readonly authenticator: TokenAuthenticator;
  readonly model: ModelBuilder;
  readonly store: ObjectStore;
  readonly nodes: () => NodeAuthorizerOptions;
  readonly stats: { readonly xds: DeltaServerStats; readonly ca: CaServiceStats };
  readonly registry: StreamRegistry;
}

/** A control plane that takes calls. */
export interface ServingControl {
  readonly port: number;
  /** Takes no more calls, sends clients elsewhere, and ends what is left after `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

/** Streams end over this share of the grace, so that other replicas are not asked by all at once. */
const DRAIN_SHARE = 0.5;

/** Starts to serve. Rejects when the address is taken. */
export async function serveControl(options: ServeOptions, parts: ServeParts): Promise<ServingControl> {
  const { clock, logger, authority, authenticator, model } = parts;
  const certificate = new ServingCertificate(options.dnsNames, authority, { clock, logger: logger.scope('ca') });
  const discovery = createDeltaService({
    clock,
    logger: logger.scope('xds'),
    stats: parts.stats.xds,
    registry: parts.registry,
    stores: [model.addresses, model.workloads, model.authorizations, ...model.waypointStores.values()],
    openOwn: (caller) => {
      // A node proxy is no waypoint, whatever Gateways are called.
      const isNode = parts.nodes().trustedNodeAccounts.includes(caller);
      return model.credentials.open(isNode ? '' : caller);
    },
    authenticate: (authorization) => callerName(authenticator, authorization, logger.scope('xds')),
  });
  const draining = drainingDiscovery(discovery, clock);
  const certificates = createCaService({
    authority,
    authenticator,
    store: parts.store,
    nodes: parts.nodes,
    logger: logger.scope('ca'),
    stats: parts.stats.ca,
  });
  try {
    const server = await startControlServer(options, { certificate, discovery: draining.service, certificates });
    return {
      port: server.port,
      stop: async (graceMs) => {
        certificate.stop();
        await Promise.all([server.stop(graceMs), graceMs > 0 ? draining.drain(graceMs * DRAIN_SHARE) : undefined]);
      },
    };
  } catch (error) {
    certificate.stop();
    throw error;
  }
}

/** Rejects when nobody can tell now, so that the client tries again. */
async function callerName(
  authenticator: TokenAuthenticator,
  authorization: string,
  logger: Logger,
): Promise<string | undefined> {
  const caller = await authenticator.authenticate(bearerToken(authorization));
  if (caller.ok) return `${caller.value.namespace}/${caller.value.serviceAccount}`;
  if (caller.error.code === 'TOKEN_REVIEW_FAILED') throw caller.error;
  logger.warn('token refused', { reason: caller.error.message });
  return undefined;
}
