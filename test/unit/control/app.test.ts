import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { credentials, status as grpcStatus, Metadata } from '@grpc/grpc-js';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { type RunningControl, startControl } from '../../../src/control/app.ts';
import { AUTHORIZATION_TYPE_URL } from '../../../src/model/feed-encode.ts';
import { createCsr } from '../../../src/pki/csr.ts';
import { IstioCertificateServiceClient } from '../../../src/proto/gen/ca.ts';
import type { DeltaDiscoveryResponse } from '../../../src/proto/gen/discovery.ts';
import { Address } from '../../../src/proto/gen/workload.ts';
import { FeedClient, feedRequest } from '../../helpers/feed-client.ts';
import { authorizationPolicy, document, pod, service } from '../../helpers/manifests.ts';
import { createTestTokenIssuer, testSpiffeId } from '../../helpers/test-ca.ts';

const tokens = createTestTokenIssuer();
let root = '';
let config = '';
let control: RunningControl;

const webPod = pod({ name: 'web', ip: '10.244.0.1', uid: 'u-web' });
const policy = authorizationPolicy('web-only', {
  selector: { matchLabels: { app: 'web' } },
  rules: [{ from: [{ source: { principals: ['cluster.local/ns/demo/sa/client'] } }] }],
});

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'ambit-control-'));
  config = join(root, 'config');
  await mkdir(config);
  await writeFile(join(root, 'keys.pem'), tokens.publicKeyPem);
  await writeFile(join(config, 'web.yaml'), document(webPod) + document(service('web')));
  await writeFile(join(config, 'policy.yaml'), document(policy));
  control = await startControl(
    {
      configFolders: [config],
      host: '127.0.0.1',
      grpcPort: 0,
      httpPort: 0,
      caDirectory: join(root, 'ca'),
      tokenKeyFile: join(root, 'keys.pem'),
      trustNodeOfToken: true,
      statusFile: join(root, 'status.json'),
      rescanMs: 200,
    },
    { clock: systemClock, logger: silentLogger },
  );
});

after(async () => {
  await control?.stop(0);
  await rm(root, { recursive: true, force: true });
});

function channel(): [string, ReturnType<typeof credentials.createSsl>] {
  return [`localhost:${control.addresses.grpcPort}`, credentials.createSsl(Buffer.from(control.rootsPem()))];
}

function bearer(token: string): Metadata {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  return metadata;
}

const feedClient = (token: string) =>
  new FeedClient({ port: control.addresses.grpcPort, rootsPem: control.rootsPem() }, token);

function names(response: DeltaDiscoveryResponse): string[] {
  return response.resources.map((resource) => resource.name).sort();
}

async function writeManifest(name: string, text: string): Promise<void> {
  await writeFile(join(root, 'draft'), text);
  await rename(join(root, 'draft'), join(config, name));
}

async function eventually(check: () => void | Promise<void>): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await check();
    } catch (error) {
      if (attempt === 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

interface StatusFile {
  refused: { object: string; position: string; reason: string; field: string }[];
  accepted: { object: string; stale?: boolean }[];
}

async function statusFile(): Promise<StatusFile> {
  return JSON.parse(await readFile(join(root, 'status.json'), 'utf8')) as StatusFile;
}

function createCertificate(token: string, impersonated: string | undefined, validitySec = 0): Promise<string[]> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const [target, creds] = channel();
  const client = new IstioCertificateServiceClient(target, creds);
  const metadata = impersonated === undefined ? undefined : { ImpersonatedIdentity: impersonated };
  const body = {
    csr: createCsr(privateKey, impersonated ?? 'spiffe://x/ns/a/sa/b'),
    validityDuration: validitySec,
    metadata,
  };
  return new Promise((resolve, reject) => {
    client.createCertificate(body, bearer(token), (error, response) => {
      client.close();
      if (error === null) resolve(response.certChain);
      else reject(error);
    });
  });
}

describe('the control plane over a folder', { timeout: 60_000 }, () => {
  test('sends everything, then only what changed, then what was removed', async () => {
    const feed = feedClient(await tokens.token({ node: 'node-a' }));
    feed.stream.write(feedRequest({}));
    feed.stream.write(feedRequest({ typeUrl: AUTHORIZATION_TYPE_URL }));
    const first = await feed.next();
    assert.deepEqual(names(first), ['Kubernetes//Pod/demo/web', 'demo/web.demo.svc.cluster.local']);
    assert.deepEqual(names(await feed.next(AUTHORIZATION_TYPE_URL)), ['demo/web-only']);
    const workload = Address.decode(first.resources.find((resource) => resource.name.includes('//'))!.resource!.value);
    assert.equal(
      workload.type?.$case === 'workload' && workload.type.workload.authorizationPolicies[0],
      'demo/web-only',
    );

    await writeManifest('client.yaml', document(pod({ name: 'client', ip: '10.244.0.2' })));
    const added = await feed.next();
    assert.deepEqual(names(added), ['Kubernetes//Pod/demo/client']);
    assert.deepEqual(added.removedResources, []);

    await rm(join(config, 'client.yaml'));
    const removed = await feed.next();
    assert.deepEqual(names(removed), []);
    assert.deepEqual(removed.removedResources, ['Kubernetes//Pod/demo/client']);
    feed.close();
  });

  test('keeps the last good version of a broken file and names file, line and column', async () => {
    const feed = feedClient(await tokens.token({ node: 'node-a' }));
    feed.stream.write(feedRequest({ typeUrl: AUTHORIZATION_TYPE_URL }));
    assert.deepEqual(names(await feed.next(AUTHORIZATION_TYPE_URL)), ['demo/web-only']);
    await writeManifest(
      'policy.yaml',
      [
        'apiVersion: security.istio.io/v1',
        'kind: AuthorizationPolicy',
        'metadata: {name: web-only, namespace: demo}',
        'spec:',
        '  rules:',
        '  - from:',
        '    - source:',
        '        princpals: [cluster.local/ns/demo/sa/client]',
      ].join('\n'),
    );
    await eventually(async () => {
      const { refused, accepted } = await statusFile();
      assert.equal(refused[0]?.object, 'AuthorizationPolicy demo/web-only');
      assert.equal(refused[0]?.position, `${join(config, 'policy.yaml')}:8:20`);
      assert.match(refused[0]?.field ?? '', /princpals$/);
      assert.equal(accepted.find((entry) => entry.object.startsWith('AuthorizationPolicy'))?.stale, true);
    });
    await writeManifest('policy.yaml', 'apiVersion: security.istio.io/v1\nkind: [\n');
    await eventually(async () => {
      const { refused } = await statusFile();
      assert.match(refused[0]?.reason ?? '', /YAML/);
      assert.match(refused[0]?.position ?? '', /policy\.yaml:\d+:\d+$/);
    });
    const again = feedClient(await tokens.token({ node: 'node-a' }));
    again.stream.write(feedRequest({ typeUrl: AUTHORIZATION_TYPE_URL }));
    assert.deepEqual(names(await again.next(AUTHORIZATION_TYPE_URL)), ['demo/web-only']);
    await writeManifest('policy.yaml', document(policy));
    await eventually(async () => assert.deepEqual((await statusFile()).refused, []));
    feed.close();
    again.close();
  });

  test('answers a reconnect with the differences only', async () => {
    const feed = feedClient(await tokens.token({ node: 'node-a' }));
    feed.stream.write(feedRequest({}));
    await feed.next();
    const held = new Map(feed.versions);
    feed.close();

    const same = feedClient(await tokens.token({ node: 'node-a' }));
    same.stream.write(feedRequest({ initialResourceVersions: held }));
    const nothing = await same.next();
    assert.deepEqual([nothing.resources, nothing.removedResources], [[], []]);
    same.close();

    held.set('Kubernetes//Pod/demo/web', 'old').set('Kubernetes//Pod/demo/gone', 'v');
    const stale = feedClient(await tokens.token({ node: 'node-a' }));
    stale.stream.write(feedRequest({ initialResourceVersions: held }));
    const difference = await stale.next();
    assert.deepEqual(names(difference), ['Kubernetes//Pod/demo/web']);
    assert.deepEqual(difference.removedResources, ['Kubernetes//Pod/demo/gone']);
    stale.close();
  });

  test('answers single keys by address, with aliases, and unknown ones as removed', async () => {
    const feed = feedClient(await tokens.token({ node: 'node-a' }));
    feed.stream.write(feedRequest({ resourceNamesSubscribe: ['*'], resourceNamesUnsubscribe: ['*'] }));
    assert.deepEqual(names(await feed.next()), []);
    feed.stream.write(feedRequest({ resourceNamesSubscribe: ['/10.244.0.1', '/10.9.9.9'] }));
    const answer = await feed.next();
    assert.deepEqual(names(answer), ['Kubernetes//Pod/demo/web']);
    assert.deepEqual(answer.resources[0]?.aliases, ['/10.244.0.1']);
    assert.deepEqual(answer.removedResources, ['/10.9.9.9']);
    feed.close();
  });

  test('refuses streams without a valid token', async () => {
    const other = createTestTokenIssuer();
    const bad = [
      await other.token(),
      await tokens.token({ expiresInSec: -60 }),
      await tokens.token({ audience: 'x' }),
      'junk',
    ];
    for (const token of bad) {
      const feed = feedClient(token);
      feed.stream.write(feedRequest({}));
      await assert.rejects(feed.next(), { code: grpcStatus.UNAUTHENTICATED });
      feed.close();
    }
  });

  test('issues a certificate for a pod on the node of the caller', async () => {
    const wanted = testSpiffeId('demo', 'web');
    const chain = await createCertificate(await tokens.token({ node: 'node-a' }), wanted, 600);
    assert.equal(chain.length, 2);
    assert.equal(chain.at(-1), control.rootsPem());
    const leaf = new X509Certificate(chain[0]!);
    assert.equal(leaf.subjectAltName, `URI:${wanted}`);
    assert.ok(leaf.verify(new X509Certificate(chain[1]!).publicKey));
    const lifetimeMs = leaf.validToDate.getTime() - Date.now();
    assert.ok(lifetimeMs > 540_000 && lifetimeMs <= 600_000, `${lifetimeMs}`);
  });

  test("issues the caller's own identity when no other is asked for", async () => {
    const token = await tokens.token({ namespace: 'demo', serviceAccount: 'plain' });
    const [leaf = ''] = await createCertificate(token, undefined);
    assert.equal(new X509Certificate(leaf).subjectAltName, `URI:${testSpiffeId('demo', 'plain')}`);
  });

  test('refuses impersonation with one opaque text, whatever the reason', async () => {
    const ztunnel = await tokens.token({ node: 'node-a' });
    const attempts: [string, string][] = [
      [ztunnel, testSpiffeId('demo', 'not-here')],
      [ztunnel, testSpiffeId('demo', 'web', 'other.example')],
      [ztunnel, 'spiffe://cluster.local/ns/demo/sa/web/../x'],
      [await tokens.token({ node: 'node-b' }), testSpiffeId('demo', 'web')],
      [await tokens.token(), testSpiffeId('demo', 'web')],
      [await tokens.token({ namespace: 'demo', node: 'node-a' }), testSpiffeId('demo', 'web')],
    ];
    for (const [token, wanted] of attempts) {
      await assert.rejects(createCertificate(token, wanted), {
        code: grpcStatus.UNAUTHENTICATED,
        details: 'request impersonation authentication failure',
      });
    }
  });

  test('refuses certificates to expired and foreign tokens', async () => {
    for (const token of [await tokens.token({ expiresInSec: -60 }), await createTestTokenIssuer().token()]) {
      await assert.rejects(createCertificate(token, undefined), { code: grpcStatus.UNAUTHENTICATED });
    }
  });

  test('serves readiness and the feed as istiod prints it', async () => {
    const base = `http://127.0.0.1:${control.addresses.httpPort}`;
    assert.equal((await fetch(`${base}/ready`)).status, 200);
    const dump = (await (await fetch(`${base}/debug/ambientz`)).json()) as Record<string, Record<string, unknown>[]>;
    assert.deepEqual(Object.keys(dump), ['workloads', 'services', 'policies']);
    const workload = dump['workloads']!.find((entry) => entry['name'] === 'web')!;
    assert.deepEqual(
      [workload['tunnelProtocol'], workload['workloadType'], workload['addresses']],
      ['HBONE', 'POD', [Buffer.from([10, 244, 0, 1]).toString('base64')]],
    );
    assert.deepEqual(dump['policies']![0]!['groups'], [
      { rules: [{ matches: [{ principals: [{ exact: 'cluster.local/ns/demo/sa/client' }] }] }] },
    ]);
  });
});
