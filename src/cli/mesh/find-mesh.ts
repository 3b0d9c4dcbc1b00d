/** Which mesh a command means: one of `ambit up`, or that of a cluster. */
import { AmbitError } from '../../base/errors.ts';
import { DEFAULT_MESH_OPTIONS } from '../../control/mesh-options.ts';
import { livingRuns } from '../../local/run-folder.ts';
import { type ClusterConnection, type ClusterFlags, clusterConnection } from '../cluster-client.ts';
import { findRun, runBase } from '../run-folders.ts';
import { ClusterMeshAccess } from './cluster-mesh-access.ts';
import { LocalMeshAccess } from './local-mesh-access.ts';
import type { MeshAccess } from './mesh-access.ts';

export interface MeshFlags extends ClusterFlags {
  /** A mesh of `ambit up`. */
  readonly name?: string;
  /** Where the mesh of a cluster is installed. Default `istio-system`. */
  readonly meshNamespace?: string;
}

/**
 * `--name` means a mesh of `ambit up`, `--kubeconfig` and `--context` a cluster. Without any of them: the mesh of `ambit up`
 * if one is up, else the cluster of the kubeconfig.
 * @throws AmbitError with what to do when there is none
 */
export async function findMesh(flags: MeshFlags, environment: NodeJS.ProcessEnv): Promise<MeshAccess> {
  const local = findLocalMesh(flags, environment);
  if (local !== undefined) return local;
  const { client, config } = await meshConnection(flags, environment);
  return new ClusterMeshAccess(client, config, flags.meshNamespace ?? DEFAULT_MESH_OPTIONS.rootNamespace);
}

/** The mesh of `ambit up` where one is meant, see `findMesh`. @throws AmbitError with what to do when there is none of that name */
export function findLocalMesh(flags: MeshFlags, environment: NodeJS.ProcessEnv): LocalMeshAccess | undefined {
  const wantsCluster = flags.kubeconfig !== undefined || flags.context !== undefined;
  if (flags.name !== undefined && wantsCluster)
    throw new AmbitError('MESH_AMBIGUOUS', '--name means a mesh of ambit up, --kubeconfig and --context a cluster');
  const isUp = !wantsCluster && livingRuns(runBase(environment)).length > 0;
  if (flags.name === undefined && !isUp) return undefined;
  const { folder } = findRun(environment, flags.name);
  return new LocalMeshAccess(folder.path.slice(folder.path.lastIndexOf('/') + 1), folder.proxySocket, folder.logs);
}

/** The cluster of a command that may mean a mesh of `ambit up` as well. @throws AmbitError with what to do when there is neither */
export async function meshConnection(flags: MeshFlags, environment: NodeJS.ProcessEnv): Promise<ClusterConnection> {
  try {
    return await clusterConnection(flags, environment);
  } catch (error) {
    if (!(error instanceof AmbitError) || error.code !== 'KUBECONFIG_MISSING') throw error;
    const text = `no mesh of ambit up is up (start one with 'ambit up DIR'), and ${error.message}`;
    throw new AmbitError('KUBECONFIG_MISSING', text, { cause: error });
  }
}
