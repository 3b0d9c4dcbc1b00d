import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { explainCall, type Hop } from '../../../../src/cli/explain/explain-call.ts';
import { findDestination, findSource } from '../../../../src/cli/explain/find-ends.ts';
import { folderResources } from '../../../../src/cli/explain/folder-resources.ts';
import { meshModel } from '../../../../src/cli/explain/mesh-model.ts';
import { ManualClock } from '../../../helpers/manual-clock.ts';

const NS = 'shop';
const object = (apiVersion: string, kind: string, name: string, spec: object, namespace = NS) => ({
  apiVersion,
  kind,
  metadata: { name, namespace },
  spec,
});
const namespace = (name: string, labels: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels },
});
function deployment(name: string, ns = NS, labels: object = {}) {
  const template = {
    metadata: { labels: { app: name, ...labels } },
    spec: { containers: [{ name: 'c', image: 'i' }] },
  };
  return object('apps/v1', 'Deployment', name, { replicas: 1, selector: { matchLabels: { app: name } }, template }, ns);
}
const ports = [{ name: 'http', port: 80, targetPort: 8080 }];
const BASE = [
  namespace(NS, { 'istio.io/dataplane-mode': 'ambient' }),
  namespace('old'),
  deployment('web'),
  deployment('cart'),
  deployment('legacy', 'old'),
  object('v1', 'Service', 'cart', { selector: { app: 'cart' }, ports }),
];
const WAYPOINT = [
  namespace(NS, { 'istio.io/dataplane-mode': 'ambient', 'istio.io/use-waypoint': 'gate' }),
  object('gateway.networking.k8s.io/v1', 'Gateway', 'gate', {
    gatewayClassName: 'istio-waypoint',
    listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }],
  }),
  ...BASE.slice(1),
];

interface Asked {
  readonly from?: string;
  readonly to?: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: readonly (readonly [string, string])[];
}

async function explain(objects: readonly object[], asked: Asked = {}): Promise<readonly Hop[]> {
  const folder = mkdtempSync(join(tmpdir(), 'ambit-explain-'));
  try {
    writeFileSync(join(folder, 'all.yaml'), objects.map((one) => `---\n${JSON.stringify(one)}\n`).join(''));
    const { resources, problems } = await folderResources(folder);
    assert.deepEqual(problems, []);
    const { from = 'web.shop', to = 'cart.shop', method = 'GET', path = '/', headers = [] } = asked;
    const model = meshModel(resources, new ManualClock(), () => 0);
    const source = findSource(model.state, from, undefined);
    const destination = findDestination(model.state, to, source?.namespace, undefined);
    return explainCall(model, { source, destination, method, path, headers }, () => 0);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const verdicts = (hops: readonly Hop[]) => hops.map(({ verdict }) => verdict);
const last = (hops: readonly Hop[]) => hops.at(-1) ?? assert.fail('there are hops');
const authorization = (name: string, spec: object) => object('security.istio.io/v1', 'AuthorizationPolicy', name, spec);
const targetRefs = [{ group: '', kind: 'Service', name: 'cart' }];

describe('a call that is explained', () => {
  it('goes straight where there is no waypoint', async () => {
    const hops = await explain(BASE);
    assert.deepEqual(verdicts(hops), ['passes', 'passes']);
    assert.match(hops[0]?.reason ?? '', /tunnel straight to cart-.*\.shop as cluster\.local\/ns\/shop\/sa\/default/);
    assert.match(hops[0]?.remarks[0] ?? '', /no waypoint/);
    assert.match(last(hops).reason, /no policy says otherwise; to cart-.*\.shop port 8080/);
  });

  it('is refused by the rule of ztunnel that denies it, which is named', async () => {
    const rules = [{ from: [{ source: { namespaces: [NS] } }] }];
    const selector = { matchLabels: { app: 'cart' } };
    const hops = await explain([...BASE, authorization('no', { selector, action: 'DENY', rules })]);
    assert.equal(last(hops).verdict, 'refused');
    assert.equal(last(hops).reason, 'explicitly denied by: shop/no');
    assert.match(last(hops).change, /shop\/no/);
  });

  it('is told whom an ALLOW policy lacks', async () => {
    const rules = [{ from: [{ source: { principals: ['cluster.local/ns/x/sa/y'] } }] }];
    const hops = await explain([...BASE, authorization('only-y', { rules })]);
    assert.match(last(hops).reason, /allow policies exist, but none allowed/);
    assert.match(last(hops).change, /only-y\.shop a rule for principal cluster\.local\/ns\/shop\/sa\/default/);
  });

  it('from outside the mesh passes without STRICT, and is refused with it', async () => {
    assert.deepEqual(verdicts(await explain(BASE, { from: 'outside' })), ['passes', 'passes']);
    const strict = object('security.istio.io/v1', 'PeerAuthentication', 'strict', { mtls: { mode: 'STRICT' } });
    for (const from of ['outside', 'legacy.old']) {
      const hops = await explain([...BASE, strict], { from });
      assert.equal(last(hops).verdict, 'refused', from);
      assert.match(last(hops).change, /mutual TLS: take the client into the mesh/);
    }
    assert.equal(last(await explain([...BASE, strict])).verdict, 'passes');
  });

  it('goes through the waypoint, which outsiders pass by', async () => {
    const hops = await explain(WAYPOINT);
    assert.deepEqual(verdicts(hops), ['passes', 'passes', 'passes', 'passes']);
    assert.match(hops[0]?.reason ?? '', /tunnel to waypoint gate-/);
    assert.match(hops[2]?.reason ?? '', /an endpoint of cart\.shop:80/);
    const outside = await explain(WAYPOINT, { from: 'outside' });
    assert.match(outside[0]?.remarks[0] ?? '', /its waypoint is not asked/);
  });

  it('is looked at by method and path where a waypoint is', async () => {
    const rules = [{ to: [{ operation: { methods: ['DELETE'], paths: ['/items*'] } }] }];
    const objects = [...WAYPOINT, authorization('keep', { targetRefs, action: 'DENY', rules })];
    assert.equal(last(await explain(objects, { path: '/items/1' })).verdict, 'passes');
    const refused = last(await explain(objects, { path: '/items/1', method: 'DELETE' }));
    assert.equal(refused.reason, '403: denied by ns[shop]-policy[keep]-rule[0]');
    assert.match(refused.change, /rule 0 .* AuthorizationPolicy shop\/keep/);
    const hidden = last(await explain(objects, { path: '/x/../items/1', method: 'DELETE' }));
    assert.equal(hidden.verdict, 'refused', 'paths are normalised as at the waypoint');
  });

  it('takes the route that its headers match, and names backends that are not there', async () => {
    const route = object('gateway.networking.k8s.io/v1', 'HTTPRoute', 'split', {
      parentRefs: [{ group: '', kind: 'Service', name: 'cart' }],
      rules: [
        {
          matches: [{ path: { type: 'PathPrefix', value: '/items' }, headers: [{ name: 'x-version', value: '2' }] }],
          backendRefs: [{ name: 'cart2', port: 80 }],
        },
        { matches: [{ path: { type: 'PathPrefix', value: '/items' } }], backendRefs: [{ name: 'cart', port: 80 }] },
      ],
    });
    const objects = [...WAYPOINT, route];
    assert.equal(last(await explain(objects, { path: '/items' })).verdict, 'passes');
    const version2 = await explain(objects, { path: '/items', headers: [['x-version', '2']] });
    assert.match(last(version2).reason, /^50[03]: /);
    const none = last(await explain(objects, { path: '/other' }));
    assert.match(none.reason, /404: the service has routes, and none matches/);
  });

  it('to a service without ready pods has no healthy upstream', async () => {
    const empty = object('v1', 'Service', 'empty', { selector: { app: 'nobody' }, ports });
    const hops = await explain([...BASE, empty], { to: 'empty.shop' });
    assert.deepEqual(verdicts(hops), ['refused']);
    assert.match(last(hops).change, /give empty\.shop:80 pods that match its selector/);
  });

  it('to a port that the service does not have says which it has', async () => {
    const hops = await explain(BASE, { to: 'cart.shop:81' });
    assert.match(last(hops).change, /has no port 81; it has 80/);
  });

  it('is asked for by names that there are', async () => {
    await assert.rejects(explain(BASE, { from: 'nobody' }), /there is no workload "nobody"/);
    await assert.rejects(explain(BASE, { to: 'nothing.shop' }), /there is no service and no pod "nothing\.shop"/);
    await assert.rejects(explain(BASE, { to: '10.0.0.1' }), /an address needs a port/);
    await assert.rejects(explain(BASE, { to: 'cart.shop:99999' }), /"99999" is no port: they are from 1 to 65535/);
    await assert.rejects(explain(BASE, { to: 'cart.shop:http' }), /"http" is no port/);
  });
});
