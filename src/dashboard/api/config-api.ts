/** `/api/config`: the objects that configure the mesh, with what is wrong with them. */
import type { ObjectInForce } from '../mesh-reader.ts';
import type { ApiHandler, ApiSources } from './api-handler.ts';

export interface Configuration {
  readonly objects: readonly ObjectInForce[];
}

/** What belongs to no namespace, such as a file that cannot be read, is for who may read the namespace without a name. */
export function configApi({ reader }: ApiSources): ApiHandler {
  return async (viewer): Promise<Configuration> => {
    const objects = await reader(viewer).objects();
    return { objects: objects.filter((object) => viewer.mayRead(namespaceOf(object))) };
  };
}

function namespaceOf({ kind, namespace, name }: ObjectInForce): string {
  return kind === 'Namespace' ? name : namespace;
}
