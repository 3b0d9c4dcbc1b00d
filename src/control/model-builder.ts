/**
 * Objects to the resources of the feed, incrementally: a change rebuilds what depends on it and nothing else.
 *
 * Invariants:
 * - What the stores hold depends only on the objects in force, not on the order in which they came.
 * - Policies are in place before the workloads that list them: a proxy skips a key it does not know.
 * - Two objects may claim one resource name (a Service and a ServiceEntry of one host); the better claim is served.
 */
import { createHash } from 'node:crypto';
import type { ObjectChange, ObjectStore } from '../manifests/object-store.ts';
import {
  ADDRESS_TYPE_URL,
  AUTHORIZATION_TYPE_URL,
  encodeAuthorization,
  encodeService,
  encodeWorkload,
  type ServiceHints,
  WORKLOAD_TYPE_URL,
} from '../model/feed-encode.ts';
import { networkAddressKey } from '../model/gateway-address.ts';
import { isWaypoint } from '../model/manifest/gateway.ts';
import type { ManifestObject } from '../model/manifest/manifest-object.ts';
import type { Labels } from '../model/manifest/object-meta.ts';
import { type AuthorizationPolicy, policyKey } from '../model/policy.ts';
import { type Service, serviceKey } from '../model/service.ts';
import {
  AUTHORIZATION_PROVIDER_TYPE,
  CREDENTIAL_TYPE,
  SERVICE_ROUTES_TYPE,
  TRAFFIC_POLICIES_TYPE,
  WAYPOINT_POLICY_TYPE,
  WAYPOINT_TYPES,
  type WaypointType,
  WORKLOAD_LABELS_TYPE,
} from '../model/waypoint-feed.ts';
import type { Workload } from '../model/workload.ts';
import { Authorization } from '../proto/gen/authorization.ts';
import { Address, Workload as WorkloadProto } from '../proto/gen/workload.ts';
import { ResourceStore } from '../xds/server/resource-store.ts';
import type { StoredResource } from '../xds/server/stored-resource.ts';
import { collectAffected } from './affected-objects.ts';
import type { BuildContext } from './build-context.ts';
import { meshConfigNote } from './folder-mesh.ts';
import { collectAffectedByRules } from './l7/affected-by-rules.ts';
import { addAffectedRemarks } from './l7/affected-remarks.ts';
import { CredentialStores } from './l7/credentials/credential-stores.ts';
import { waypointCredentials } from './l7/credentials/waypoint-credentials.ts';
import { DestinationRules } from './l7/destination-rules.ts';
import { routeNote } from './l7/route-conditions.ts';
import { ruleNote } from './l7/rule-targets.ts';
import { telemetryNote } from './l7/telemetry-notes.ts';
import { virtualServiceNote } from './l7/virtual-service/virtual-service-notes.ts';
import {
  meshResources,
  policyResources,
  serviceResources,
  telemetryResources,
  type WaypointResource,
  workloadResources,
} from './l7/waypoint-resources.ts';
import type { MeshOptions } from './mesh-options.ts';
import { isNamespaceStrict } from './policy-binding.ts';
import { buildAuthorization, buildPeerAuthentication, staticStrictPolicy } from './policy-builder.ts';
import { policyNote } from './policy-notes.ts';
import { buildService, buildServiceEntry } from './service-builder.ts';
import { ServiceVips } from './service-vips.ts';
import {
  buildPodWorkload,
  buildServiceEntryWorkloads,
  buildSliceWorkloads,
  buildWorkloadEntry,
} from './workload-builder.ts';

/** One resource made from an object. */
type Output =
  | { readonly kind: 'workload'; readonly name: string; readonly workload: Workload }
  | { readonly kind: 'service'; readonly name: string; readonly service: Service; readonly hints: ServiceHints }
  | { readonly kind: 'policy'; readonly name: string; readonly policy: AuthorizationPolicy }
  | { readonly kind: 'for-waypoints'; readonly name: string; readonly resource: WaypointResource };

interface Claim {
  readonly sourceKey: string;
  readonly output: Output;
}

const NO_LABELS: Labels = new Map();
const STATIC_KEY = 'static';
/** What comes from MeshConfig. */
const MESH_KEY = 'mesh';
/** What comes from Secrets. */
const CREDENTIALS_KEY = 'credentials';
/** Names of policies and addresses live in different stores. */
const POLICY_PREFIX = 'policy ';
const WAYPOINT_PREFIX = 'waypoint ';

/** What the resources of a type refer to. */
const FOLLOWS: ReadonlyMap<WaypointType, readonly string[]> = new Map([
  [WAYPOINT_POLICY_TYPE, [AUTHORIZATION_PROVIDER_TYPE]],
  [TRAFFIC_POLICIES_TYPE, [WORKLOAD_LABELS_TYPE, CREDENTIAL_TYPE]],
  [SERVICE_ROUTES_TYPE, [ADDRESS_TYPE_URL, WORKLOAD_LABELS_TYPE, TRAFFIC_POLICIES_TYPE]],
]);

export class ModelBuilder {
  readonly addresses = new ResourceStore(ADDRESS_TYPE_URL);
  /** For clients that know no addresses. ztunnel does, so it is empty until somebody asks. */
  readonly workloads = new ResourceStore(WORKLOAD_TYPE_URL, [], () => this.#allWorkloads());
  readonly authorizations = new ResourceStore(AUTHORIZATION_TYPE_URL);
  /** What is for waypoints alone. */
  readonly waypointStores: ReadonlyMap<WaypointType, ResourceStore> = new Map(
    WAYPOINT_TYPES.map((typeUrl) => [typeUrl, new ResourceStore(typeUrl, FOLLOWS.get(typeUrl))]),
  );
  /** Of these, each stream sees its own. */
  readonly credentials: CredentialStores;
  #wantedSecrets: ReadonlySet<string> = new Set();
  #onWantedSecrets: (names: ReadonlySet<string>) => void = () => undefined;
  #context: BuildContext;
  readonly #outputsOf = new Map<string, readonly Output[]>();
  readonly #claims = new Map<string, Claim[]>();
  readonly #notes = new Map<string, string>();
  readonly #unsubscribe: () => void;

  /** Builds everything that is in the store and follows it from then on. */
  constructor(store: ObjectStore, mesh: MeshOptions) {
    this.#context = { store, mesh, vips: new ServiceVips(), destinationRules: rulesOf(store, mesh) };
    this.credentials = new CredentialStores((namespace, account) => {
      const gateway = store.get('Gateway', namespace, account);
      return gateway !== undefined && isWaypoint(gateway);
    });
    const changes: ObjectChange[] = [];
    for (const key of store.keys()) changes.push({ key, before: undefined, after: store.getByKey(key) });
    for (const change of changes) this.#context.vips.note(change.key, undefined, change.after);
    this.#rebuild(this.#everything());
    this.#unsubscribe = store.subscribe((next) => this.#onChanges(next));
  }

  /** Remarks on objects that are in force, by object key. */
  get notes(): ReadonlyMap<string, string> {
    return this.#notes;
  }

  /** Takes other options of the mesh: everything is built again, and what differs is published. */
  setMesh(mesh: MeshOptions): void {
    this.#context = { ...this.#context, mesh, destinationRules: rulesOf(this.#context.store, mesh) };
    this.#rebuild(this.#everything());
  }

  /** Tells which Secrets are to be read, `<namespace>/<name>`: now, and whenever that changes. */
  followWantedSecrets(listener: (names: ReadonlySet<string>) => void): void {
    this.#onWantedSecrets = listener;
    listener(this.#wantedSecrets);
  }

  stop(): void {
    this.#onWantedSecrets = () => undefined;
    this.#unsubscribe();
  }

  #onChanges(changes: readonly ObjectChange[]): void {
    const { store, mesh, vips, destinationRules } = this.#context;
    let affected = new Set<string>();
    let partial = true;
    for (const { before, after } of changes) destinationRules.note(before, after);
    for (const change of changes) {
      collectAffectedByRules(this.#context, change, affected);
      for (const loser of vips.note(change.key, change.before, change.after)) affected.add(loser);
      partial = collectAffected(store, mesh, change, affected) && partial;
      if (change.before?.kind === 'PeerAuthentication' || change.after?.kind === 'PeerAuthentication') {
        affected.add(STATIC_KEY);
      }
      if (concernsCredentials(change)) affected.add(CREDENTIALS_KEY);
    }
    if (partial) addAffectedRemarks(this.#context, affected);
    else affected = new Set([...affected, ...this.#everything()]);
    this.#rebuild(affected);
  }

  #everything(): Set<string> {
    return new Set([...this.#context.store.keys(), STATIC_KEY, MESH_KEY, CREDENTIALS_KEY]);
  }

  #rebuild(sourceKeys: ReadonlySet<string>): void {
    if (sourceKeys.has(CREDENTIALS_KEY)) this.#updateCredentials();
    const touched = new Set<string>();
    for (const sourceKey of sourceKeys) this.#replaceOutputs(sourceKey, this.#build(sourceKey), touched);
    this.#publish(touched);
  }

  #updateCredentials(): void {
    const { byNamespace, wanted } = waypointCredentials(this.#context);
    this.credentials.update(byNamespace);
    this.#wantedSecrets = wanted;
    this.#onWantedSecrets(wanted);
  }

  #replaceOutputs(sourceKey: string, outputs: readonly Output[], touched: Set<string>): void {
    for (const output of this.#outputsOf.get(sourceKey) ?? []) {
      const name = claimName(output);
      touched.add(name);
      const others = (this.#claims.get(name) ?? []).filter((claim) => claim.sourceKey !== sourceKey);
      if (others.length === 0) this.#claims.delete(name);
      else this.#claims.set(name, others);
    }
    if (outputs.length === 0) this.#outputsOf.delete(sourceKey);
    else this.#outputsOf.set(sourceKey, outputs);
    for (const output of outputs) {
      const name = claimName(output);
      touched.add(name);
      const claims = [...(this.#claims.get(name) ?? []), { sourceKey, output }];
      this.#claims.set(name, claims.length === 1 ? claims : claims.sort(byStrength));
    }
  }

  #publish(touched: ReadonlySet<string>): void {
    const addresses = new Batch();
    const workloads = new Batch();
    const authorizations = new Batch();
    const forWaypoints = new Map(WAYPOINT_TYPES.map((typeUrl) => [typeUrl, new Batch()]));
    for (const claimedName of touched) {
      const output = this.#claims.get(claimedName)?.[0]?.output;
      if (claimedName.startsWith(POLICY_PREFIX)) {
        if (output?.kind === 'policy') authorizations.upserts.push(policyResource(output.policy));
        else authorizations.removals.push(claimedName.slice(POLICY_PREFIX.length));
        continue;
      }
      if (claimedName.startsWith(WAYPOINT_PREFIX)) {
        const [, typeUrl = '', name = ''] = claimedName.split(' ');
        const batch = forWaypoints.get(typeUrl as WaypointType);
        if (output?.kind === 'for-waypoints') batch?.upserts.push(waypointResource(output.resource));
        else batch?.removals.push(name);
        continue;
      }
      if (output?.kind !== 'workload') workloads.removals.push(claimedName);
      if (output === undefined || output.kind === 'policy' || output.kind === 'for-waypoints')
        addresses.removals.push(claimedName);
      else if (output.kind === 'service') addresses.upserts.push(serviceResource(output.service, output.hints));
      else {
        addresses.upserts.push(workloadResource(output.workload, 'address'));
        workloads.upserts.push(...this.#wantedWorkload(output.workload));
      }
    }
    // What others refer to comes before them and goes after them: policies, subsets, the services of routes.
    const routes = forWaypoints.get(SERVICE_ROUTES_TYPE) ?? new Batch();
    const referredTo = [...forWaypoints].filter(([, batch]) => batch !== routes);
    this.authorizations.update(authorizations.upserts);
    for (const [typeUrl, { upserts }] of referredTo) this.waypointStores.get(typeUrl)?.update(upserts);
    this.addresses.update(addresses.upserts, addresses.removals);
    this.workloads.update(workloads.upserts, workloads.removals);
    this.waypointStores.get(SERVICE_ROUTES_TYPE)?.update(routes.upserts, routes.removals);
    for (const [typeUrl, { removals }] of referredTo.reverse()) this.waypointStores.get(typeUrl)?.update([], removals);
    this.authorizations.update([], authorizations.removals);
  }

  #allWorkloads(): StoredResource[] {
    const outputs = [...this.#claims.values()].map(([strongest]) => strongest?.output);
    return outputs.flatMap((output) =>
      output?.kind === 'workload' ? [workloadResource(output.workload, 'workload')] : [],
    );
  }

  #wantedWorkload(workload: Workload): StoredResource[] {
    return this.workloads.isWanted ? [workloadResource(workload, 'workload')] : [];
  }

  #build(sourceKey: string): readonly Output[] {
    this.#notes.delete(sourceKey);
    const { store, mesh } = this.#context;
    if (sourceKey === STATIC_KEY) {
      for (const _any of store.all('PeerAuthentication')) return [policyOutput(staticStrictPolicy(mesh))];
      return [];
    }
    if (sourceKey === MESH_KEY) return waypointOutputs(meshResources(mesh));
    const object = store.getByKey(sourceKey);
    return object === undefined ? [] : this.#buildObject(sourceKey, object);
  }

  #buildObject(sourceKey: string, object: ManifestObject): readonly Output[] {
    const context = this.#context;
    switch (object.kind) {
      case 'Pod': {
        const built = buildPodWorkload(context, object);
        this.#note(sourceKey, built?.note);
        return built === undefined ? [] : this.#workload(built.workload, object.meta.labels);
      }
      case 'WorkloadEntry': {
        const built = buildWorkloadEntry(context, object);
        this.#note(sourceKey, built.note);
        return this.#workload(built.workload, new Map([...object.endpoint.labels, ...object.meta.labels]));
      }
      case 'Service': {
        const built = buildService(context, object);
        this.#note(sourceKey, built?.note);
        return built === undefined ? [] : this.#service(built.service, built.hints);
      }
      case 'ServiceEntry': {
        const built = buildServiceEntry(context, object);
        this.#note(sourceKey, built[0]?.note);
        const endpoints = buildServiceEntryWorkloads(context, object).flatMap((workload, index) =>
          this.#workload(workload, object.endpoints[index]?.labels ?? NO_LABELS),
        );
        return [...built.flatMap(({ service, hints }) => this.#service(service, hints)), ...endpoints];
      }
      case 'EndpointSlice':
        return buildSliceWorkloads(context, object).map(workloadOutput);
      case 'AuthorizationPolicy': {
        const policy = buildAuthorization(object, context.mesh);
        this.#note(sourceKey, policyNote(context.store, context.mesh, object));
        const outputs = policy === undefined ? [] : [policyOutput(policy)];
        return [...outputs, ...waypointOutputs(policyResources(object, context.mesh))];
      }
      case 'RequestAuthentication':
        this.#note(sourceKey, policyNote(context.store, context.mesh, object));
        return waypointOutputs(policyResources(object, context.mesh));
      case 'Telemetry':
        this.#note(sourceKey, telemetryNote(context, object));
        return waypointOutputs(telemetryResources(context, object));
      case 'PeerAuthentication': {
        if (object.selector === undefined || object.meta.namespace === context.mesh.rootNamespace) return [];
        const inherited = isNamespaceStrict(context.store, context.mesh, object.meta.namespace);
        const policy = buildPeerAuthentication(object, inherited);
        return policy === undefined ? [] : [policyOutput(policy)];
      }
      case 'HTTPRoute':
      case 'GRPCRoute':
      case 'TCPRoute':
      case 'TLSRoute':
        this.#note(sourceKey, routeNote(context, object));
        return [];
      case 'VirtualService':
        this.#note(sourceKey, virtualServiceNote(context, object));
        return [];
      case 'ConfigMap':
        this.#note(sourceKey, meshConfigNote(object, context.mesh));
        return [];
      case 'DestinationRule':
        this.#note(sourceKey, ruleNote(context, object));
        return [];
      default:
        return [];
    }
  }

  #service(service: Service, hints: ServiceHints): readonly Output[] {
    return [
      serviceOutput(service, hints),
      ...waypointOutputs(serviceResources(this.#context, service, hints.grpcWebPorts)),
    ];
  }

  #workload(workload: Workload, labels: Labels): readonly Output[] {
    return [workloadOutput(workload), ...waypointOutputs(workloadResources(this.#context, workload, labels))];
  }

  #note(sourceKey: string, note: string | undefined): void {
    if (note !== undefined) this.#notes.set(sourceKey, note);
  }
}

function rulesOf(store: ObjectStore, { clusterDomain }: MeshOptions): DestinationRules {
  const rules = new DestinationRules(clusterDomain);
  for (const rule of store.all('DestinationRule')) rules.note(undefined, rule);
  return rules;
}

/** Gateways have everything built again. */
function concernsCredentials({ before, after }: ObjectChange): boolean {
  return [before, after].some(
    (object) =>
      object?.kind === 'Secret' ||
      object?.kind === 'ReferenceGrant' ||
      (object?.kind === 'DestinationRule' && object.credentials.length > 0),
  );
}

class Batch {
  readonly upserts: StoredResource[] = [];
  readonly removals: string[] = [];
}

function workloadOutput(workload: Workload): Output {
  return { kind: 'workload', name: workload.uid, workload };
}

function serviceOutput(service: Service, hints: ServiceHints): Output {
  return { kind: 'service', name: serviceKey(service), service, hints };
}

function policyOutput(policy: AuthorizationPolicy): Output {
  return { kind: 'policy', name: policyKey(policy), policy };
}

function waypointOutputs(resources: readonly WaypointResource[]): Output[] {
  return resources.map((resource) => ({
    kind: 'for-waypoints',
    name: `${resource.typeUrl} ${resource.name}`,
    resource,
  }));
}

function claimName(output: Output): string {
  if (output.kind === 'for-waypoints') return WAYPOINT_PREFIX + output.name;
  return output.kind === 'policy' ? POLICY_PREFIX + output.name : output.name;
}

/** Kubernetes Services before ServiceEntries, then by key. */
function byStrength(a: Claim, b: Claim): number {
  const strength = (claim: Claim) => (claim.output.kind === 'service' && claim.output.service.canonical ? 0 : 1);
  return strength(a) - strength(b) || (a.sourceKey < b.sourceKey ? -1 : 1);
}

function workloadResource(workload: Workload, as: 'address' | 'workload'): StoredResource {
  const encoded = encodeWorkload(workload);
  const bytes =
    as === 'workload'
      ? WorkloadProto.encode(encoded).finish()
      : Address.encode({ type: { $case: 'workload', workload: encoded } }).finish();
  // Addresses of the host network belong to the node, not to the workload.
  const aliased = workload.networkMode === 'HostNetwork' ? [] : workload.addresses;
  return {
    ...hashed(workload.uid, bytes),
    aliases: aliased.map((ip) => networkAddressKey(workload.network, ip)),
    groups: [...workload.services.keys()],
  };
}

function serviceResource(service: Service, hints: ServiceHints): StoredResource {
  const bytes = Address.encode({ type: { $case: 'service', service: encodeService(service, hints) } }).finish();
  return {
    ...hashed(serviceKey(service), bytes),
    aliases: service.vips.map((vip) => networkAddressKey(vip.network, vip.address)),
    groups: [],
  };
}

function policyResource(policy: AuthorizationPolicy): StoredResource {
  const value = Buffer.from(Authorization.encode(encodeAuthorization(policy)).finish());
  // Policies carry no version and are all sent again after a reconnect (facts ztunnel-wire 5.4).
  return { name: policyKey(policy), version: '', value, aliases: [], groups: [] };
}

function waypointResource({ name, bytes }: WaypointResource): StoredResource {
  return { ...hashed(name, bytes), aliases: [], groups: [] };
}

function hashed(name: string, bytes: Uint8Array): { name: string; version: string; value: Buffer } {
  const value = Buffer.from(bytes);
  return { name, version: createHash('sha1').update(value).digest('base64url'), value };
}
