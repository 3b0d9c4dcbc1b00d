/** Namespace, ServiceAccount, Node and Deployment. */
import type { FieldReader } from './field-reader.ts';
import type { ObjectMeta } from './object-meta.ts';
import { type PodSpec, type PodTemplate, readPodTemplate } from './pod.ts';

export interface NamespaceObject {
  readonly kind: 'Namespace';
  readonly meta: ObjectMeta;
}

export interface ServiceAccountObject {
  readonly kind: 'ServiceAccount';
  readonly meta: ObjectMeta;
}

export interface NodeObject {
  readonly kind: 'Node';
  readonly meta: ObjectMeta;
}

/** What the local engine needs to run replicas. */
export interface DeploymentObject {
  readonly kind: 'Deployment';
  readonly meta: ObjectMeta;
  readonly replicas: number;
  readonly template: PodTemplate;
}

const MAX_REPLICAS = 10_000;

export function readNamespace(meta: ObjectMeta): NamespaceObject {
  return { kind: 'Namespace', meta };
}

export function readServiceAccount(meta: ObjectMeta): ServiceAccountObject {
  return { kind: 'ServiceAccount', meta };
}

export function readNode(meta: ObjectMeta): NodeObject {
  return { kind: 'Node', meta };
}

export function readDeployment(meta: ObjectMeta, root: FieldReader): DeploymentObject {
  const spec = root.child('spec');
  const replicas = spec.integer('replicas', 0, MAX_REPLICAS) ?? 1;
  return { kind: 'Deployment', meta, replicas, template: readPodTemplate(spec.child('template')) };
}

/** The service account a pod runs as. */
export function serviceAccountOf(spec: PodSpec): string {
  return spec.serviceAccount === '' ? 'default' : spec.serviceAccount;
}
