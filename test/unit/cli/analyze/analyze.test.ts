import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Message } from '../../../../src/control/analyze/analyze-mesh.ts';
import { runAmbit } from '../../../helpers/run-ambit.ts';

const NS = 'shop';
const object = (apiVersion: string, kind: string, name: string, spec: object, annotations = {}) => ({
  apiVersion,
  kind,
  metadata: { name, namespace: NS, annotations },
  spec,
});
const ports = [{ name: 'http', port: 80 }];
const service = (name: string, more = ports) => object('v1', 'Service', name, { selector: { app: name }, ports: more });
const routing = (kind: string, name: string, spec: object, annotations = {}) =>
  object('networking.istio.io/v1', kind, name, spec, annotations);
const deployment = (name: string) => {
  const template = { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image: 'i' }] } };
  return object('apps/v1', 'Deployment', name, { selector: { matchLabels: { app: name } }, template });
};
const to = (host: string) => [{ route: [{ destination: { host } }] }];
const GOOD = [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NS } }, deployment('cart'), service('cart')];

async function analyze(objects: readonly object[], ...flags: readonly string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'ambit-analyze-'));
  try {
    writeFileSync(join(folder, 'all.yaml'), objects.map((one) => `---\n${JSON.stringify(one)}\n`).join(''));
    return await runAmbit(['analyze', '-f', folder, ...flags]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function found(...objects: readonly object[]): Promise<readonly string[]> {
  const { stdout, stderr } = await analyze([...GOOD, ...objects], '-o', 'json');
  assert.equal(stderr, '');
  return (JSON.parse(stdout) as Message[]).map(({ code, level, object: name }) => `${level} ${code} ${name}`);
}

describe('ambit analyze', { concurrency: true }, () => {
  it('finds nothing where nothing is wrong', async () => {
    const { code, stdout } = await analyze(GOOD);
    assert.match(stdout, /^nothing was found in /);
    assert.equal(code, 0);
  });

  it('names objects of other meshes that nobody reads, and what takes their place', async () => {
    const kinds = [
      object('networking.istio.io/v1alpha3', 'EnvoyFilter', 'limits', {}),
      object('policy.linkerd.io/v1beta3', 'Server', 'cart', {}),
      object('batch/v1', 'Job', 'unrelated', {}),
    ];
    const { code, stdout } = await analyze([...GOOD, ...kinds]);
    const [filter, server, ...others] = stdout.trim().split('\n');
    assert.match(
      filter ?? '',
      /^Warning \[IST0171\] \(EnvoyFilter limits .*all\.yaml:\d+\) .* is not used by the mesh: waypoints/,
    );
    assert.match(server ?? '', /\(Server cart .*policy\.linkerd\.io\/v1beta3 Server is not used by the mesh: write/);
    assert.deepEqual([others, code], [[], 0]);
  });

  it('names file and line, and ends with 79', async () => {
    const bad = routing('VirtualService', 'web', { hosts: ['cart'], http: to('nobody') });
    const { code, stdout } = await analyze([...GOOD, bad]);
    assert.match(
      stdout,
      /^Error \[IST0101\] \(VirtualService shop\/web .*all\.yaml:8\) destination nobody\.shop\.svc/m,
    );
    assert.equal(code, 79);
  });

  it('finds what is refused', async () => {
    const bad = routing('VirtualService', 'web', { hosts: ['cart'], http: [{ timeout: 'soon', ...to('cart')[0] }] });
    assert.deepEqual(await found(bad), ['Error IST0106 VirtualService shop/web']);
  });

  it('finds hosts, subsets and selectors that are not there', async () => {
    const subsets = [{ name: 'v9', labels: { version: 'v9' } }];
    const seen = await found(
      routing('DestinationRule', 'nowhere', { host: 'nobody' }),
      routing('DestinationRule', 'cart', { host: 'cart', subsets }),
      object('security.istio.io/v1', 'PeerAuthentication', 'none', {
        selector: { matchLabels: { app: 'nobody' } },
        mtls: { mode: 'STRICT' },
      }),
    );
    assert.deepEqual(seen, [
      'Error IST0173 DestinationRule shop/cart',
      'Warning IST0174 DestinationRule shop/nowhere',
      'Warning IST0127 PeerAuthentication shop/none',
    ]);
  });

  it('finds VirtualServices of one host, and destinations that leave their port open', async () => {
    const two = [
      { name: 'http', port: 80 },
      { name: 'tcp', port: 90 },
    ];
    const { stdout } = await analyze([
      ...GOOD,
      service('twice', two),
      routing('VirtualService', 'a', { hosts: ['cart'], http: to('twice') }),
      routing('VirtualService', 'b', { hosts: ['cart.shop.svc.cluster.local'], http: to('cart') }),
    ]);
    assert.match(stdout, /IST0109\] \(VirtualService shop\/a .*shop\/a, shop\/b/);
    assert.match(stdout, /IST0109\] \(VirtualService shop\/b /);
    assert.match(stdout, /IST0112\] \(VirtualService shop\/a .*twice has several ports \(80, 90\)/);
  });

  it('tells of policies without effect, and of ports without a protocol', async () => {
    const rules = [{ to: [{ operation: { methods: ['GET'] } }] }];
    const seen = await found(
      object('security.istio.io/v1', 'AuthorizationPolicy', 'l7', {
        selector: { matchLabels: { app: 'cart' } },
        rules,
      }),
      service('plain', [{ name: 'web', port: 80 }]),
    );
    assert.deepEqual(seen, ['Warning IST0167 AuthorizationPolicy shop/l7', 'Info IST0118 Service shop/plain']);
  });

  it('keeps silent about what is waved through, in the object or by a flag', async () => {
    const annotated = { 'galley.istio.io/analyze-suppress': 'IST0174' };
    const waved = routing('DestinationRule', 'a', { host: 'nobody' }, annotated);
    assert.deepEqual(await found(waved), []);
    const open = [...GOOD, routing('DestinationRule', 'b', { host: 'nobody' })];
    const threshold = ['--failure-threshold', 'Warning'];
    assert.equal((await analyze(open)).code, 0);
    assert.equal((await analyze(open, ...threshold)).code, 79);
    assert.equal((await analyze(open, ...threshold, '-S', 'IST0174=DestinationRule shop/*')).code, 0);
    assert.equal((await analyze(open, ...threshold, '-S', 'IST0174=DestinationRule other/*')).code, 79);
  });

  it('says what is wrong with a folder that is not there', async () => {
    const { code, stderr } = await runAmbit(['analyze', '-f', '/nowhere']);
    assert.equal(code, 1);
    assert.match(stderr, /\/nowhere/);
  });
});
