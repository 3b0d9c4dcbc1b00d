import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseInstallValues } from '../../../src/install/install-values.ts';
import { type RenderedObject, renderInstall } from '../../../src/install/render-install.ts';

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

const objects = renderInstall(parseInstallValues({ dashboard: { enabled: true } }), 'istio-system');

function rulesOf(kind: 'ClusterRole' | 'Role', name: string): string[] {
  const role = objects.find((object) => object.kind === kind && object.metadata.name === name);
  const rules = (role?.['rules'] ?? []) as readonly Rule[];
  return rules.flatMap(({ apiGroups, resources, verbs, resourceNames }) =>
    resources.map((resource) => {
      const names = resourceNames === undefined ? '' : ` only ${resourceNames.join(', ')}`;
      return `${apiGroups.join(',') || 'core'}/${resource}: ${verbs.join(' ')}${names}`;
    }),
  );
}

function containersOf(object: RenderedObject | undefined) {
  const spec = object?.['spec'] as {
    template: { spec: { containers: { securityContext: { capabilities: object } }[] } };
  };
  return spec.template.spec.containers;
}

describe('the rights of an installation', () => {
  it('of the control plane are these and no more', () => {
    assert.deepEqual(rulesOf('ClusterRole', 'ambit-control'), [
      'core/namespaces: list watch',
      'core/nodes: list watch',
      'core/pods: list watch',
      'core/services: list watch',
      'discovery.k8s.io/endpointslices: list watch',
      'security.istio.io/authorizationpolicies: list watch',
      'security.istio.io/requestauthentications: list watch',
      'security.istio.io/peerauthentications: list watch',
      'telemetry.istio.io/telemetries: list watch',
      'networking.istio.io/destinationrules: list watch',
      'networking.istio.io/serviceentries: list watch',
      'networking.istio.io/virtualservices: list watch',
      'networking.istio.io/workloadentries: list watch',
      'gateway.networking.k8s.io/gateways: get list watch',
      'gateway.networking.k8s.io/httproutes: list watch',
      'gateway.networking.k8s.io/grpcroutes: list watch',
      'gateway.networking.k8s.io/tcproutes: list watch',
      'gateway.networking.k8s.io/tlsroutes: list watch',
      'gateway.networking.k8s.io/referencegrants: list watch',
      'gateway.networking.k8s.io/gateways/status: patch',
      'gateway.networking.k8s.io/httproutes/status: patch',
      'gateway.networking.k8s.io/grpcroutes/status: patch',
      'gateway.networking.k8s.io/tcproutes/status: patch',
      'gateway.networking.k8s.io/tlsroutes/status: patch',
      'core/services: get create patch',
      'core/serviceaccounts: get list watch create patch',
      'apps/deployments: get list watch create patch',
      'autoscaling/horizontalpodautoscalers: get list watch create patch delete',
      'policy/poddisruptionbudgets: get list watch create patch delete',
      'core/configmaps: get',
      'gateway.networking.k8s.io/gatewayclasses: list watch create',
      'gateway.networking.k8s.io/gatewayclasses/status: patch',
      'apiextensions.k8s.io/customresourcedefinitions: get only gatewayclasses.gateway.networking.k8s.io',
      'authentication.k8s.io/tokenreviews: create',
      'core/configmaps: create',
      'core/configmaps: list watch patch only istio-ca-root-cert',
      'core/services/status: patch',
      'security.istio.io/authorizationpolicies/status: patch',
      'security.istio.io/requestauthentications/status: patch',
      'networking.istio.io/serviceentries/status: patch',
      'admissionregistration.k8s.io/validatingwebhookconfigurations: list watch patch only ambit-validator',
    ]);
    assert.deepEqual(rulesOf('Role', 'ambit-control'), [
      'core/configmaps: list watch',
      'core/secrets: create',
      'core/secrets: list watch only cacerts',
      'core/secrets: get list watch update only istio-ca-secret',
      'coordination.k8s.io/leases: create',
      'coordination.k8s.io/leases: get update only ambit-control, ambit-control-default',
    ]);
  });

  it('of the agent are these and no more', () => {
    assert.deepEqual(rulesOf('ClusterRole', 'ambit-agent'), [
      'core/pods: get list watch',
      'core/namespaces: get list watch',
      'core/pods/status: patch',
    ]);
    assert.deepEqual(rulesOf('Role', 'ambit-agent'), ['apps/daemonsets: get list watch only ambit-agent']);
  });

  it('of the dashboard are these and no more, and it is there only when it is asked for', () => {
    assert.deepEqual(rulesOf('ClusterRole', 'ambit-dashboard'), [
      'core/pods: list',
      'authentication.k8s.io/tokenreviews: create',
      'authorization.k8s.io/subjectaccessreviews: create',
    ]);
    assert.deepEqual(rulesOf('Role', 'ambit-dashboard'), []);
    assert.doesNotMatch(JSON.stringify(renderInstall(parseInstallValues({}), 'istio-system')), /ambit-dashboard/);
  });

  it('of ztunnel are none', () => {
    const bound = objects.filter(({ kind }) => kind.endsWith('RoleBinding')).map(({ metadata }) => metadata.name);
    assert.equal(bound.includes('ztunnel'), false);
  });

  it('hold no wildcard, no secret of the cluster, and no right to make pods', () => {
    for (const object of objects.filter(({ kind }) => kind.endsWith('Role'))) {
      for (const { apiGroups, resources, verbs } of object['rules'] as readonly Rule[]) {
        assert.equal([...apiGroups, ...resources, ...verbs].includes('*'), false);
        assert.equal(object.kind === 'ClusterRole' && resources.includes('secrets'), false);
        assert.equal(resources.includes('pods') && verbs.includes('create'), false);
      }
    }
  });

  it('on the node are capabilities by name: none for control plane and dashboard, and nobody is privileged', () => {
    const capabilities = Object.fromEntries(
      ['ambit-control', 'ambit-agent', 'ztunnel', 'ambit-dashboard'].map((name) => {
        const workload = objects.find(
          ({ kind, metadata }) => /^(Deployment|DaemonSet)$/.test(kind) && metadata.name === name,
        );
        const [container = assert.fail(`no container in ${name}`)] = containersOf(workload);
        return [name, container.securityContext.capabilities];
      }),
    );
    assert.deepEqual(capabilities, {
      'ambit-control': { drop: ['ALL'] },
      'ambit-agent': { drop: ['ALL'], add: ['NET_ADMIN', 'NET_RAW', 'SYS_ADMIN', 'SYS_PTRACE', 'DAC_OVERRIDE'] },
      ztunnel: { drop: ['ALL'], add: ['NET_ADMIN', 'NET_RAW', 'SYS_ADMIN'] },
      'ambit-dashboard': { drop: ['ALL'] },
    });
    assert.doesNotMatch(JSON.stringify(objects), /"privileged":true/);
  });
});
