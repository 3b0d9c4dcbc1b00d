/** What a control plane would feed to proxies if a folder of manifests were applied, and `ambit up` ran its pods. */
import { systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/logger.ts';
import { folderMesh } from '../../control/folder-mesh.ts';
import { DEFAULT_MESH_OPTIONS } from '../../control/mesh-options.ts';
import { ModelBuilder } from '../../control/model-builder.ts';
import { shouldEnrol } from '../../local/enrolment.ts';
import { PodAddressPool, planNode } from '../../local/network-plan.ts';
import { nodeManifest, podManifest } from '../../local/pod-manifest.ts';
import { groupOfDeployment, groupOfPod, type PodGroup, replicaName } from '../../local/pod-plan.ts';
import { groupOfWaypoint } from '../../local/waypoint-pods.ts';
import { FolderSource } from '../../manifests/folder-source.ts';
import { ObjectStore } from '../../manifests/object-store.ts';
import { isWaypoint } from '../../model/manifest/gateway.ts';
import type { ManifestObject } from '../../model/manifest/manifest-object.ts';
import type { ManifestProblem } from '../../model/manifest/manifest-problem.ts';
import { readObject } from '../../model/manifest/read-object.ts';
import { waypointAccount, waypointService } from '../../model/waypoint-objects.ts';
import type { ReceivedResource } from '../../xds/client/delta-client.ts';
import type { ResourceStore } from '../../xds/server/resource-store.ts';
import type { FeedResources } from './feed-resources.ts';

export interface FolderMesh {
  readonly store: ObjectStore;
  readonly resources: FeedResources;
  /** What was refused, and what is of no use. */
  readonly problems: readonly ManifestProblem[];
  /** Remarks of the control plane, by key of the object. */
  readonly notes: ReadonlyMap<string, string>;
  /** Where each object is written. */
  readonly positions: ReadonlyMap<string, { readonly file: string; readonly line: number; readonly column: number }>;
}

const NODE = planNode('node1', 1);
const NOWHERE = { file: '', line: 0, column: 0 };
/** The program is never started. */
const PROGRAM = {
  ambit: [],
  controlAddress: '',
  controlHostname: '',
  controlRootCa: '',
  clusterId: DEFAULT_MESH_OPTIONS.clusterId,
  ipv6: false,
  tokenFile: () => '',
};

/** @throws AmbitError when the folder cannot be read */
export async function folderResources(folder: string): Promise<FolderMesh> {
  const store = new ObjectStore();
  const source = new FolderSource({ folders: [folder] }, { clock: systemClock, logger: silentLogger, store });
  try {
    await source.start();
  } finally {
    source.stop();
  }
  const { manifests } = source;
  const positions = new Map(manifests.accepted().map(({ key, position }) => [key, position]));
  store.apply(invented(store), []);
  const model = new ModelBuilder(store, folderMesh(store, DEFAULT_MESH_OPTIONS));
  const stores = [model.addresses, model.authorizations, ...model.waypointStores.values()];
  const resources = new Map(stores.map((one) => [one.typeUrl, contentOf(one)]));
  const { notes } = model;
  model.stop();
  return { store, resources, problems: manifests.problems(), notes, positions };
}

/** What a cluster makes of what the folder asks for: a node, pods with addresses, waypoints' services and accounts. */
function invented(store: ObjectStore): ManifestObject[] {
  const gateways = [...store.all('Gateway')].filter(isWaypoint);
  const around = gateways.flatMap((gateway) => [waypointAccount(gateway), waypointService(gateway)]);
  const pods = new PodAddressPool(NODE);
  const manifests = [nodeManifest(NODE), ...around, ...groupsOf(store).flatMap((group) => podsOf(group, store, pods))];
  return manifests.flatMap((manifest) => {
    const reading = readObject(manifest, () => NOWHERE);
    return reading.kind === 'accepted' ? [reading.object] : [];
  });
}

function groupsOf(store: ObjectStore): PodGroup[] {
  // A pod with an address comes from a cluster, and is taken as it is; so are those that its Deployment has there.
  const bare = [...store.all('Pod')].filter(({ status }) => status.addresses.length === 0);
  const running = [...store.all('Pod')].filter(({ status }) => status.addresses.length > 0);
  const hasPods = (namespace: string, name: string) =>
    running.some(({ meta }) => meta.namespace === namespace && meta.name.startsWith(`${name}-`));
  const waypoints = [...store.all('Gateway')].map((gateway) => groupOfWaypoint(gateway, PROGRAM, ''));
  return [
    ...bare.map((pod) => groupOfPod(pod, '')),
    ...[...store.all('Deployment')].map((deployment) => groupOfDeployment(deployment, '')),
    ...waypoints.filter((group) => group !== undefined),
  ].filter(({ kind, namespace, name }) => kind === 'Pod' || !hasPods(namespace, name));
}

function podsOf(group: PodGroup, store: ObjectStore, addresses: PodAddressPool): object[] {
  const { namespace, labels, annotations, spec } = group;
  const namespaceLabels = store.get('Namespace', '', namespace)?.meta.labels ?? new Map<string, string>();
  const { hostNetwork } = spec;
  const enrolled = shouldEnrol({ namespace, labels, annotations, hostNetwork }, namespaceLabels);
  return Array.from({ length: Math.min(group.replicas, SHOWN_REPLICAS) }, (_, index) => {
    const { ipv4 } = addresses.allocate();
    return podManifest({
      group,
      name: replicaName(group, () => (index + 1) / (SHOWN_REPLICAS + 1)),
      uid: '',
      node: NODE.name,
      nodeIp: NODE.address,
      podIps: [ipv4],
      phase: 'Running',
      ready: true,
      enrolled,
      deleting: false,
      createdMs: 0,
    });
  });
}

/** All replicas are alike. */
const SHOWN_REPLICAS = 2;

function contentOf(store: ResourceStore): ReceivedResource[] {
  return [...store.names()].map((name) => {
    const { version, aliases, value } = store.get(name) ?? { version: '', aliases: [], value: Buffer.alloc(0) };
    return { name, version, aliases, bytes: value };
  });
}
