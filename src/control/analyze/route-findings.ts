/** VirtualServices and DestinationRules that contradict each other, or leave open what has to be said. */

import type { ObjectStore } from '../../manifests/object-store.ts';
import type { DestinationRuleObject } from '../../model/manifest/destination-rule.ts';
import { keyOf } from '../../model/manifest/manifest-object.ts';
import { selectorMatches } from '../../model/manifest/object-meta.ts';
import type { VirtualServiceObject } from '../../model/manifest/virtual-service.ts';
import { TlsMode } from '../../proto/gen/ambit.ts';
import { destinationObject } from '../l7/virtual-service/route-destination.ts';
import { expandHost } from '../l7/virtual-service/route-hosts.ts';
import { DEFAULT_MESH_OPTIONS } from '../mesh-options.ts';
import type { Finding, FindingCode } from './finding.ts';
import { labelsText } from './selector-findings.ts';

const MESH = DEFAULT_MESH_OPTIONS;

export function routeFindings(store: ObjectStore): Finding[] {
  return [
    ...sharedHosts(store),
    ...[...store.all('VirtualService')].flatMap((object) => portlessDestinations(store, object)),
    ...[...store.all('DestinationRule')].flatMap((rule) => [...emptySubsets(store, rule), ...unverified(rule)]),
  ];
}

/** For all of the mesh only one of them holds. */
function sharedHosts(store: ObjectStore): Finding[] {
  const byHost = new Map<string, VirtualServiceObject[]>();
  for (const object of store.all('VirtualService')) {
    const { hosts = [], gateways = ['mesh'], exportTo = [] } = object.spec;
    const isForAll = exportTo.length === 0 || exportTo.includes('*');
    if (!gateways.includes('mesh') || !isForAll) continue;
    for (const host of hosts) {
      const name = expandHost(MESH, object.meta.namespace, host);
      byHost.set(name, [...(byHost.get(name) ?? []), object]);
    }
  }
  return [...byHost].flatMap(([host, objects]) => {
    if (objects.length < 2) return [];
    const names = objects.map(({ meta }) => `${meta.namespace}/${meta.name}`).join(', ');
    const message = `host ${host} has several VirtualServices in the mesh: ${names}; which of them holds is left to chance, so merge them`;
    return objects.map((object) => ({ code: 'IST0109', level: 'Error' as const, key: keyOf(object), message }));
  });
}

function portlessDestinations(store: ObjectStore, object: VirtualServiceObject): Finding[] {
  const { http = [], tls = [], tcp = [] } = object.spec;
  const routes = [...http, ...tls, ...tcp].flatMap(({ route = [] }) => route);
  const open = routes.flatMap(({ destination }) => {
    if (destination === undefined || destination.port?.number !== undefined) return [];
    const { namespace } = object.meta;
    const target = destinationObject(store, MESH, namespace, expandHost(MESH, namespace, destination.host));
    return target !== undefined && target.ports.length > 1 ? [{ host: destination.host, ports: target.ports }] : [];
  });
  return open.map(({ host, ports }) => {
    const numbers = ports.map((port) => ('port' in port ? port.port : port.number)).join(', ');
    const message = `destination ${host} has several ports (${numbers}): say which, at destination.port`;
    return { code: 'IST0112', level: 'Error', key: keyOf(object), message };
  });
}

function emptySubsets(store: ObjectStore, rule: DestinationRuleObject): Finding[] {
  const { namespace } = rule.meta;
  const target = destinationObject(store, MESH, namespace, expandHost(MESH, namespace, rule.host));
  const selector = target?.kind === 'Service' ? target.selector : undefined;
  if (target === undefined || selector === undefined) return [];
  const pods = [...store.inNamespace('Pod', target.meta.namespace)].filter(({ meta }) =>
    selectorMatches(selector, meta.labels),
  );
  return rule.subsets
    .filter(({ labels }) => labels.size > 0 && !pods.some(({ meta }) => selectorMatches(labels, meta.labels)))
    .map(({ name, labels }) => ({
      code: 'IST0173',
      level: 'Error',
      key: keyOf(rule),
      message: `subset ${name} (${labelsText(labels)}) of ${rule.host} chooses no pod`,
    }));
}

function unverified(rule: DestinationRuleObject): Finding[] {
  const policies = [rule.trafficPolicy, ...rule.subsets.map(({ trafficPolicy }) => trafficPolicy)];
  return policies.flatMap((policy) => {
    if (policy === undefined) return [];
    const own = isUnverified(policy.tls) ? [finding(rule, 'IST0128', '')] : [];
    const ofPorts = [...policy.ports].filter(([, { tls }]) => isUnverified(tls));
    return [...own, ...ofPorts.map(([port]) => finding(rule, 'IST0129', ` at port ${port}`))];
  });
}

function isUnverified(tls: { readonly insecureSkipVerify: boolean; readonly mode: TlsMode } | undefined): boolean {
  return tls !== undefined && tls.mode !== TlsMode.DISABLE && tls.insecureSkipVerify;
}

function finding(rule: DestinationRuleObject, code: FindingCode, place: string): Finding {
  const message = `TLS to ${rule.host}${place} does not verify the server's certificate: insecureSkipVerify is set`;
  return { code, level: 'Warning', key: keyOf(rule), message };
}
