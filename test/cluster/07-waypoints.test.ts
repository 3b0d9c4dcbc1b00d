import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ambit, apply, kubectl, kubectlJson, podExec, podsReady, until } from '../helpers/cluster.ts';
import {
  deleteNamespace,
  namespaceObject,
  podObject,
  programsObject,
  serverObjects,
} from '../helpers/cluster-objects.ts';

const NS = 'waypoints';
const GROUP = 'gateway.networking.k8s.io';
const CRD = `gateways.${GROUP}`;

/** As much of the Gateway API as this needs: clusters have it from its own release. */
const gatewayCrd = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: {
    name: CRD,
    annotations: { 'api-approved.kubernetes.io': 'unapproved, a stand-in for tests' },
  },
  spec: {
    group: GROUP,
    scope: 'Namespaced',
    names: { plural: 'gateways', singular: 'gateway', kind: 'Gateway', listKind: 'GatewayList' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        subresources: { status: {} },
      },
    ],
  },
};

const gateway = {
  apiVersion: `${GROUP}/v1`,
  kind: 'Gateway',
  metadata: { name: 'gate', namespace: NS },
  spec: { gatewayClassName: 'istio-waypoint', listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }] },
};

function policy(rules: readonly object[]): object {
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name: 'server', namespace: NS },
    spec: { targetRefs: [{ group: '', kind: 'Service', name: 'server' }], rules },
  };
}

interface GatewayStatus {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** The status and the server header of an answer; the error's text when there is none. */
async function ask(...args: readonly string[]): Promise<string> {
  const format = '%{http_code} %header{server}';
  const command = ['curl', '-s', '-m', '5', '-o', '/dev/null', '-w', format, ...args, 'http://server/'];
  return podExec(NS, 'client', command).catch((error: unknown) => `failed: ${String(error).slice(0, 200)}`);
}

describe('a waypoint', () => {
  let hadCrd = true;
  before(async () => {
    hadCrd = (await kubectl(['get', 'crd', CRD, '--ignore-not-found', '-o', 'name'])) !== '';
    if (!hadCrd) await apply(gatewayCrd);
    await kubectl(['wait', '--for=condition=Established', `crd/${CRD}`, '--timeout=30s']);
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
    if (!hadCrd) await kubectl(['delete', 'crd', CRD]);
  });

  it('that is named and not there closes the way', async () => {
    assert.match(await ask(), /^(000|failed)/);
  });

  it('is run when a Gateway asks for it, and says so in its status', async () => {
    await apply(gateway);
    await until('Programmed', async () => {
      const { status } = await kubectlJson<GatewayStatus>(['get', 'gateway', '-n', NS, 'gate']);
      return status?.conditions?.some(({ type, status: is }) => type === 'Programmed' && is === 'True') || undefined;
    });
    await until('an answer through it', async () => ((await ask()) === '200 istio-envoy' ? true : undefined));
    assert.match(await kubectl(['logs', '-n', NS, 'deployment/gate']), /sa\/default" dst.service="server\.waypoints/);
  });

  it('judges requests by the policies of its services', async () => {
    await apply(policy([{ to: [{ operation: { methods: ['GET'] } }] }]));
    await until('the policy', async () => ((await ask('-X', 'DELETE')).startsWith('403') ? true : undefined));
    assert.equal(await ask(), '200 istio-envoy');
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
