/**
 * The push bench on a cluster where ambit is installed: from a pod's address at a real API server to two delta xDS clients
 * of a running control plane, with 5,000 other workloads in the model. Two times are taken: from the event that tells the
 * address, as a watch of this process sees it, and from the request that writes it, which has the API server's own work in
 * it. Writes bench/results/push-cluster.json, and takes away what it made.
 *
 * Run: NODE bench/control/push-cluster.ts KUBECONFIG      on a machine that reaches the addresses of pods.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../src/base/clock.ts';
import type { Result } from '../../src/base/result.ts';
import { KubeClient } from '../../src/kube/kube-client.ts';
import { kubeconfigFile } from '../../src/kube/kubeconfig-file.ts';
import { CONFIG_MAPS, NAMESPACES, PODS, WORKLOAD_ENTRIES } from '../../src/kube/resource-kind.ts';
import { run } from '../../test/helpers/cluster.ts';
import { FeedClient, feedRequest } from '../../test/helpers/feed-client.ts';
import { spread } from '../quantiles.ts';
import { writeResults } from '../results.ts';

const NS = 'bench-push';
const ROOT_NS = 'istio-system';
const WORKLOADS = 5000;
const SAMPLES = Number(process.env['BENCH_SAMPLES'] ?? 200);
const PROXIES = 2;
const WRITERS = 32;
/** Apart from one another, so that each is a push of its own. */
const PAUSE_MS = 15;
const ARRIVAL_LIMIT_MS = 10_000;

const [kubeconfig = ''] = process.argv.slice(2);
const client = new KubeClient(await kubeconfigFile(kubeconfig, { environment: process.env }), { clock: systemClock });

async function must<T>(answer: Promise<Result<T, Error>>): Promise<T> {
  const result = await answer;
  if (!result.ok) throw result.error;
  return result.value;
}

async function podOf(label: string) {
  const { items } = await must(client.list(PODS, { namespace: ROOT_NS, labelSelector: label }));
  const [pod] = items;
  if (pod === undefined) throw new Error(`no pod ${label} in ${ROOT_NS}: is ambit installed?`);
  return { name: pod.metadata.name, ip: (pod['status'] as { podIP?: string }).podIP ?? '' };
}

/** Workloads that are only in the model: entries of machines outside. */
async function loadWorkloads(): Promise<void> {
  let next = 0;
  const write = async () => {
    for (let number = next++; number < WORKLOADS; number = next++) {
      const metadata = { name: `vm-${number}`, namespace: NS };
      const address = `10.200.${number >> 8}.${number & 255}`;
      const spec = { address, labels: { app: `app-${number % 200}` }, serviceAccount: 'default' };
      await must(client.create(WORKLOAD_ENTRIES, NS, { metadata, spec }));
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, write));
}

/** When each pod's address was told to a watch, in milliseconds; ends with the signal. */
async function watchAddresses(signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
  const seen = new Map<string, number>();
  const { resourceVersion } = await must(client.list(PODS, { namespace: NS }));
  const options = { namespace: NS, resourceVersion, timeoutSec: 600 };
  void client.watch(
    PODS,
    options,
    ({ object }) => {
      const { podIP } = (object['status'] ?? {}) as { podIP?: string };
      const { name } = object.metadata;
      if (podIP !== undefined && !seen.has(name)) seen.set(name, performance.now());
    },
    signal,
  );
  return seen;
}

async function connectProxies(): Promise<FeedClient[]> {
  const control = await podOf('app=istiod');
  const ztunnel = await podOf('app=ztunnel');
  const config = await must(client.get(CONFIG_MAPS, ROOT_NS, 'istio-ca-root-cert'));
  const rootsPem = (config['data'] as Record<string, string>)['root-cert.pem'] ?? '';
  const bound = ['--bound-object-kind', 'Pod', '--bound-object-name', ztunnel.name];
  const args = ['create', 'token', 'ztunnel', '-n', ROOT_NS, '--audience', 'istio-ca', ...bound];
  const { stdout, stderr } = await run('kubectl', ['--kubeconfig', kubeconfig, ...args]);
  if (stdout === '') throw new Error(`no token: ${stderr}`);
  const server = { host: control.ip, port: 15012, rootsPem, serverName: 'istiod.istio-system.svc' };
  return Array.from({ length: PROXIES }, () => new FeedClient(server, stdout.trim()));
}

/** Reads until the resource of a pod has come. @returns the moment */
async function received(proxy: FeedClient, pod: string): Promise<number> {
  const limit = new AbortController();
  const late = delay(ARRIVAL_LIMIT_MS, undefined, limit).then(() => Promise.reject(new Error(`${pod} did not come`)));
  try {
    return await Promise.race([readUntil(proxy, pod), late]);
  } finally {
    limit.abort();
  }
}

async function readUntil(proxy: FeedClient, pod: string): Promise<number> {
  for (;;) {
    const { resources } = await proxy.next();
    if (resources.some(({ name }) => name.endsWith(`/Pod/${NS}/${pod}`))) return performance.now();
  }
}

interface Sample {
  readonly fromEventMs: number;
  readonly fromWriteMs: number;
}

async function arrive(number: number, proxies: readonly FeedClient[], seen: ReadonlyMap<string, number>) {
  const name = `pod-${number}`;
  // No scheduler of this name: the pod stays as the bench writes it.
  const spec = { schedulerName: 'nobody', containers: [{ name: 'main', image: 'none' }] };
  await must(client.create(PODS, NS, { metadata: { name, namespace: NS, labels: { app: 'bench' } }, spec }));
  await delay(PAUSE_MS);
  const arrivals = proxies.map((proxy) => received(proxy, name));
  const ip = `10.201.${number >> 8}.${number & 255}`;
  const startMs = performance.now();
  const body = { status: { phase: 'Running', podIP: ip, podIPs: [{ ip }] } };
  await must(client.patch(PODS, NS, name, { type: 'merge', subresource: 'status', body }));
  const atMs = await Promise.all(arrivals);
  const endMs = performance.now() + ARRIVAL_LIMIT_MS;
  while (!seen.has(name)) {
    if (performance.now() > endMs) throw new Error(`the watch did not tell of the address of ${name}`);
    await delay(1);
  }
  const eventMs = seen.get(name) ?? 0;
  return atMs.map((at): Sample => ({ fromEventMs: at - eventMs, fromWriteMs: at - startMs }));
}

const watching = new AbortController();
const proxies: FeedClient[] = [];
await must(client.create(NAMESPACES, '', { metadata: { name: NS } }));
try {
  console.log(`${WORKLOADS} workloads are written`);
  await loadWorkloads();
  proxies.push(...(await connectProxies()));
  for (const proxy of proxies) {
    proxy.stream.write(feedRequest({ resourceNamesSubscribe: ['*'] }));
    await proxy.next();
  }
  await delay(2000);
  const seen = await watchAddresses(watching.signal);
  const samples: Sample[] = [];
  for (let number = 0; number < SAMPLES; number++) {
    samples.push(...(await arrive(number, proxies, seen)));
    await delay(PAUSE_MS);
  }
  const fromEvent = spread(samples.map(({ fromEventMs }) => fromEventMs));
  const fromWrite = spread(samples.map(({ fromWriteMs }) => fromWriteMs));
  console.log({ fromEvent, fromWrite });
  writeResults('push-cluster', { workloads: WORKLOADS, samples: SAMPLES, proxies: PROXIES, fromEvent, fromWrite });
} finally {
  watching.abort();
  for (const proxy of proxies) proxy.close();
  await must(client.delete(NAMESPACES, '', NS));
  client.close();
}
