/**
 * The API server of the benches, in a process of its own so that it takes nothing from what is measured. It is told over
 * IPC: `load` fills it, `announce` lets pods be there that have no address yet, and `churn` gives them their addresses, so many a
 * second whatever the mesh makes of it; it answers with the moment at which the first one was due.
 */
import { writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { NAMESPACES, PODS, SECRETS, SERVICES } from '../../src/kube/resource-kind.ts';
import { FakeKubeApi } from '../../test/helpers/fake-kube-api.ts';
import { addressOf, realisticPod } from './realistic-pod.ts';

export type ApiCommand =
  | { readonly kind: 'load'; readonly pods: number; readonly services: number }
  | { readonly kind: 'announce'; readonly first: number; readonly count: number }
  | { readonly kind: 'churn'; readonly first: number; readonly count: number; readonly perSecond: number }
  | { readonly kind: 'roots' };
export type ApiReply =
  | { readonly kind: 'loaded' }
  /** Of the machine's monotonic clock, in nanoseconds. */
  | { readonly kind: 'churned'; readonly startNs: string }
  | { readonly kind: 'roots'; readonly pem: string };

/** So that those who wait for the changes are ready. */
const LEAD_MS = 200;

const api = await FakeKubeApi.start();
api.tokens.set('zt', { username: 'system:serviceaccount:istio-system:ztunnel' });
const { server, caPem = '' } = api.config;
const cluster = { server, 'certificate-authority-data': Buffer.from(caPem).toString('base64') };
writeFileSync(
  process.argv[2] ?? '',
  JSON.stringify({
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    clusters: [{ name: 'c', cluster }],
    users: [{ name: 'u', user: { token: 'api-token' } }],
  }),
);

function load(pods: number, services: number): void {
  for (const name of ['istio-system', ...Array.from({ length: 20 }, (_, index) => `ns-${index}`)]) {
    api.put(NAMESPACES, { metadata: { name } });
  }
  for (let number = 0; number < services; number++) {
    api.put(SERVICES, {
      metadata: { name: `app-${number}`, namespace: `ns-${number % 20}` },
      spec: {
        clusterIP: `10.96.${number >> 8}.${number & 255}`,
        selector: { app: `app-${number}` },
        ports: [{ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' }],
      },
    });
  }
  for (let number = 0; number < pods; number++) api.put(PODS, realisticPod(number, addressOf(number)));
}

/** Each change at its time; what is late is made up for at once. */
async function churn(first: number, count: number, perSecond: number): Promise<ApiReply> {
  await delay(LEAD_MS);
  const startNs = process.hrtime.bigint();
  for (let made = 0; made < count; ) {
    const elapsedSec = Number(process.hrtime.bigint() - startNs) / 1e9;
    const due = Math.min(count, Math.floor(elapsedSec * perSecond) + 1);
    for (; made < due; made++) api.put(PODS, realisticPod(first + made, addressOf(first + made)));
    await delay(1);
  }
  return { kind: 'churned', startNs: String(startNs) };
}

async function answer(command: ApiCommand): Promise<ApiReply> {
  switch (command.kind) {
    case 'load':
      load(command.pods, command.services);
      return { kind: 'loaded' };
    case 'roots': {
      const secret = api.get(SECRETS, 'istio-system', 'istio-ca-secret')?.['data'] as
        | Record<string, string>
        | undefined;
      return { kind: 'roots', pem: Buffer.from(secret?.['root-cert.pem'] ?? '', 'base64').toString() };
    }
    case 'announce':
      for (let number = command.first; number < command.first + command.count; number++) {
        api.put(PODS, realisticPod(number, ''));
      }
      return { kind: 'loaded' };
    case 'churn':
      return churn(command.first, command.count, command.perSecond);
  }
}

// Nobody is left to ask.
process.on('disconnect', () => process.exit());
process.on('message', async (command: ApiCommand) => process.send?.(await answer(command)));
process.send?.({ kind: 'loaded' });
