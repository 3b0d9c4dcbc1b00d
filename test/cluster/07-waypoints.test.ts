import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ambit, apply, kubectl, podExec, podsReady, until } from '../helpers/cluster.ts';
import {
  deleteNamespace,
  namespaceObject,
  podObject,
  programsObject,
  serverObjects,
} from '../helpers/cluster-objects.ts';
import { GatewayCrd, gatewayObject, programmed } from '../helpers/gateway-crd.ts';

const NS = 'waypoints';
const GROUP = 'gateway.networking.k8s.io';

function policy(rules: readonly object[]): object {
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name: 'server', namespace: NS },
    spec: { targetRefs: [{ group: '', kind: 'Service', name: 'server' }], rules },
  };
}

/** The status and the server header of an answer; the error's text when there is none. */
async function ask(...args: readonly string[]): Promise<string> {
  const format = '%{http_code} %header{server}';
  const command = ['curl', '-s', '-m', '5', '-o', '/dev/null', '-w', format, ...args, 'http://server/'];
  return podExec(NS, 'client', command).catch((error: unknown) => `failed: ${String(error).slice(0, 200)}`);
}

describe('a waypoint', () => {
  const crd = new GatewayCrd();
  before(async () => {
    await crd.ensure();
    await apply(
      namespaceObject(NS, { 'istio.io/dataplane-mode': 'ambient', 'istio.io/use-waypoint': 'gate' }),
      programsObject(NS),
      ...serverObjects(NS, 'server'),
      podObject(NS, 'client', ['sleep', 'infinity']),
    );
    await podsReady(NS);
  });
  after(async () => {
    await deleteNamespace(NS);
    await crd.restore();
  });

  it('that is named and not there closes the way', async () => {
    assert.match(await ask(), /^(000|failed)/);
  });

  it('is run when a Gateway asks for it, and says so in its status', async () => {
    await apply(gatewayObject(NS, 'gate'));
    await programmed(NS, 'gate');
    await until('an answer through it', async () => ((await ask()) === '200 istio-envoy' ? true : undefined));
    assert.match(await kubectl(['logs', '-n', NS, 'deployment/gate']), /sa\/default" dst.service="server\.waypoints/);
  });

  it('judges requests by the policies of its services', async () => {
    await apply(policy([{ to: [{ operation: { methods: ['GET'] } }] }]));
    await until('the policy', async () => ((await ask('-X', 'DELETE')).startsWith('403') ? true : undefined));
    assert.equal(await ask(), '200 istio-envoy');
  });

  it('counts requests, which ambit edges shows by way of the API server', async () => {
    const edges = ambit(['edges', '-n', NS, '--window', '3s', '-o', 'json']);
    let asking = true;
    const load = (async () => {
      while (asking) await ask();
    })();
    const { code, stdout, stderr } = await edges;
    asking = false;
    await load;
    assert.deepEqual([code, stderr], [0, '']);
    const seen = JSON.parse(stdout) as { protocol: string; source: { workload: string }; requestsPerSec: number }[];
    const http = seen.find(({ protocol, source }) => protocol === 'http' && source.workload === 'client');
    assert.ok((http?.requestsPerSec ?? 0) > 0, stdout);
    assert.ok(
      seen.some(({ protocol }) => protocol === 'tcp'),
      stdout,
    );
  });

  it('is looked at by the commands that look at a mesh, by way of the API server', async () => {
    const json = async (...args: readonly string[]) => {
      const { stdout, stderr } = await ambit([...args, '-o', 'json']);
      assert.notEqual(stdout, '', stderr);
      return JSON.parse(stdout);
    };
    const reports = (await json('status')) as { role: string; namespace: string; config?: { state: string } }[];
    const gate = reports.find(({ role, namespace }) => role === 'waypoint' && namespace === NS);
    assert.match(gate?.config?.state ?? '', /^(SYNCED|STALE)$/);
    assert.ok(reports.some(({ role }) => role === 'ztunnel') && reports.some(({ role }) => role === 'control'));
    const dump = (await json('dump', `${NS}/gate`)) as { services: unknown[]; policies: unknown[] };
    assert.ok(dump.services.length > 0 && dump.policies.length > 0);
    const tapping = ambit(['tap', '-n', NS, '--count', '1', '--for', '20s', '-o', 'json']);
    let asking = true;
    const load = (async () => {
      while (asking) await ask();
    })();
    const tapped = await tapping;
    asking = false;
    await load;
    assert.match(tapped.stdout, /"kind":"(request|connection)"/, tapped.stderr);
  });

  it('goes with its Gateway, and all that belonged to it', async () => {
    await kubectl(['delete', 'gateway', '-n', NS, 'gate']);
    await until('nothing of it', async () => {
      const kinds = 'deployment,service,serviceaccount';
      const left = await kubectl(['get', kinds, '-n', NS, '-l', `${GROUP}/gateway-name=gate`, '-o', 'name']);
      return left === '' || undefined;
    });
    await until('the way closed', async () => (/^(000|failed)/.test(await ask()) ? true : undefined));
  });

  it('is asked for, waited for and given to a namespace by ambit waypoint apply', async () => {
    const applied = await ambit(['waypoint', 'apply', '-n', NS, '--enroll-namespace', '--overwrite', '--wait']);
    assert.equal(applied.code, 0, applied.stdout + applied.stderr);
    assert.match(applied.stdout, /waypoint waypoints\/waypoint is ready\nnamespace waypoints labeled/);
    assert.equal(applied.stderr, '', 'the namespace is in the mesh');
    await until('an answer through it', async () => ((await ask()) === '200 istio-envoy' ? true : undefined));
    const status = await ambit(['waypoint', 'status', '-n', NS]);
    assert.equal(status.code, 0, status.stdout);
    const deleted = await ambit(['waypoint', 'delete', '-n', NS, '--all']);
    assert.match(deleted.stderr, /namespace waypoints still uses waypoint waypoints\/waypoint/);
    await until('the way closed', async () => (/^(000|failed)/.test(await ask()) ? true : undefined));
  });
});
