import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readOverlays, type WaypointOverlays } from '../../../src/control/waypoint-overlays.ts';
import { waypointParts } from '../../../src/control/waypoint-parts.ts';
import { waypointGateway } from '../../helpers/waypoint-gateway.ts';

const RUNTIME = {
  image: 'ambit:1',
  imagePullPolicy: 'Never',
  controlAddress: 'https://istiod.istio-system.svc:15012',
  clusterId: 'Kubernetes',
  network: '',
};

interface Body {
  readonly metadata: { readonly labels: Record<string, string>; readonly annotations?: Record<string, string> };
  // biome-ignore lint/suspicious/noExplicitAny: objects of Kubernetes, looked into
  readonly spec: any;
}

function overlays(data: Record<string, string>, title = 'ConfigMap demo/settings'): WaypointOverlays {
  const read = readOverlays(title, data);
  assert.ok(read.ok, read.ok ? '' : read.error);
  return read.value;
}

function partsOf(
  gateway: Parameters<typeof waypointParts>[0],
  ...given: readonly WaypointOverlays[]
): Map<string, Body> {
  const parts = waypointParts(gateway, 'cluster.local', RUNTIME, given);
  assert.ok(parts.ok, parts.ok ? '' : parts.error);
  return new Map(parts.value.map(({ kind, body }) => [kind.kind, body as unknown as Body]));
}

function problemOf(data: Record<string, string>): string {
  const read = readOverlays('ConfigMap demo/settings', data);
  if (!read.ok) return read.error;
  const parts = waypointParts(waypointGateway(), 'cluster.local', RUNTIME, [read.value]);
  return parts.ok ? '' : parts.error;
}

describe('the objects of a waypoint', () => {
  it('are an account, a Service and a Deployment, as long as nobody asks for more', () => {
    assert.deepEqual([...partsOf(waypointGateway()).keys()], ['ServiceAccount', 'Service', 'Deployment']);
  });

  it('all carry the labels and annotations of spec.infrastructure, and their selectors do not', () => {
    const infrastructure = {
      labels: { team: 'shop', 'gateway.networking.k8s.io/gateway-name': 'another' },
      annotations: { note: 'mind' },
    };
    const parts = partsOf(
      waypointGateway({ infrastructure }),
      overlays({ podDisruptionBudget: 'spec: {minAvailable: 1}' }),
    );
    const template = parts.get('Deployment')?.spec.template as Body;
    for (const { metadata } of [...parts.values(), template]) {
      assert.equal(metadata.labels['team'], 'shop');
      assert.equal(metadata.labels['gateway.networking.k8s.io/gateway-name'], 'gate');
      assert.equal(metadata.annotations?.['note'], 'mind');
    }
    const selector = { 'gateway.networking.k8s.io/gateway-name': 'gate' };
    assert.deepEqual(parts.get('Deployment')?.spec.selector, { matchLabels: selector });
    assert.deepEqual(parts.get('Service')?.spec.selector, selector);
  });

  it('take overlays, those of the Gateway after those of its class', () => {
    const ofClass = overlays({
      deployment: 'spec: {replicas: 2, template: {spec: {priorityClassName: high}}}',
      horizontalPodAutoscaler: 'spec: {minReplicas: 2, maxReplicas: 4}',
    });
    const own = overlays({
      deployment: `
spec:
  replicas: 3
  template:
    spec:
      containers:
        - name: istio-proxy
          env: [{name: RUST_LOG, value: debug}]
          resources: {requests: {cpu: 500m}}`,
    });
    const parts = partsOf(waypointGateway(), ofClass, own);
    const { spec } = parts.get('Deployment') ?? assert.fail();
    assert.equal(spec.replicas, 3);
    assert.equal(spec.template.spec.priorityClassName, 'high');
    const [container, ...others] = spec.template.spec.containers;
    assert.deepEqual(others, []);
    assert.equal(container.image, 'ambit:1');
    assert.deepEqual(container.resources.requests, { cpu: '500m', memory: '128Mi' });
    assert.deepEqual(container.env.at(-1), { name: 'RUST_LOG', value: 'debug' });
    assert.deepEqual(parts.get('HorizontalPodAutoscaler')?.spec, {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'gate' },
      minReplicas: 2,
      maxReplicas: 4,
    });
  });

  it('are not made when an overlay is wrong, and the text names ConfigMap, key and field', () => {
    const at = 'ConfigMap demo/settings:';
    assert.equal(
      problemOf({ deployment: 'spec: {template: {spec: {containers: {}}}}' }),
      `${at} deployment: spec.template.spec.containers must be a list, is a map`,
    );
    assert.equal(problemOf({ service: 'metadata: {name: other}' }), `${at} service: metadata.name cannot be changed`);
    assert.equal(
      problemOf({ service: 'spec: {selector: {app: other}}' }),
      `${at} service: spec.selector cannot be changed`,
    );
    assert.match(problemOf({ deploymnt: '' }), /deploymnt is no known key, there are deployment, service,/);
    assert.match(problemOf({ deployment: 'a: [' }), /^ConfigMap demo\/settings: deployment: .*line 1/);
    assert.equal(problemOf({ deployment: 'text' }), `${at} deployment: is no map`);
  });

  it('tell the waypoint to name clients to endpoints when the Gateway asks for it', () => {
    const variable = (annotations: Record<string, string>) => {
      const { spec } = partsOf(waypointGateway({ annotations })).get('Deployment') ?? assert.fail();
      const env = spec.template.spec.containers[0].env as { name: string; value: string }[];
      return env.find(({ name }) => name === 'XFCC_INCLUDE_CLIENT_IDENTITY')?.value;
    };
    assert.equal(variable({ 'ambient.istio.io/xfcc-include-client-identity': 'true' }), 'true');
    assert.equal(variable({}), 'false');
  });
});
