/** What the engine knows about its pods and nodes, as manifests for the control plane. */
import { REDIRECTION_ANNOTATION } from '../model/installed-names.ts';
import type { Labels } from '../model/manifest/object-meta.ts';
import type { PodPhase } from '../model/manifest/pod.ts';
import type { NodePlan } from './network-plan.ts';
import type { PodGroup } from './pod-plan.ts';

export interface PodStatusView {
  readonly group: PodGroup;
  readonly name: string;
  readonly uid: string;
  readonly node: string;
  readonly nodeIp: string;
  /** Empty before the pod has a network. */
  readonly podIps: readonly string[];
  readonly phase: PodPhase;
  readonly ready: boolean;
  readonly enrolled: boolean;
  readonly deleting: boolean;
  readonly createdMs: number;
}

/** The pod as Kubernetes would show it. */
export function podManifest(view: PodStatusView): object {
  const { group, name, uid, deleting, podIps } = view;
  const created = new Date(view.createdMs).toISOString();
  const annotations = new Map(group.annotations);
  if (view.enrolled) annotations.set(REDIRECTION_ANNOTATION, 'enabled');
  else annotations.delete(REDIRECTION_ANNOTATION);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: group.namespace,
      uid,
      creationTimestamp: created,
      ...(deleting ? { deletionTimestamp: created } : {}),
      labels: Object.fromEntries(group.labels),
      annotations: Object.fromEntries(annotations),
      ...(group.kind === 'Deployment' ? { ownerReferences: [replicaSetOf(group)] } : {}),
    },
    spec: podSpec(view),
    status: {
      phase: view.phase,
      hostIP: view.nodeIp,
      ...(podIps[0] === undefined ? {} : { podIP: podIps[0], podIPs: podIps.map((ip) => ({ ip })) }),
      conditions: [{ type: 'Ready', status: view.ready ? 'True' : 'False' }],
    },
  };
}

function replicaSetOf({ name, hash }: PodGroup): object {
  return { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `${name}-${hash}`, uid: hash, controller: true };
}

function podSpec({ group, node }: PodStatusView): object {
  const { spec } = group;
  return {
    nodeName: node,
    ...(spec.serviceAccount === '' ? {} : { serviceAccountName: spec.serviceAccount }),
    ...(spec.hostNetwork ? { hostNetwork: true } : {}),
    containers: spec.containers.map(({ name, image, ports }) => ({
      name,
      image,
      ports: ports.map((port) => ({
        ...(port.name === '' ? {} : { name: port.name }),
        containerPort: port.port,
        protocol: port.protocol,
      })),
    })),
  };
}

/** What pods can ask of a node by `nodeSelector`. Each is a zone of its own. */
export function nodeLabels({ name, number }: NodePlan): Labels {
  return new Map([
    ['kubernetes.io/hostname', name],
    ['kubernetes.io/os', 'linux'],
    ['topology.kubernetes.io/region', 'local'],
    ['topology.kubernetes.io/zone', `zone${number}`],
  ]);
}

/** A node. */
export function nodeManifest(node: NodePlan): object {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: node.name, labels: Object.fromEntries(nodeLabels(node)) },
  };
}
