/** The objects of a cluster as a control plane there reads them, with the rights of the kubeconfig. */

import { systemClock } from '../../base/clock.ts';
import { AmbitError } from '../../base/errors.ts';
import { type LogFields, silentLogger } from '../../base/logger.ts';
import type { AnalyzedMesh } from '../../control/analyze/analyze-mesh.ts';
import { KubeIntake } from '../../control/kube-intake.ts';
import { DEFAULT_REVISION } from '../../control/kube-options.ts';
import { KubeSource } from '../../control/kube-source.ts';
import { DEFAULT_MESH_OPTIONS } from '../../control/mesh-options.ts';
import { ModelBuilder } from '../../control/model-builder.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import { ObjectStore } from '../../manifests/object-store.ts';
import { commandClock } from '../command-clock.ts';

const READ_WITHIN_MS = 60_000;
/** What was refused once may have been a moment of the API server. */
const GIVE_UP_AFTER_MS = 3000;

/** @throws AmbitError CLUSTER_UNREADABLE when not all of it can be read */
export async function clusterMesh(client: KubeClient): Promise<AnalyzedMesh> {
  const store = new ObjectStore();
  const rootNamespace = DEFAULT_MESH_OPTIONS.rootNamespace;
  const reasons = new Set<string>();
  const refused = new AbortController();
  const warn = (_: string, fields: LogFields = {}) => {
    if (fields['reason'] === undefined) return;
    if (reasons.size === 0) commandClock.after(GIVE_UP_AFTER_MS, () => refused.abort());
    reasons.add(String(fields['reason']));
  };
  // Its timers end with the command.
  const shared = { clock: systemClock, logger: { ...silentLogger, warn }, store };
  const intake = new KubeIntake({ revision: DEFAULT_REVISION, alwaysSelected: [rootNamespace] }, shared);
  const source = new KubeSource({ ...shared, client, random: Math.random, intake });
  const overdue = commandClock.after(READ_WITHIN_MS, () => refused.abort());
  try {
    await source.start(refused.signal);
    if (!source.isSynced) {
      const [why = `no answer in ${READ_WITHIN_MS / 1000} s`, ...more] = reasons;
      const others = more.length === 0 ? '' : `; and ${more.length} more like it`;
      throw new AmbitError('CLUSTER_UNREADABLE', `not all objects could be read: ${why}${others}`);
    }
    intake.flush();
    const model = new ModelBuilder(store, DEFAULT_MESH_OPTIONS);
    const { notes } = model;
    model.stop();
    return { store, problems: intake.problems(), notes, positions: new Map(), rootNamespace };
  } finally {
    overdue.cancel();
    intake.stop();
    await source.stop();
  }
}
