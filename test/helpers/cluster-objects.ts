/** Objects that cluster tests apply. Programs come from test/cluster/programs by a ConfigMap, on the example's image. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { kubectl, podLog, until } from './cluster.ts';

const PROGRAMS = new URL('../cluster/programs/', import.meta.url);
const IMAGE = 'ambit-shop:0.1.0';

export function namespaceObject(name: string, labels: Record<string, string> = {}): object {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}

/** The programs, for the pods of a namespace. */
export function programsObject(namespace: string): object {
  const data = Object.fromEntries(
    readdirSync(PROGRAMS).map((name) => [name, readFileSync(new URL(name, PROGRAMS), 'utf8')]),
  );
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'programs', namespace }, data };
}

export interface PodOptions {
  readonly node?: string;
  readonly account?: string;
  readonly labels?: Record<string, string>;
  readonly container?: Record<string, unknown>;
  readonly spec?: Record<string, unknown>;
}

/** A pod that runs a command; it ends at once when it is deleted. */
export function podObject(
  namespace: string,
  name: string,
  command: readonly string[],
  options: PodOptions = {},
): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { app: name, ...options.labels } },
    spec: podSpec(command, options),
  };
}

/** The spec of such a pod. */
export function podSpec(command: readonly string[], options: PodOptions = {}): Record<string, unknown> {
  return {
    ...(options.node === undefined ? {} : { nodeName: options.node }),
    ...(options.account === undefined ? {} : { serviceAccountName: options.account }),
    terminationGracePeriodSeconds: 0,
    containers: [
      {
        name: 'main',
        image: IMAGE,
        imagePullPolicy: 'Never',
        command,
        volumeMounts: [{ name: 'programs', mountPath: '/programs' }],
        ...options.container,
      },
    ],
    volumes: [{ name: 'programs', configMap: { name: 'programs' } }],
    ...options.spec,
  };
}

/** A server pod with its service on port 80. */
export function serverObjects(namespace: string, name: string, options: PodOptions = {}): object[] {
  const readinessProbe = { tcpSocket: { port: 8080 }, periodSeconds: 1 };
  return [
    podObject(namespace, name, ['python3', '/programs/server.py', '8080'], {
      ...options,
      container: { readinessProbe, ...options.container },
    }),
    serviceObject(namespace, name),
  ];
}

export function serviceObject(namespace: string, name: string, spec: Record<string, unknown> = {}): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 8080 }], ...spec },
  };
}

export function accountObject(namespace: string, name: string): object {
  return { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } };
}

/** A pod that asks a host all the time. */
export function loadObject(
  namespace: string,
  name: string,
  host: string,
  options: PodOptions & { readonly workers?: number; readonly port?: number } = {},
): object {
  const { workers = 8, port = 80 } = options;
  return podObject(
    namespace,
    name,
    ['python3', '-u', '/programs/load.py', host, String(port), String(workers), '20'],
    options,
  );
}

/** What a load pod has counted so far. */
export interface LoadCounts {
  readonly time: number;
  readonly ok: number;
  readonly failed: number;
  /** Lookups of the host's name that failed. */
  readonly lookups: number;
  readonly cut: number;
  readonly errors: readonly string[];
}

export async function loadCounts(namespace: string, name: string): Promise<LoadCounts> {
  const lines = (await podLog(namespace, name)).trim().split('\n');
  return JSON.parse(lines.at(-1) ?? '') as LoadCounts;
}

/**
 * No new connection failed since. Of the lookups before them about one in twenty thousand does on a machine under load,
 * whatever the mesh does just then: that is not held against the test, more is.
 */
export function assertNoneFailed(after: LoadCounts, before: LoadCounts): void {
  const text = after.errors.join('\n');
  assert.equal(after.failed - before.failed, 0, text);
  assert.ok(after.lookups - before.lookups <= 1 + (after.ok - before.ok) / 5000, text);
}

/** The counts once at least this many further answers have come. */
export function loadGoesOn(namespace: string, name: string, since: LoadCounts, answers = 100): Promise<LoadCounts> {
  return until(`${name} goes on`, async () => {
    const counts = await loadCounts(namespace, name);
    return counts.ok >= since.ok + answers ? counts : undefined;
  });
}

/** Ends the pods of a namespace and the namespace with them. */
export async function deleteNamespace(name: string): Promise<void> {
  await kubectl(['delete', 'namespace', name, '--ignore-not-found', '--timeout=90s']);
}
