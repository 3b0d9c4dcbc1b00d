/** The pods that shall run, as the manifests say: bare Pods and the replicas of Deployments. */
import { createHash } from 'node:crypto';
import type { DeploymentObject } from '../model/manifest/core-objects.ts';
import type { Labels } from '../model/manifest/object-meta.ts';
import type { PodObject, PodSpec } from '../model/manifest/pod.ts';

/** One kind of pod: a bare Pod, or what all replicas of a Deployment have in common. */
export interface PodGroup {
  /** `Deployment/<namespace>/<name>` or `Pod/<namespace>/<name>`. */
  readonly key: string;
  readonly kind: 'Deployment' | 'Pod';
  readonly namespace: string;
  readonly name: string;
  readonly replicas: number;
  /** Changes whenever the pods have to be replaced. */
  readonly hash: string;
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly spec: PodSpec;
  /** Folder of the manifest: where containers without an absolute workingDir run. */
  readonly folder: string;
}

/** A Deployment as a group of pods. */
export function groupOfDeployment(deployment: DeploymentObject, folder: string): PodGroup {
  const { meta, replicas, template } = deployment;
  const hash = contentHash([template, folder]);
  return {
    key: `Deployment/${meta.namespace}/${meta.name}`,
    kind: 'Deployment',
    namespace: meta.namespace,
    name: meta.name,
    replicas,
    hash,
    labels: new Map([...template.labels, ['pod-template-hash', hash]]),
    annotations: template.annotations,
    spec: template.spec,
    folder,
  };
}

/** A bare Pod as a group of one: labels and annotations change in place, the rest replaces it. */
export function groupOfPod(pod: PodObject, folder: string): PodGroup {
  const { meta, spec } = pod;
  return {
    key: `Pod/${meta.namespace}/${meta.name}`,
    kind: 'Pod',
    namespace: meta.namespace,
    name: meta.name,
    replicas: meta.deleting ? 0 : 1,
    hash: contentHash([spec, folder]),
    labels: meta.labels,
    annotations: meta.annotations,
    spec,
    folder,
  };
}

/** Ten characters that are the same for the same content, whatever the order of keys. */
export function contentHash(content: unknown): string {
  const text = JSON.stringify(content, (_key, value: unknown) => sorted(value));
  // No vowels, as in Kubernetes: a hash never spells a word.
  const digits = [...createHash('sha256').update(text).digest().subarray(0, 10)];
  return digits.map((byte) => ALPHABET[byte % ALPHABET.length]).join('');
}

const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

function sorted(value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** A name for one more replica, `<deployment>-<hash>-<suffix>`. @param random uniform numbers in [0, 1) */
export function replicaName(group: PodGroup, random: () => number): string {
  if (group.kind === 'Pod') return group.name;
  let suffix = '';
  for (let i = 0; i < 5; i++) suffix += ALPHABET[Math.floor(random() * ALPHABET.length)] ?? 'b';
  return `${group.name}-${group.hash}-${suffix}`;
}
