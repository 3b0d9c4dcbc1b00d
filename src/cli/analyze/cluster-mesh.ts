/** The objects of a cluster as a control plane there reads them, with the rights of the kubeconfig. */

import { AmbitError } from '../../base/errors.ts';
import { silentLogger } from '../../base/logger.ts';
import { KubeIntake } from '../../control/kube-intake.ts';
import { DEFAULT_REVISION } from '../../control/kube-options.ts';
import { KubeSource } from '../../control/kube-source.ts';
import { DEFAULT_MESH_OPTIONS } from '../../control/mesh-options.ts';
import { ModelBuilder } from '../../control/model-builder.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import { ObjectStore } from '../../manifests/object-store.ts';
import { commandClock } from '../command-clock.ts';
import type { AnalyzedMesh } from './analyze-mesh.ts';

const READ_WITHIN_MS = 60_000;

/** @throws AmbitError CLUSTER_UNREADABLE when not all of it can be read */
export async function clusterMesh(client: KubeClient): Promise<AnalyzedMesh> {
  const store = new ObjectStore();
  const rootNamespace = DEFAULT_MESH_OPTIONS.rootNamespace;
  const shared = { clock: commandClock, logger: silentLogger, store };
  const intake = new KubeIntake({ revision: DEFAULT_REVISION, alwaysSelected: [rootNamespace] }, shared);
  const source = new KubeSource({ ...shared, client, random: Math.random, intake });
  try {
    await source.start(AbortSignal.timeout(READ_WITHIN_MS));
    if (!source.isSynced) {
      const what = `not all objects could be read in ${READ_WITHIN_MS / 1000} s`;
      throw new AmbitError('CLUSTER_UNREADABLE', `${what}: the account needs to list and watch what the mesh reads`);
    }
    intake.flush();
    const model = new ModelBuilder(store, DEFAULT_MESH_OPTIONS);
    const { notes } = model;
    model.stop();
    return { store, problems: intake.problems(), notes, positions: new Map(), rootNamespace };
  } finally {
    intake.stop();
    await source.stop();
  }
}
