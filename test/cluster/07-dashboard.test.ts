/** The dashboard as a program of the cluster: everybody sees what their own rights give them. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Browser, chromium } from 'playwright-core';
import { ambit, apply, kubectl, kubectlJson, podsReady, run, until } from '../helpers/cluster.ts';
import {
  accountObject,
  deleteNamespace,
  loadCounts,
  loadObject,
  namespaceObject,
  programsObject,
  serverObjects,
} from '../helpers/cluster-objects.ts';
import { KubectlForward } from '../helpers/kubectl-forward.ts';

const KUBECTL = new URL('../../scripts/cluster/kubectl.sh', import.meta.url).pathname;
const ROOT = 'istio-system';
const NAME = 'ambit-dashboard';
const [RED, BLUE, PEOPLE] = ['seen-red', 'seen-blue', 'people'] as const;
const GROUP = 'rbac.authorization.k8s.io';
const IMAGE = ['--set', 'image.pullPolicy=Never'];

interface Graph {
  readonly proxies: readonly { readonly role: string; readonly namespace: string }[];
  readonly missing: readonly string[];
  readonly edges: readonly {
    readonly from: string;
    readonly to: string;
    readonly mutualTls: boolean;
    readonly openedPerSec: number;
  }[];
}

interface Listed {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** What holds anyway, as an object of the mesh. */
function policyObject(namespace: string): object {
  const spec = { mtls: { mode: 'PERMISSIVE' } };
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'PeerAuthentication',
    metadata: { name: 'seen', namespace },
    spec,
  };
}

/** An account, which may look at the pods of namespaces, and forward their ports if at all. */
function viewerObjects(account: string, namespaces: readonly string[], mayForward = false): object[] {
  const rules = [
    { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] },
    ...(mayForward ? [{ apiGroups: [''], resources: ['pods/portforward'], verbs: ['get', 'create'] }] : []),
  ];
  const bindings = namespaces.flatMap((namespace) => {
    const metadata = { name: `see-${account}`, namespace };
    const roleRef = { apiGroup: GROUP, kind: 'Role', name: metadata.name };
    const subjects = [{ kind: 'ServiceAccount', name: account, namespace: PEOPLE }];
    return [
      { apiVersion: `${GROUP}/v1`, kind: 'Role', metadata, rules },
      { apiVersion: `${GROUP}/v1`, kind: 'RoleBinding', metadata, roleRef, subjects },
    ];
  });
  return [accountObject(PEOPLE, account), ...bindings];
}

async function tokenOf(account: string): Promise<string> {
  return (await kubectl(['create', 'token', account, '-n', PEOPLE, '--duration=1h'])).trim();
}

describe('the dashboard in a cluster', () => {
  let forward: KubectlForward;
  let browser: Browser;
  before(async () => {
    const mesh = { 'istio.io/dataplane-mode': 'ambient' };
    await apply(
      namespaceObject(PEOPLE),
      ...[RED, BLUE].flatMap((namespace) => [
        namespaceObject(namespace, mesh),
        programsObject(namespace),
        policyObject(namespace),
        ...serverObjects(namespace, 'server'),
      ]),
    );
    await Promise.all([RED, BLUE].map((namespace) => podsReady(namespace)));
    await apply(
      ...[RED, BLUE].map((namespace) => loadObject(namespace, 'client', 'server', { workers: 1 })),
      ...viewerObjects('red', [RED]),
      ...viewerObjects('blue', [BLUE]),
      ...viewerObjects('keeper', [ROOT, RED], true),
      ...viewerObjects('nobody', []),
    );
    const { code, stdout, stderr } = await ambit([
      'upgrade',
      '--wait',
      '--timeout',
      '2m',
      ...IMAGE,
      '--set',
      'dashboard.enabled=true',
    ]);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /deployment\.apps\/ambit-dashboard 1\/1/, 'it is waited for, too');
    forward = await KubectlForward.start(ROOT, `svc/${NAME}`, 80);
    browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
  });
  after(async () => {
    await browser?.close();
    await forward?.[Symbol.asyncDispose]();
    for (const namespace of [RED, BLUE, PEOPLE]) await deleteNamespace(namespace);
    await kubectl(['delete', 'role,rolebinding', '-n', ROOT, 'see-keeper', '--ignore-not-found']);
  });

  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(`${forward.address}${path}`, { headers, redirect: 'manual', signal: AbortSignal.timeout(20_000) });
  const asks = async <T>(token: string, path: string): Promise<T> => {
    const answer = await get(path, { authorization: `Bearer ${token}` });
    assert.equal(answer.status, 200, await answer.clone().text());
    return (await answer.json()) as T;
  };
  const seenBy = async (account: string) => asks<Graph>(await tokenOf(account), '/api/mesh');
  const namespacesOf = ({ edges }: Graph) =>
    [...new Set(edges.flatMap(({ from, to }) => [from, to]).map((id) => id.split('/')[0]))].sort();

  it('shows each viewer the traffic of the namespaces whose pods they may get, with its numbers', async () => {
    const graphs = await until('both edges', async () => {
      const [red, blue] = await Promise.all([seenBy('red'), seenBy('blue')]);
      return red.edges.length > 0 && blue.edges.length > 0 && { red, blue };
    });
    assert.deepEqual([namespacesOf(graphs.red), namespacesOf(graphs.blue)], [[RED], [BLUE]]);
    const [edge] = graphs.red.edges;
    assert.deepEqual([edge?.from, edge?.to, edge?.mutualTls], [`${RED}/client`, `${RED}/server`, true]);
    const start = await loadCounts(RED, 'client');
    await until('the rate at which the client really called', async () => {
      const now = await loadCounts(RED, 'client');
      const perSec = (now.ok - start.ok) / (now.time - start.time);
      const shown = (await seenBy('red')).edges[0]?.openedPerSec ?? 0;
      return now.time - start.time > 10 && Math.abs(shown - perSec) < perSec / 5;
    });
    assert.deepEqual(graphs.red.proxies, [], 'the programs of the mesh are in another namespace');
  });

  it('shows nothing to who has no rights, and all to who has them everywhere', async () => {
    const nothing = await seenBy('nobody');
    assert.deepEqual([nothing.edges, nothing.proxies], [[], []]);
    const subject = `--serviceaccount=${PEOPLE}:nobody`;
    await kubectl(['create', 'clusterrolebinding', 'ambit-test-viewer', '--clusterrole=view', subject]);
    try {
      await until('the new rights', async () => {
        const all = namespacesOf(await seenBy('nobody'));
        return [RED, BLUE].every((namespace) => all.includes(namespace));
      });
    } finally {
      await kubectl(['delete', 'clusterrolebinding', 'ambit-test-viewer']);
    }
    await until('the rights gone', async () => (await seenBy('nobody')).edges.length === 0);
  });

  it('asks what is more than metrics with the token of the viewer, who has to have the right for it', async () => {
    const keeper = await tokenOf('keeper');
    const listed = async () => (await asks<{ objects: Listed[] }>(keeper, '/api/config')).objects;
    const seen = await until('the policy', async () => {
      const policies = (await listed()).filter(({ kind }) => kind === 'PeerAuthentication');
      return policies.length > 0 && policies;
    });
    assert.deepEqual(
      seen.map(({ namespace, name }) => `${namespace}/${name}`),
      [`${RED}/seen`],
    );
    const answer = await get('/api/config', { authorization: `Bearer ${await tokenOf('red')}` });
    assert.equal(answer.status, 502);
    assert.match(await answer.text(), /no control plane answers/);
  });

  it('shows connections as they end to who may forward ports of proxies, of their namespaces only', async () => {
    const authorization = `Bearer ${await tokenOf('keeper')}`;
    const leaving = new AbortController();
    const signal = AbortSignal.any([leaving.signal, AbortSignal.timeout(30_000)]);
    const answer = await fetch(`${forward.address}/api/tap`, { headers: { authorization }, signal });
    let text = '';
    for await (const chunk of answer.body ?? []) {
      text += Buffer.from(chunk).toString();
      if (text.split('event: record').length > 5) break;
    }
    leaving.abort();
    const records = [...text.matchAll(/event: record\ndata: (.*)\n/g)].map(([, data = '']) => JSON.parse(data));
    assert.ok(records.length > 3, text);
    assert.ok(
      records.every((record) => record['dst.namespace'] === RED),
      text,
    );
  });

  it('lets nobody in without a token of this cluster', async () => {
    assert.equal((await get('/api/mesh')).status, 401);
    assert.equal((await get('/api/mesh', { authorization: 'Bearer eyJhbGciOiJub25lIn0.e30.' })).status, 401);
    const other = await kubectl(['create', 'token', 'red', '-n', PEOPLE, '--audience=istio-ca']);
    assert.equal((await get('/api/mesh', { authorization: `Bearer ${other.trim()}` })).status, 401);
    const page = await get('/', { accept: 'text/html' });
    assert.equal(page.status, 401);
    assert.match(await page.text(), /name="token"/);
    const { code, stdout } = await run('curl', [
      '-s',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
      '-H',
      'host: evil.example',
      forward.address,
    ]);
    assert.deepEqual([code, stdout], [0, '421']);
  });

  it('lets a person log in with a pasted token, draws the graph, and lets them out', async () => {
    const context = await browser.newContext({ viewport: { width: 1300, height: 800 } });
    const page = await context.newPage();
    await page.goto(forward.address);
    await page.getByLabel('Token').fill('no token at all');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').waitFor();
    await page.getByLabel('Token').fill(await tokenOf('red'));
    await page.keyboard.press('Enter');
    await page.waitForSelector(`[data-node="${RED}/server"]`);
    assert.equal(await page.locator(`[data-node="${BLUE}/server"]`).count(), 0);
    const [cookie, ...others] = await context.cookies();
    assert.deepEqual([others.length, cookie?.httpOnly, cookie?.sameSite], [0, true, 'Strict']);
    assert.equal(await page.evaluate('document.cookie'), '');
    assert.match((await page.locator('.log-out').textContent()) ?? '', /people:red/);
    await page.getByRole('button', { name: 'log out' }).click();
    await page.getByLabel('Token').waitFor();
    await page.goto(forward.address);
    await page.getByLabel('Token').waitFor();
    assert.deepEqual(await context.cookies(), []);
    await context.close();
  });

  it('takes a login by its address, where browsers say less about who sends a form', async () => {
    const selector = ['-l', `app.kubernetes.io/name=${NAME}`, '--field-selector=status.phase=Running'];
    const ip = await kubectl(['get', 'pods', '-n', ROOT, ...selector, '-o', 'jsonpath={.items[0].status.podIP}']);
    const page = await browser.newPage();
    await page.goto(`http://${ip}:8080`);
    await page.getByLabel('Token').fill(await tokenOf('red'));
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('button', { name: 'log out' }).click();
    await page.getByLabel('Token').waitFor();
    await page.close();
  });

  it('has a log in which no token is', async () => {
    const log = await kubectl(['logs', '-n', ROOT, `deployment/${NAME}`]);
    assert.match(log, /dashboard of/);
    assert.doesNotMatch(log, /eyJ/);
  });

  it('has few rights itself: to list pods, and to ask who viewers are and what they may', async () => {
    const may = async (...args: string[]) => {
      const as = `--as=system:serviceaccount:${ROOT}:${NAME}`;
      return (await run(KUBECTL, ['auth', 'can-i', ...args, as])).stdout.trim();
    };
    for (const right of [
      ['list', 'pods', '-A'],
      ['create', 'tokenreviews.authentication.k8s.io'],
      ['create', 'subjectaccessreviews.authorization.k8s.io'],
    ])
      assert.equal(await may(...right), 'yes', right.join(' '));
    for (const right of [
      ['get', 'pods', '-A'],
      ['watch', 'pods', '-A'],
      ['create', 'pods/portforward', '-n', ROOT],
      ['create', 'pods/exec', '-n', ROOT],
      ['get', 'pods/log', '-n', ROOT],
      ['get', 'secrets', '-n', ROOT],
      ['list', 'namespaces'],
      ['list', 'services', '-A'],
      ['get', 'configmaps', '-n', ROOT],
      ['impersonate', 'users'],
      ['create', 'serviceaccounts/token', '-n', ROOT],
      ['patch', 'deployments', '-n', ROOT],
    ])
      assert.equal(await may(...right), 'no', right.join(' '));
  });

  it('runs in a pod that the strictest profile of Kubernetes takes, outside of the mesh', async () => {
    const { spec } = await kubectlJson<{
      spec: { template: { metadata: { labels: Record<string, string> }; spec: object } };
    }>(['get', 'deployment', '-n', ROOT, NAME]);
    assert.equal(spec.template.metadata.labels['istio.io/dataplane-mode'], 'none');
    const strict = { 'pod-security.kubernetes.io/enforce': 'restricted' };
    await apply(namespaceObject(PEOPLE, strict), accountObject(PEOPLE, NAME));
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'strict', namespace: PEOPLE },
      spec: spec.template.spec,
    };
    const created = await kubectl(['create', '--dry-run=server', '-f', '-'], JSON.stringify(pod));
    assert.match(created, /pod\/strict created/);
    assert.match(JSON.stringify(spec.template.spec), /"readOnlyRootFilesystem":true/);
  });

  it('goes when it is no longer asked for, and all that belonged to it', async () => {
    const { code, stdout, stderr } = await ambit(['upgrade', ...IMAGE, '--set', 'dashboard.enabled=false']);
    assert.equal(code, 0, stdout + stderr);
    const kinds = 'deployment,service,serviceaccount,role,rolebinding,clusterrole,clusterrolebinding';
    const left = await kubectl(['get', kinds, '-n', ROOT, '-l', `app.kubernetes.io/name=${NAME}`, '-o', 'name']);
    assert.equal(left, '');
  });
});
