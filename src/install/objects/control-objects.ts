/** The control plane: Deployment, Service, rights, and the webhook that shows it what is about to be stored. */
import {
  CONTROL_LEASE,
  GATEWAY_CLASS_CRD,
  MESH_CONFIG_MAP,
  OWN_ROOT_SECRET,
  PLUGGED_IN_SECRET,
  ROOT_CONFIG_MAP,
  WEBHOOK_CONFIGURATION,
} from '../../model/installed-names.ts';
import {
  INSTALL_NAMESPACE,
  JsonTextRef,
  type TemplateMap,
  type TemplateNode,
  TextTemplate,
  text,
  value,
  when,
} from '../template.ts';
import {
  accountWithRoles,
  CONTAINER_FIELDS,
  clusterMeta,
  fieldVariable,
  httpProbe,
  labelsOf,
  named,
  namespacedMeta,
  ownLabelsOf,
  POD_FIELDS,
  RESTRICTED_CONTAINER,
  rule,
} from './common.ts';

/** Name of the Deployment, its account and roles, and of the component in labels. */
export const CONTROL_NAME = 'ambit-control';
/** Names that node proxies, Istio's own too, look for. */
const SERVICE_NAME = 'istiod';
const SELECTOR: TemplateMap = { app: SERVICE_NAME, 'app.kubernetes.io/name': CONTROL_NAME };
const WATCH = ['list', 'watch'];
const ISTIO_GROUPS = ['security.istio.io', 'networking.istio.io', 'telemetry.istio.io'];
const TARGETED_POLICIES = ['authorizationpolicies', 'requestauthentications'];
const ROUTES = ['httproutes', 'grpcroutes', 'tcproutes', 'tlsroutes'];

function statusOf(resources: readonly string[]): readonly string[] {
  return resources.map((resource) => `${resource}/status`);
}

const CLUSTER_RULES: readonly TemplateMap[] = [
  rule('', ['namespaces', 'nodes', 'pods', 'services'], WATCH),
  rule('discovery.k8s.io', ['endpointslices'], WATCH),
  rule('security.istio.io', [...TARGETED_POLICIES, 'peerauthentications'], WATCH),
  rule('telemetry.istio.io', ['telemetries'], WATCH),
  rule('networking.istio.io', ['destinationrules', 'serviceentries', 'virtualservices', 'workloadentries'], WATCH),
  rule('gateway.networking.k8s.io', ['gateways'], ['get', ...WATCH]),
  rule('gateway.networking.k8s.io', [...ROUTES, 'referencegrants'], WATCH),
  rule('gateway.networking.k8s.io', ['gateways/status', ...statusOf(ROUTES)], ['patch']),
  // Waypoints run where their Gateways are. To apply is to patch, and to create where there is nothing yet.
  rule('', ['services'], ['get', 'create', 'patch']),
  rule('', ['serviceaccounts'], ['get', ...WATCH, 'create', 'patch']),
  rule('apps', ['deployments'], ['get', ...WATCH, 'create', 'patch']),
  rule('autoscaling', ['horizontalpodautoscalers'], ['get', ...WATCH, 'create', 'patch', 'delete']),
  rule('policy', ['poddisruptionbudgets'], ['get', ...WATCH, 'create', 'patch', 'delete']),
  // Overlays of waypoints: a Gateway names any ConfigMap of its namespace. To list them all is not needed.
  rule('', ['configmaps'], ['get']),
  rule('gateway.networking.k8s.io', ['gatewayclasses'], [...WATCH, 'create']),
  rule('gateway.networking.k8s.io', ['gatewayclasses/status'], ['patch']),
  named(rule('apiextensions.k8s.io', ['customresourcedefinitions'], ['get']), [GATEWAY_CLASS_CRD]),
  rule('authentication.k8s.io', ['tokenreviews'], ['create']),
  // The root certificate lies in every namespace. A name does not restrict creations, as they have none yet.
  rule('', ['configmaps'], ['create']),
  named(rule('', ['configmaps'], [...WATCH, 'patch']), [ROOT_CONFIG_MAP]),
  rule('', ['services/status'], ['patch']),
  rule('security.istio.io', statusOf(TARGETED_POLICIES), ['patch']),
  rule('networking.istio.io', ['serviceentries/status'], ['patch']),
  named(rule('admissionregistration.k8s.io', ['validatingwebhookconfigurations'], [...WATCH, 'patch']), [
    WEBHOOK_CONFIGURATION,
  ]),
];

/** The name with another revision than the default one. */
function ofRevision(name: string): TextTemplate {
  return new TextTemplate([`${name}-`, value('revision')]);
}

/** Lists and watches select by name, which API servers hold against the names of a rule. */
const NAMESPACE_RULES: readonly TemplateMap[] = [
  // The configuration of the mesh by name, the defaults of waypoints by label, which rules cannot tell apart.
  rule('', ['configmaps'], WATCH),
  rule('', ['secrets'], ['create']),
  named(rule('', ['secrets'], WATCH), [PLUGGED_IN_SECRET]),
  named(rule('', ['secrets'], ['get', ...WATCH, 'update']), [OWN_ROOT_SECRET]),
  rule('coordination.k8s.io', ['leases'], ['create']),
  named(rule('coordination.k8s.io', ['leases'], ['get', 'update']), [CONTROL_LEASE, ofRevision(CONTROL_LEASE)]),
];

/** All objects of the control plane. */
export const CONTROL_OBJECTS: readonly TemplateNode[] = [
  ...accountWithRoles(CONTROL_NAME, CONTROL_NAME, CLUSTER_RULES, NAMESPACE_RULES),
  {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: namespacedMeta(CONTROL_NAME, MESH_CONFIG_MAP),
    data: { mesh: new JsonTextRef('meshConfig') },
  },
  service(),
  deployment(),
  when('control.podDisruptionBudget', {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: namespacedMeta(CONTROL_NAME, CONTROL_NAME),
    spec: { maxUnavailable: 1, selector: { matchLabels: SELECTOR } },
  }),
  when('webhook.enabled', webhook()),
];

function service(): TemplateMap {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      ...namespacedMeta(CONTROL_NAME, SERVICE_NAME),
      labels: { ...ownLabelsOf(CONTROL_NAME), app: SERVICE_NAME },
    },
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
    metadata: namespacedMeta(CONTROL_NAME, CONTROL_NAME),
    spec: {
      replicas: value('control.replicas'),
      selector: { matchLabels: SELECTOR },
      // The new replica serves before an old one goes.
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        metadata: {
          labels: { ...SELECTOR, ...labelsOf(CONTROL_NAME), 'istio.io/dataplane-mode': 'none' },
          annotations: when('control.podAnnotations', value('control.podAnnotations')),
        },
        spec: {
          ...POD_FIELDS,
          serviceAccountName: CONTROL_NAME,
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
    ...CONTAINER_FIELDS,
    args: [
      'control',
      text`--cluster-id=${value('clusterId')}`,
      text`--cluster-domain=${value('clusterDomain')}`,
      text`--network=${value('network')}`,
      text`--root-namespace=${INSTALL_NAMESPACE}`,
      text`--missing-waypoint=${value('missingWaypoint')}`,
      text`--root-policies=${value('rootPolicies')}`,
      text`--waypoint-image=${value('image.repository')}:${value('image.tag')}`,
      text`--waypoint-pull-policy=${value('image.pullPolicy')}`,
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
    securityContext: RESTRICTED_CONTAINER,
  };
}

/** Lets everything pass until the control plane has put its certificate in, and whenever none answers. */
function webhook(): TemplateMap {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: clusterMeta(CONTROL_NAME, WEBHOOK_CONFIGURATION),
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
