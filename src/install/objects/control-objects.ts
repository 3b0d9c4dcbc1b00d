/** The control plane: Deployment, Service, rights, and the webhook that shows it what is about to be stored. */
import { INSTALL_NAMESPACE, JsonTextRef, type TemplateMap, type TemplateNode, text, value, when } from '../template.ts';
import {
  accountWithRoles,
  clusterMeta,
  fieldVariable,
  httpProbe,
  IMAGE_FIELDS,
  labelsOf,
  namespacedMeta,
  POD_FIELDS,
  rule,
} from './common.ts';

const COMPONENT = 'ambit-control';
/** Names that node proxies, Istio's own too, look for. */
const SERVICE_NAME = 'istiod';
const SELECTOR: TemplateMap = { app: SERVICE_NAME, 'app.kubernetes.io/name': COMPONENT };
const WATCH = ['list', 'watch'];
const ISTIO_GROUPS = ['security.istio.io', 'networking.istio.io', 'telemetry.istio.io'];

const CLUSTER_RULES: readonly TemplateMap[] = [
  rule('', ['namespaces', 'nodes', 'pods', 'services'], WATCH),
  rule('discovery.k8s.io', ['endpointslices'], WATCH),
  rule('security.istio.io', ['authorizationpolicies', 'peerauthentications'], WATCH),
  rule('networking.istio.io', ['serviceentries', 'workloadentries'], WATCH),
  rule('gateway.networking.k8s.io', ['gateways'], WATCH),
  rule('authentication.k8s.io', ['tokenreviews'], ['create']),
  // The root certificate lies in every namespace.
  rule('', ['configmaps'], ['list', 'watch', 'create', 'patch']),
  rule('', ['services/status'], ['patch']),
  rule('security.istio.io', ['authorizationpolicies/status'], ['patch']),
  rule('networking.istio.io', ['serviceentries/status'], ['patch']),
  rule('admissionregistration.k8s.io', ['validatingwebhookconfigurations'], ['get', 'list', 'watch', 'patch']),
];

const NAMESPACE_RULES: readonly TemplateMap[] = [
  rule('', ['secrets'], ['get', 'list', 'watch', 'create', 'update']),
  rule('coordination.k8s.io', ['leases'], ['get', 'create', 'update']),
];

/** All objects of the control plane. */
export const CONTROL_OBJECTS: readonly TemplateNode[] = [
  ...accountWithRoles(COMPONENT, COMPONENT, CLUSTER_RULES, NAMESPACE_RULES),
  {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: namespacedMeta(COMPONENT, 'istio'),
    data: { mesh: new JsonTextRef('meshConfig') },
  },
  service(),
  deployment(),
  when('control.podDisruptionBudget', {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: namespacedMeta(COMPONENT, COMPONENT),
    spec: { maxUnavailable: 1, selector: { matchLabels: SELECTOR } },
  }),
  when('webhook.enabled', webhook()),
];

function service(): TemplateMap {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...namespacedMeta(COMPONENT, SERVICE_NAME), labels: { ...labelsOf(COMPONENT), app: SERVICE_NAME } },
    spec: {
      selector: SELECTOR,
      ports: [
        { name: 'https-dns', port: 15012, protocol: 'TCP' },
        { name: 'https-webhook', port: 443, targetPort: 15017, protocol: 'TCP' },
        { name: 'http-monitoring', port: 15014, protocol: 'TCP' },
      ],
    },
  };
}

function deployment(): TemplateMap {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: namespacedMeta(COMPONENT, COMPONENT),
    spec: {
      replicas: value('control.replicas'),
      selector: { matchLabels: SELECTOR },
      // The new replica serves before an old one goes.
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        metadata: {
          labels: { ...SELECTOR, ...labelsOf(COMPONENT), 'istio.io/dataplane-mode': 'none' },
          annotations: when('control.podAnnotations', value('control.podAnnotations')),
        },
        spec: {
          ...POD_FIELDS,
          serviceAccountName: COMPONENT,
          securityContext: { runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, fsGroup: 65532 },
          terminationGracePeriodSeconds: 30,
          priorityClassName: 'system-cluster-critical',
          nodeSelector: when('control.nodeSelector', value('control.nodeSelector')),
          tolerations: when('control.tolerations', value('control.tolerations')),
          affinity: when('control.affinity', value('control.affinity')),
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: 'kubernetes.io/hostname',
              whenUnsatisfiable: 'ScheduleAnyway',
              labelSelector: { matchLabels: SELECTOR },
            },
          ],
          containers: [container()],
        },
      },
    },
  };
}

function container(): TemplateMap {
  return {
    name: 'control',
    ...IMAGE_FIELDS,
    args: [
      'control',
      text`--cluster-id=${value('clusterId')}`,
      text`--cluster-domain=${value('clusterDomain')}`,
      text`--network=${value('network')}`,
      text`--root-namespace=${INSTALL_NAMESPACE}`,
      text`--missing-waypoint=${value('missingWaypoint')}`,
      text`--cert-ttl=${value('control.certTtl')}`,
      text`--log-level=${value('logLevel')}`,
      text`--log-format=${value('logFormat')}`,
      '--http-host=0.0.0.0',
    ],
    env: [
      fieldVariable('POD_NAME', 'metadata.name'),
      fieldVariable('POD_NAMESPACE', 'metadata.namespace'),
      { name: 'REVISION', value: value('revision') },
    ],
    ports: [
      { name: 'http', containerPort: 8080 },
      { name: 'grpc-xds', containerPort: 15012 },
      { name: 'monitoring', containerPort: 15014 },
      { name: 'webhook', containerPort: 15017 },
    ],
    readinessProbe: httpProbe('/ready', 8080, 2, 3),
    livenessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 10, failureThreshold: 6 },
    resources: value('control.resources'),
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    },
  };
}

/** Lets everything pass until the control plane has put its certificate in, and whenever none answers. */
function webhook(): TemplateMap {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: clusterMeta(COMPONENT, 'ambit-validator'),
    webhooks: [
      {
        name: 'rev.validation.istio.io',
        clientConfig: { service: { name: SERVICE_NAME, namespace: INSTALL_NAMESPACE, path: '/validate', port: 443 } },
        rules: ISTIO_GROUPS.map((group) => ({
          apiGroups: [group],
          apiVersions: ['*'],
          operations: ['CREATE', 'UPDATE'],
          resources: ['*'],
          scope: '*',
        })),
        failurePolicy: 'Ignore',
        sideEffects: 'None',
        timeoutSeconds: 5,
        matchPolicy: 'Equivalent',
        admissionReviewVersions: ['v1'],
      },
    ],
  };
}
