/** Destinations of a VirtualService that nothing can be sent to (facts l7-and-control 1.2, 2.1). */
import { destinationsOf } from '../../../manifests/virtual-service-index.ts';
import type { ServiceObject } from '../../../model/manifest/kubernetes-service.ts';
import type { ServiceEntryObject } from '../../../model/manifest/service-entry.ts';
import type { VirtualServiceObject } from '../../../model/manifest/virtual-service.ts';
import type { DestinationSpec } from '../../../model/manifest/virtual-service-spec.ts';
import type { BuildContext } from '../../build-context.ts';
import { meantService } from './meant-service.ts';
import { destinationObject } from './route-destination.ts';
import { expandHost } from './route-hosts.ts';

/** One line for each that is wrong, with what becomes of the traffic for it. */
export function destinationNotes(context: BuildContext, { meta, spec }: VirtualServiceObject): string[] {
  const { requests, connections, copies } = destinationsOf(spec);
  const notesOf = (destinations: readonly DestinationSpec[], what: string, outcome: string) =>
    destinations.flatMap((destination) => {
      const problem = destinationProblem(context, meta.namespace, destination);
      return problem === undefined ? [] : [`${what} ${problem}: ${outcome}`];
    });
  return [
    ...notesOf(requests, 'destination', 'requests for it get 503'),
    ...notesOf(connections, 'destination', 'connections for it are closed'),
    // Clients notice nothing of copies.
    ...notesOf(copies, 'mirror', 'copies for it are not sent'),
  ];
}

function destinationProblem(
  context: BuildContext,
  namespace: string,
  { host, port, subset = '' }: DestinationSpec,
): string | undefined {
  const { store, mesh } = context;
  const hostname = expandHost(mesh, namespace, host);
  const target = destinationObject(store, mesh, namespace, hostname);
  if (target === undefined) {
    const meant = meantService(store, mesh, hostname);
    if (meant !== undefined) return `${host} is not completed (write ${meant})`;
    return `${hostname} is no service of the mesh`;
  }
  const number = port?.number ?? 0;
  if (number !== 0 && !hasPort(target, number)) return `${hostname} has no port ${number}`;
  if (subset !== '' && !hasSubset(context, hostname, subset)) {
    return `${hostname} has no subset ${subset} in any DestinationRule`;
  }
  return undefined;
}

function hasPort(target: ServiceObject | ServiceEntryObject, number: number): boolean {
  if (target.kind === 'ServiceEntry') return target.ports.some((port) => port.number === number);
  return target.ports.some((port) => port.protocol === 'TCP' && port.port === number);
}

function hasSubset({ destinationRules }: BuildContext, hostname: string, name: string): boolean {
  for (const { selectsClients, subsets } of destinationRules.of(hostname)) {
    if (!selectsClients && subsets.some((subset) => subset.name === name)) return true;
  }
  return false;
}
