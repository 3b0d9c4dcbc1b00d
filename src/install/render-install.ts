/** All objects of an installation, in the order in which they are applied. */

import type { InstallValues } from './install-values.ts';
import { AGENT_OBJECTS } from './objects/agent-objects.ts';
import { clusterMeta } from './objects/common.ts';
import { CONTROL_OBJECTS } from './objects/control-objects.ts';
import { DASHBOARD_OBJECTS } from './objects/dashboard-objects.ts';
import { ZTUNNEL_OBJECTS } from './objects/ztunnel-objects.ts';
import { INSTALL_NAMESPACE, type PlainNode, resolveTemplate, type TemplateNode } from './template.ts';

/** The objects by component, with places for values. The order is that of starting: each needs the one before. */
export const COMPONENT_OBJECTS: Readonly<Record<string, readonly TemplateNode[]>> = {
  control: CONTROL_OBJECTS,
  agent: AGENT_OBJECTS,
  ztunnel: ZTUNNEL_OBJECTS,
  dashboard: DASHBOARD_OBJECTS,
};

export const DEFAULT_INSTALL_NAMESPACE = 'istio-system';

/** An object as an API server takes it. */
export interface RenderedObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Record<string, string> };
  readonly [field: string]: unknown;
}

const NAMESPACE_OBJECT: TemplateNode = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { ...clusterMeta('ambit', ''), name: INSTALL_NAMESPACE },
};

/**
 * Renders everything but the CRDs.
 * @param namespace that the mesh is installed in
 */
export function renderInstall(values: InstallValues, namespace: string): RenderedObject[] {
  // The schema holds nothing but plain values.
  const places = { ...(values as unknown as { [key: string]: PlainNode }), namespace };
  return [NAMESPACE_OBJECT, ...Object.values(COMPONENT_OBJECTS).flat()]
    .map((object) => resolveTemplate(object, places))
    .filter((object) => object !== undefined)
    .map((object) => object as unknown as RenderedObject);
}
