/** What the agent keeps of a Pod object of the API server. */

import type { KubeObject } from '../../kube/kube-object.ts';
import { parseIpAddress } from '../../model/address.ts';
import { REDIRECTION_ANNOTATION } from '../../model/installed-names.ts';
import { fieldsOf, isRecord } from '../../model/manifest/field-reader.ts';
import { type Labels, labelsOf } from './label-selector.ts';

/** The uid of a static pod on its node; the API server knows it by another. */
const STATIC_UID_ANNOTATION = 'kubernetes.io/config.hash';
const SIDECAR_ANNOTATION = 'sidecar.istio.io/status';
/** Annotations that the agent acts on (facts ztunnel-wire 2.5, 4.1); the others are not kept. */
const KEPT_ANNOTATIONS = [
  REDIRECTION_ANNOTATION,
  STATIC_UID_ANNOTATION,
  SIDECAR_ANNOTATION,
  'ambient.istio.io/bypass-inbound-capture',
  'ambient.istio.io/dns-capture',
  'istio.io/reroute-virtual-interfaces',
];
const TERMINAL_PHASES: ReadonlySet<unknown> = new Set(['Succeeded', 'Failed']);

export interface NodePod {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly labels: Labels;
  /** Only those that the agent acts on. */
  readonly annotations: Labels;
  readonly hostNetwork: boolean;
  /** Its containers have ended for good. */
  readonly isTerminal: boolean;
  /** Canonical; empty until the pod has its network. */
  readonly ips: readonly string[];
}

/** Undefined for an object that is no usable Pod. */
export function readNodePod(object: KubeObject): NodePod | undefined {
  const { uid, name, namespace } = object.metadata;
  if (uid === undefined || uid === '' || name === '' || namespace === undefined) return undefined;
  const spec = fieldsOf(object['spec']);
  const status = fieldsOf(object['status']);
  const account = spec['serviceAccountName'];
  const annotations = labelsOf(object.metadata.annotations);
  return {
    uid,
    name,
    namespace,
    serviceAccount: typeof account === 'string' && account !== '' ? account : 'default',
    labels: labelsOf(object.metadata.labels),
    annotations: Object.fromEntries(
      KEPT_ANNOTATIONS.flatMap((key) => {
        const value = annotations[key];
        return value === undefined ? [] : [[key, value]];
      }),
    ),
    hostNetwork: spec['hostNetwork'] === true,
    isTerminal: TERMINAL_PHASES.has(status['phase']),
    ips: podIps(status),
  };
}

/** Whether a sidecar does the work of the mesh in the pod. */
export function hasSidecar({ annotations }: NodePod): boolean {
  return annotations[SIDECAR_ANNOTATION] !== undefined;
}

/** Every uid by which the node may know the pod: container runtimes name a static pod by its configuration. */
export function nodeUids(pod: NodePod): readonly string[] {
  const own = pod.annotations[STATIC_UID_ANNOTATION];
  return own === undefined ? [pod.uid] : [pod.uid, own];
}

function podIps(status: Readonly<Record<string, unknown>>): readonly string[] {
  const listed: readonly unknown[] = Array.isArray(status['podIPs']) ? status['podIPs'] : [];
  const texts = [status['podIP'], ...listed.map((entry) => (isRecord(entry) ? entry['ip'] : undefined))];
  const ips = texts.map((text) => (typeof text === 'string' ? parseIpAddress(text) : undefined));
  return [...new Set(ips.filter((ip) => ip !== undefined))];
}
