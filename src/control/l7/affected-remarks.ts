/** Whose remarks speak of services that are built again: they are built again too. */

import { targetReference } from '../../manifests/object-references.ts';
import { keyOf } from '../../model/manifest/manifest-object.ts';
import type { BuildContext } from '../build-context.ts';
import { serviceHostname } from '../mesh-options.ts';
import { writtenForms } from './virtual-service/route-hosts.ts';

/** Adds the keys of policies that target a service of `affected`, and of VirtualServices that name it while it is there. */
export function addAffectedRemarks(context: BuildContext, affected: Set<string>): void {
  const { store, mesh } = context;
  for (const key of [...affected]) {
    for (const policy of store.referrers(targetReference(key))) affected.add(policy);
    for (const host of hostsOf(context, key)) {
      for (const form of writtenForms(mesh, host)) {
        for (const object of store.virtualServices.mentioning(form)) affected.add(keyOf(object));
      }
    }
  }
}

function hostsOf({ store, mesh }: BuildContext, key: string): readonly string[] {
  const object = store.getByKey(key);
  if (object?.kind === 'ServiceEntry') return object.hosts;
  return object?.kind === 'Service' ? [serviceHostname(mesh, object.meta.namespace, object.meta.name)] : [];
}
