/** What an installation was told, kept in the cluster so that an upgrade starts from it. */
import { AmbitError } from '../base/errors.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { CONFIG_MAPS } from '../kube/resource-kind.ts';
import { isRecord } from '../model/manifest/field-reader.ts';
import { labelsOf } from './objects/common.ts';
import type { RenderedObject } from './render-install.ts';
import type { PlainNode } from './template.ts';

const NAME = 'ambit-install';
const KEY = 'values.json';

/** The object that keeps the values. */
export function storedValuesObject(namespace: string, values: { [key: string]: PlainNode }): RenderedObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: NAME, namespace, labels: labelsOf('ambit') as Record<string, string> },
    data: { [KEY]: JSON.stringify(values) },
  };
}

/**
 * The values of the installation in a namespace; undefined when there is none.
 * @throws AmbitError STORED_VALUES_UNREADABLE
 */
export async function readStoredValues(
  client: KubeClient,
  namespace: string,
): Promise<{ [key: string]: PlainNode } | undefined> {
  const answer = await client.get(CONFIG_MAPS, namespace, NAME);
  if (!answer.ok) {
    if (answer.error.status === 404) return undefined;
    throw new AmbitError('STORED_VALUES_UNREADABLE', `configmap/${NAME}: ${answer.error.message}`, {
      cause: answer.error,
    });
  }
  const data = answer.value['data'];
  try {
    const values: unknown = JSON.parse(isRecord(data) ? String(data[KEY]) : '');
    // It was written from plain nodes; parseInstallValues checks it against the schema.
    if (isRecord(values)) return values as { [key: string]: PlainNode };
  } catch {
    // Not JSON: said below.
  }
  throw new AmbitError(
    'STORED_VALUES_UNREADABLE',
    `configmap/${NAME} in ${namespace} does not hold values: repair its key ${KEY}, or use --reset-values`,
  );
}
