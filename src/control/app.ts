/** `ambit control`: folders of manifests in, delta xDS and certificates out. The composition root of the program. */
import type { Clock, Timer } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { FolderSource } from '../manifests/folder-source.ts';
import { ObjectStore } from '../manifests/object-store.ts';
import { type CertificateAuthority, openCertificateAuthority } from '../pki/certificate-authority.ts';
import { ensureOwnRoot, maintainOwnRoot, type OwnRootOptions } from '../pki/own-root.ts';
import { createDeltaServerStats, type DeltaServerStats } from '../xds/server/delta-server.ts';
import { createDeltaService } from '../xds/server/delta-service.ts';
import { renderAmbientz } from './ambientz.ts';
import { type CaServiceStats, createCaService, createCaServiceStats } from './ca-service.ts';
import { type ControlOptions, servingNames } from './control-options.ts';
import { type RunningServer, startControlServer } from './control-server.ts';
import { startDebugServer } from './debug-server.ts';
import { DEFAULT_MESH_OPTIONS, type MeshOptions } from './mesh-options.ts';
import { ModelBuilder } from './model-builder.ts';
import { ServingCertificate } from './serving-certificate.ts';
import { buildStatus, type ControlStatus, StatusWriter } from './status.ts';
import { bearerToken, KeyFileAuthenticator, type TokenAuthenticator } from './token-authenticator.ts';

export interface ControlDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** In place of the key file, for example TokenReview. */
  readonly authenticator?: TokenAuthenticator;
  readonly renderMetrics?: () => Promise<{ readonly contentType: string; readonly body: string }>;
}

/** A running control plane. */
export interface RunningControl {
  readonly addresses: { readonly grpcPort: number; readonly httpPort: number };
  /** The roots that clients have to trust, as PEM. */
  readonly rootsPem: () => string;
  readonly status: () => ControlStatus;
  readonly stats: { readonly xds: DeltaServerStats; readonly ca: CaServiceStats };
  /** Looks at the folders now instead of waiting to be told. */
  readonly rescan: () => Promise<void>;
  /** @param graceMs how long calls may take to end. Default 1000 */
  readonly stop: (graceMs?: number) => Promise<void>;
}

const DAY_MS = 86_400_000;
const DEFAULT_OVERLAP_MS = 2 * DAY_MS;
const ROOT_CHECK_MS = 3_600_000;
const DEFAULT_NODE_ACCOUNTS = ['istio-system/ztunnel'];

/** Starts everything. Rejects with an AmbitError that says what is missing; nothing is left running then. */
export async function startControl(options: ControlOptions, deps: ControlDeps): Promise<RunningControl> {
  const cleanups: (() => void | Promise<void>)[] = [];
  const runCleanups = async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  };
  try {
    return await start(options, deps, cleanups, runCleanups);
  } catch (error) {
    await runCleanups();
    throw error;
  }
}

async function start(
  options: ControlOptions,
  deps: ControlDeps,
  cleanups: (() => void | Promise<void>)[],
  runCleanups: () => Promise<void>,
): Promise<RunningControl> {
  const mesh: MeshOptions = { ...DEFAULT_MESH_OPTIONS, ...options.mesh };
  const authority = await openAuthority(options, mesh, deps, cleanups);
  const { source, store, model, currentStatus } = await openModel(options, mesh, deps, cleanups);
  const authenticator = deps.authenticator ?? keyFileAuthenticator(options, deps.clock);
  const stats = { xds: createDeltaServerStats(), ca: createCaServiceStats() };
  const server = await startGrpc(options, mesh, deps, { authority, authenticator, model, store, stats }, cleanups);
  const http = await startDebugServer(
    { host: options.httpHost ?? '127.0.0.1', port: options.httpPort ?? 8080 },
    {
      isReady: () => true,
      ambientz: () => renderAmbientz(model.addresses, model.authorizations),
      status: currentStatus,
      renderMetrics: deps.renderMetrics,
    },
  );
  cleanups.push(() => http.stop());
  deps.logger.info('control plane started', {
    grpcPort: server.port,
    httpPort: http.port,
    resources: model.addresses.size,
    policies: model.authorizations.size,
  });
  return {
    addresses: { grpcPort: server.port, httpPort: http.port },
    rootsPem: () => authority.rootsPem,
    status: currentStatus,
    stats,
    rescan: () => source.scan(),
    stop: async (graceMs = 1000) => {
      await server.stop(graceMs);
      await runCleanups();
    },
  };
}

async function openAuthority(
  options: ControlOptions,
  mesh: MeshOptions,
  deps: ControlDeps,
  cleanups: (() => void)[],
): Promise<CertificateAuthority> {
  const root: OwnRootOptions = {
    directory: options.caDirectory,
    organization: mesh.trustDomain,
    keyType: options.ownRootKeyType ?? 'ec',
  };
  const created = options.ownRoot !== false && (await ensureOwnRoot(root, deps.clock.nowMs()));
  if (created) deps.logger.info('root certificate created', { directory: root.directory });
  const authority = await openCertificateAuthority(
    {
      directory: options.caDirectory,
      ...(options.defaultTtlMs === undefined ? {} : { defaultTtlMs: options.defaultTtlMs }),
      ...(options.maxTtlMs === undefined ? {} : { maxTtlMs: options.maxTtlMs }),
    },
    { clock: deps.clock, logger: deps.logger.scope('ca') },
  );
  authority.watch();
  cleanups.push(() => authority.stop());
  if (options.ownRoot !== false) cleanups.push(maintainRoot(root, options.rootOverlapMs ?? DEFAULT_OVERLAP_MS, deps));
  return authority;
}

/** Looks every hour whether the own root is due for rotation. @returns ends it */
function maintainRoot(root: OwnRootOptions, overlapMs: number, deps: ControlDeps): () => void {
  const { clock, logger } = deps;
  let timer: Timer | undefined;
  let stopped = false;
  const check = async () => {
    try {
      const step = await maintainOwnRoot(root, overlapMs, clock.nowMs());
      if (step !== 'none') logger.info('root certificate rotation', { step });
    } catch (error) {
      logger.error('root certificate rotation failed', { reason: errorText(error) });
    }
    if (!stopped) timer = clock.after(ROOT_CHECK_MS, () => void check());
  };
  void check();
  return () => {
    stopped = true;
    timer?.cancel();
  };
}

interface OpenedModel {
  readonly source: FolderSource;
  readonly store: ObjectStore;
  readonly model: ModelBuilder;
  readonly currentStatus: () => ControlStatus;
}

async function openModel(
  options: ControlOptions,
  mesh: MeshOptions,
  deps: ControlDeps,
  cleanups: (() => void | Promise<void>)[],
): Promise<OpenedModel> {
  const { clock, logger } = deps;
  const store = new ObjectStore();
  let onScan: () => void = () => undefined;
  const source = new FolderSource(
    {
      folders: options.configFolders,
      ...(options.debounceMs === undefined ? {} : { debounceMs: options.debounceMs }),
      ...(options.rescanMs === undefined ? {} : { rescanMs: options.rescanMs }),
    },
    { clock, logger: logger.scope('config'), store, onScan: () => onScan() },
  );
  cleanups.push(() => source.stop());
  await source.start();
  // Built once over everything that was found; from here on incrementally.
  const model = new ModelBuilder(store, mesh);
  cleanups.push(() => model.stop());
  const currentStatus = () => buildStatus(source.manifests, model.notes, clock.nowMs());
  const { statusFile } = options;
  const writer =
    statusFile === undefined ? undefined : new StatusWriter(statusFile, { logger, clock, current: currentStatus });
  if (writer !== undefined) cleanups.push(() => writer.settled());
  const report = problemReporter(source, logger.scope('config'));
  onScan = () => {
    report();
    writer?.update();
  };
  onScan();
  return { source, store, model, currentStatus };
}

/** Logs each problem once, when it appears. */
function problemReporter(source: FolderSource, logger: Logger): () => void {
  let known = new Set<string>();
  return () => {
    const current = new Set<string>();
    for (const problem of source.manifests.problems()) {
      const { object, field, reason, position } = problem;
      const at = `${position.file}:${position.line}:${position.column}`;
      const id = `${at} ${object} ${field} ${reason}`;
      current.add(id);
      if (known.has(id)) continue;
      const fields = { at, object, field, reason };
      if (problem.severity === 'error') logger.warn('manifest refused', fields);
      else logger.debug('object ignored', fields);
    }
    known = current;
  };
}

interface GrpcParts {
  readonly authority: CertificateAuthority;
  readonly authenticator: TokenAuthenticator;
  readonly model: ModelBuilder;
  readonly store: ObjectStore;
  readonly stats: { readonly xds: DeltaServerStats; readonly ca: CaServiceStats };
}

async function startGrpc(
  options: ControlOptions,
  mesh: MeshOptions,
  deps: ControlDeps,
  parts: GrpcParts,
  cleanups: (() => void)[],
): Promise<RunningServer> {
  const { clock, logger } = deps;
  const { authority, authenticator, model, stats } = parts;
  const names = servingNames(mesh.rootNamespace, options.dnsNames);
  const certificate = new ServingCertificate(names, authority, { clock, logger: logger.scope('ca') });
  cleanups.push(() => certificate.stop());
  const discovery = createDeltaService({
    clock,
    logger: logger.scope('xds'),
    stats: stats.xds,
    stores: [model.addresses, model.workloads, model.authorizations],
    authenticate: async (authorization) => {
      const caller = await authenticator.authenticate(bearerToken(authorization));
      if (!caller.ok) logger.scope('xds').warn('token refused', { reason: caller.error.message });
      return caller.ok ? `${caller.value.namespace}/${caller.value.serviceAccount}` : undefined;
    },
  });
  const certificates = createCaService({
    authority,
    authenticator,
    store: parts.store,
    nodes: {
      trustedNodeAccounts: options.trustedNodeAccounts ?? DEFAULT_NODE_ACCOUNTS,
      trustDomain: mesh.trustDomain,
      trustNodeOfToken: options.trustNodeOfToken ?? true,
    },
    logger: logger.scope('ca'),
    stats: stats.ca,
  });
  const listen = { host: options.host ?? '0.0.0.0', port: options.grpcPort ?? 15012 };
  const server = await startControlServer(listen, { certificate, discovery, certificates });
  cleanups.push(() => server.stop(0));
  return server;
}

function keyFileAuthenticator(options: ControlOptions, clock: Clock): TokenAuthenticator {
  return new KeyFileAuthenticator(
    {
      keyFile: options.tokenKeyFile,
      ...(options.tokenAudience === undefined ? {} : { audience: options.tokenAudience }),
      ...(options.tokenIssuer === undefined ? {} : { issuer: options.tokenIssuer }),
    },
    clock,
  );
}
