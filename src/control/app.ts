/** `ambit control` over folders of manifests: objects, certificate authority and tokens are files. */
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { FolderSource } from '../manifests/folder-source.ts';
import { ObjectStore } from '../manifests/object-store.ts';
import { serveHttp } from '../net/http-endpoint.ts';
import { type CertificateAuthority, openCertificateAuthority } from '../pki/certificate-authority.ts';
import { ensureOwnRoot, maintainOwnRoot, type OwnRootOptions } from '../pki/own-root.ts';
import { createDeltaServerStats, type DeltaServerStats } from '../xds/server/delta-server.ts';
import { StreamRegistry } from '../xds/server/stream-registry.ts';
import { renderAmbientz } from './ambientz.ts';
import { type CaServiceStats, createCaServiceStats } from './ca-service.ts';
import type { TokenAuthenticator } from './caller.ts';
import { type ControlOptions, defaultNodeAccounts, servingNames } from './control-options.ts';
import { debugRoutes } from './debug-routes.ts';
import { feedDump } from './feed-dump.ts';
import { folderMesh, followFolderMesh } from './folder-mesh.ts';
import { DEFAULT_MESH_OPTIONS, type MeshOptions } from './mesh-options.ts';
import { ModelBuilder } from './model-builder.ts';
import { type ListedObject, objectsDump } from './objects-dump.ts';
import { problemReporter } from './problem-reporter.ts';
import { DEFAULT_OVERLAP_MS, keepRoot } from './root-keeper.ts';
import { serveControl } from './serve-control.ts';
import { buildStatus, type ControlStatus, StatusWriter } from './status.ts';
import { KeyFileAuthenticator } from './token-authenticator.ts';

export interface ControlDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** In place of the key file, for example TokenReview. */
  readonly authenticator?: TokenAuthenticator;
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
  const registry = new StreamRegistry();
  const nodes = {
    trustedNodeAccounts: options.trustedNodeAccounts ?? defaultNodeAccounts(mesh.rootNamespace),
    trustDomain: mesh.trustDomain,
    trustNodeOfToken: options.trustNodeOfToken ?? false,
  };
  const server = await serveControl(
    {
      host: options.host ?? '0.0.0.0',
      port: options.grpcPort ?? 15012,
      dnsNames: servingNames(mesh.rootNamespace, options.dnsNames),
    },
    {
      clock: deps.clock,
      logger: deps.logger,
      authority,
      authenticator,
      model,
      store,
      nodes: () => nodes,
      stats,
      registry,
    },
  );
  cleanups.push(() => server.stop(0));
  const routes = debugRoutes({
    isReady: () => true,
    ambientz: () => renderAmbientz(model.addresses, model.authorizations),
    resources: () => feedDump(model),
    status: currentStatus,
    objects: () => folderObjects(source, store, model, mesh, currentStatus()),
    version: options.version ?? 'unknown',
    registry,
  });
  const http = await serveHttp([options.httpHost ?? '127.0.0.1'], options.httpPort ?? 8080, routes);
  cleanups.push(() => http.close());
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

function folderObjects(
  { manifests }: FolderSource,
  store: ObjectStore,
  { notes }: ModelBuilder,
  { rootNamespace }: MeshOptions,
  status: ControlStatus,
): readonly ListedObject[] {
  const positions = new Map(manifests.accepted().map(({ key, position }) => [key, position]));
  return objectsDump({ store, problems: manifests.problems(), notes, positions, rootNamespace }, status);
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
  if (options.ownRoot !== false) {
    const overlapMs = options.rootOverlapMs ?? DEFAULT_OVERLAP_MS;
    cleanups.push(keepRoot(() => maintainOwnRoot(root, overlapMs, deps.clock.nowMs()), deps));
  }
  return authority;
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
  const model = new ModelBuilder(store, folderMesh(store, mesh));
  cleanups.push(() => model.stop());
  cleanups.push(followFolderMesh(store, mesh, model));
  const currentStatus = () => buildStatus(source.manifests, model.notes, clock.nowMs());
  const { statusFile } = options;
  const writer =
    statusFile === undefined ? undefined : new StatusWriter(statusFile, { logger, clock, current: currentStatus });
  if (writer !== undefined) cleanups.push(() => writer.settled());
  const report = problemReporter(() => source.manifests.problems(), logger.scope('config'));
  onScan = () => {
    report();
    writer?.update();
  };
  onScan();
  return { source, store, model, currentStatus };
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
