/** The feed of a control plane: a workload as a resource, responses as they go to a proxy, and what the proxy makes of them. */
import assert from 'node:assert/strict';
import type { IpAddress } from '../../../src/model/address.ts';
import { decodeAddress } from '../../../src/model/feed-decode.ts';
import { ADDRESS_TYPE_URL, encodeWorkload } from '../../../src/model/feed-encode.ts';
import { createWorkload, type Workload } from '../../../src/model/workload.ts';
import { DeltaDiscoveryResponse } from '../../../src/proto/gen/discovery.ts';
import { Address } from '../../../src/proto/gen/workload.ts';
import { encodeResponse } from '../../../src/xds/server/encoded-resource.ts';
import { ResourceStore } from '../../../src/xds/server/resource-store.ts';
import { TypeSubscription } from '../../../src/xds/server/type-subscription.ts';
import { inTurns, type MicroBench } from '../suite.ts';

const MANY = 1000;
/** Of one response. */
const MAX_BYTES = 160 * 1024 * 1024;

function workload(index: number): Workload {
  const service = `app-${index % 50}`;
  return createWorkload({
    uid: `Kubernetes//Pod/shop/${service}-7d4b9c5f6-${index}`,
    name: `${service}-7d4b9c5f6-${index}`,
    namespace: 'shop',
    addresses: [`10.${index >> 16}.${(index >> 8) & 255}.${index & 255}` as IpAddress],
    protocol: 'HBONE',
    serviceAccount: service,
    node: `node-${index % 30}`,
    canonicalName: service,
    canonicalRevision: 'v1',
    workloadName: service,
    clusterId: 'Kubernetes',
    services: new Map([[`shop/${service}.shop.svc.cluster.local`, new Map([[80, 8080]])]]),
    authorizationPolicies: [`shop/${service}`],
  });
}

function addressOf(one: Workload): Uint8Array {
  return Address.encode({ type: { $case: 'workload', workload: encodeWorkload(one) } }).finish();
}

/** A store as the model keeps it, and a proxy's subscription to all of it. */
function subscribed(workloads: readonly Workload[]): TypeSubscription {
  const store = new ResourceStore(ADDRESS_TYPE_URL);
  const resources = workloads.map((one) => ({ name: one.uid, value: Buffer.from(addressOf(one)) }));
  store.update(resources.map((resource) => ({ ...resource, version: 'v', aliases: [], groups: [] })));
  const subscription = new TypeSubscription(store);
  subscription.apply({
    node: undefined,
    typeUrl: ADDRESS_TYPE_URL,
    resourceNamesSubscribe: ['*'],
    resourceNamesUnsubscribe: [],
    initialResourceVersions: new Map(),
    responseNonce: '',
    errorDetail: undefined,
  });
  return subscription;
}

/** What is due, as gRPC sends it. */
function respond(subscription: TypeSubscription): Uint8Array {
  const batch = subscription.take(MAX_BYTES);
  return encodeResponse(ADDRESS_TYPE_URL, '1', batch?.resources ?? [], batch?.removed ?? []);
}

function readAll(bytes: Uint8Array): number {
  let accepted = 0;
  for (const { resource } of DeltaDiscoveryResponse.decode(bytes).resources)
    if (resource !== undefined && decodeAddress(resource.value).ok) accepted += 1;
  return accepted;
}

function pushes(count: number): readonly MicroBench[] {
  const workloads = Array.from({ length: count }, (_, index) => workload(index));
  const subscription = subscribed(workloads);
  const bytes = respond(subscription);
  assert.equal(readAll(bytes), count);
  const changes = workloads.map(({ uid }) => ({ name: uid, keys: [uid] }));
  const push = () => {
    subscription.noteChanges(changes);
    return respond(subscription);
  };
  assert.equal(readAll(push()), count);
  const what = count === 1 ? 'a workload' : `${count.toLocaleString('en')} workloads`;
  return [
    { name: `response with ${what} that changed`, run: push },
    { name: `reading a response with ${what}`, run: () => readAll(bytes) },
  ];
}

export function benches(): readonly MicroBench[] {
  const next = inTurns(Array.from({ length: 64 }, (_, index) => workload(index)));
  const encode = { name: 'a workload to its bytes', run: () => addressOf(next()) };
  return [encode, ...pushes(1), ...pushes(MANY)];
}
