/** Pods: what the mesh needs of them, and what the local engine needs to run them as processes. */
import { type IpAddress, parseIpAddress } from '../address.ts';
import type { FieldReader } from './field-reader.ts';
import type { Labels, ObjectMeta } from './object-meta.ts';

export type PortProtocol = 'TCP' | 'UDP' | 'SCTP';

export interface ContainerPort {
  readonly name: string;
  readonly port: number;
  readonly protocol: PortProtocol;
}

/** A check that the local engine runs before it calls a pod ready. */
export type Probe =
  | { readonly kind: 'tcp'; readonly port: number | string; readonly periodMs: number; readonly delayMs: number }
  | {
      readonly kind: 'http';
      readonly port: number | string;
      readonly path: string;
      readonly periodMs: number;
      readonly delayMs: number;
    }
  | {
      readonly kind: 'exec';
      readonly command: readonly string[];
      readonly periodMs: number;
      readonly delayMs: number;
    };

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly ports: readonly ContainerPort[];
  readonly command: readonly string[];
  readonly args: readonly string[];
  /** Plain values only; references to other objects are left out. */
  readonly env: Labels;
  /** Variables that name a field of the pod itself (`valueFrom.fieldRef.fieldPath`). */
  readonly envFields: Labels;
  readonly workingDir: string;
  readonly readinessProbe: Probe | undefined;
}

export type RestartPolicy = 'Always' | 'OnFailure' | 'Never';

export interface PodSpec {
  readonly nodeName: string;
  /** Labels that the pod's node must have. */
  readonly nodeSelector: Labels;
  readonly hostNetwork: boolean;
  /** Empty: `default`. */
  readonly serviceAccount: string;
  readonly restartPolicy: RestartPolicy;
  readonly containers: readonly Container[];
}

export type PodPhase = 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown';

export interface PodStatus {
  /** Undefined: the manifest does not say. */
  readonly phase: PodPhase | undefined;
  readonly addresses: readonly IpAddress[];
  /** The Ready condition; undefined when there is none. */
  readonly ready: boolean | undefined;
}

export interface PodObject {
  readonly kind: 'Pod';
  readonly meta: ObjectMeta;
  readonly spec: PodSpec;
  readonly status: PodStatus;
}

export interface PodTemplate {
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly spec: PodSpec;
}

const PHASES = ['Pending', 'Running', 'Succeeded', 'Failed', 'Unknown'] as const;
const RESTART_POLICIES = ['Always', 'OnFailure', 'Never'] as const;
const PROTOCOLS = ['TCP', 'UDP', 'SCTP'] as const;
const MAX_SECONDS = 86_400;

export function readPod(meta: ObjectMeta, root: FieldReader): PodObject {
  return { kind: 'Pod', meta, spec: readPodSpec(root.child('spec')), status: readStatus(root.child('status')) };
}

export function readPodTemplate(template: FieldReader): PodTemplate {
  const meta = template.child('metadata');
  return {
    labels: meta.stringMap('labels'),
    annotations: meta.stringMap('annotations'),
    spec: readPodSpec(template.child('spec')),
  };
}

function readPodSpec(spec: FieldReader): PodSpec {
  return {
    nodeName: spec.string('nodeName') ?? '',
    nodeSelector: spec.stringMap('nodeSelector'),
    hostNetwork: spec.boolean('hostNetwork') ?? false,
    serviceAccount: spec.string('serviceAccountName') ?? spec.string('serviceAccount') ?? '',
    restartPolicy: spec.oneOf('restartPolicy', RESTART_POLICIES) ?? 'Always',
    containers: spec.children('containers').map(readContainer),
  };
}

function readContainer(container: FieldReader): Container {
  const probe = container.child('readinessProbe');
  return {
    name: container.string('name') ?? '',
    image: container.string('image') ?? '',
    ports: container.children('ports').map((port) => ({
      name: port.string('name') ?? '',
      port: port.integer('containerPort', 1, 65535) ?? 0,
      protocol: port.oneOf('protocol', PROTOCOLS) ?? 'TCP',
    })),
    command: container.strings('command'),
    args: container.strings('args'),
    env: readEnv(container),
    envFields: readEnvFields(container),
    workingDir: container.string('workingDir') ?? '',
    readinessProbe: probe.isPresent ? readProbe(probe) : undefined,
  };
}

function readEnv(container: FieldReader): Labels {
  const env = new Map<string, string>();
  for (const entry of container.children('env')) {
    const name = entry.required('name');
    const value = entry.string('value');
    if (name !== '' && !entry.has('valueFrom')) env.set(name, value ?? '');
  }
  return env;
}

function readEnvFields(container: FieldReader): Labels {
  const fields = new Map<string, string>();
  for (const entry of container.children('env')) {
    const name = entry.string('name') ?? '';
    const path = entry.child('valueFrom').child('fieldRef').string('fieldPath');
    if (name !== '' && path !== undefined) fields.set(name, path);
  }
  return fields;
}

function readProbe(probe: FieldReader): Probe | undefined {
  const periodMs = (probe.integer('periodSeconds', 1, MAX_SECONDS) ?? 10) * 1000;
  const delayMs = (probe.integer('initialDelaySeconds', 0, MAX_SECONDS) ?? 0) * 1000;
  const http = probe.child('httpGet');
  if (http.isPresent) {
    return { kind: 'http', port: readPortOrName(http, 'port'), path: http.string('path') ?? '/', periodMs, delayMs };
  }
  const tcp = probe.child('tcpSocket');
  if (tcp.isPresent) return { kind: 'tcp', port: readPortOrName(tcp, 'port'), periodMs, delayMs };
  const exec = probe.child('exec');
  return exec.isPresent ? { kind: 'exec', command: exec.strings('command'), periodMs, delayMs } : undefined;
}

/** A port number or the name of a container port; 0 when it is neither, which is reported. */
export function readPortOrName(reader: FieldReader, name: string): number | string {
  const value = reader.raw(name);
  if (typeof value === 'string' && value !== '') return value;
  const port = reader.integer(name, 1, 65535);
  if (port === undefined && value === undefined) reader.report(name, 'is required');
  return port ?? 0;
}

function readStatus(status: FieldReader): PodStatus {
  const addresses = new Set<IpAddress>();
  for (const text of [status.string('podIP'), ...status.children('podIPs').map((entry) => entry.string('ip'))]) {
    if (text === undefined || text === '') continue;
    const address = parseIpAddress(text);
    if (address === undefined) status.report('podIP', `"${text}" is not an IP address`);
    else addresses.add(address);
  }
  const ready = status.children('conditions').find((condition) => condition.string('type') === 'Ready');
  return {
    phase: status.oneOf('phase', PHASES),
    addresses: [...addresses],
    ready: ready === undefined ? undefined : ready.string('status') === 'True',
  };
}

/** Whether the pod has ended and will not run again. */
export function isTerminal(pod: PodObject): boolean {
  return pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed';
}

/** Whether the pod takes traffic: Ready as reported, or running where nobody reports readiness; never while deleted. */
export function isReady(pod: PodObject): boolean {
  if (pod.meta.deleting) return false;
  return pod.status.ready ?? (pod.status.phase === undefined || pod.status.phase === 'Running');
}
