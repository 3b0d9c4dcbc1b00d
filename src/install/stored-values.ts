/** What an installation was told, kept in the cluster so that an upgrade starts from it. */
import { AmbitError } from '../base/errors.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { CONFIG_MAPS } from '../kube/resource-kind.ts';
import { isRecord } from '../model/manifest/field-reader.ts';
import { parseInstallValues } from './install-values.ts';
import { ownLabelsOf } from './objects/common.ts';
import type { RenderedObject } from './render-install.ts';
import { type PlainNode, resolveTemplate } from './template.ts';

/** The ConfigMap by which an installation is known. */
export const STORED_VALUES_NAME = 'ambit-install';
const KEY = 'values.json';

/** The object that keeps the values. */
export function storedValuesObject(namespace: string, values: { [key: string]: PlainNode }): RenderedObject {
  const places = { namespace, revision: parseInstallValues(values).revision };
  // Labels are texts.
  const labels = resolveTemplate(ownLabelsOf('ambit'), places) as Record<string, string>;
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: STORED_VALUES_NAME, namespace, labels },
    data: { [KEY]: JSON.stringify(values) },
  };
}

/** The object that keeps the values of the installation in a namespace. @throws AmbitError STORED_VALUES_UNREADABLE */
export async function findStoredValues(client: KubeClient, namespace: string): Promise<KubeObject | undefined> {
  const answer = await client.get(CONFIG_MAPS, namespace, STORED_VALUES_NAME);
  if (answer.ok) return answer.value;
  if (answer.error.status === 404) return undefined;
  const { message } = answer.error;
  throw new AmbitError('STORED_VALUES_UNREADABLE', `configmap/${STORED_VALUES_NAME}: ${message}`, {
    cause: answer.error,
  });
}

/** The values of an installation. @throws AmbitError STORED_VALUES_UNREADABLE */
export function storedValuesOf(stored: KubeObject): { [key: string]: PlainNode } {
  const { data, metadata } = stored;
  try {
    const values: unknown = JSON.parse(isRecord(data) ? String(data[KEY]) : '');
    // It was written from plain nodes; parseInstallValues checks it against the schema.
    if (isRecord(values)) return values as { [key: string]: PlainNode };
  } catch {
    // Not JSON: said below.
  }
  throw new AmbitError(
    'STORED_VALUES_UNREADABLE',
    `configmap/${STORED_VALUES_NAME} in ${metadata.namespace} does not hold values: repair its key ${KEY}, or start from the defaults with ambit upgrade --reset-values`,
  );
}
