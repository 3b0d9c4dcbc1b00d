/**
 * The dashboard of the cluster: Deployment, Service, and the few rights that it has itself. What viewers see beyond metrics
 * they see by their own.
 */
import { INSTALL_NAMESPACE, type TemplateMap, type TemplateNode, text, value, when } from '../template.ts';
import {
  accountWithRoles,
  CONTAINER_FIELDS,
  httpProbe,
  labelsOf,
  namespacedMeta,
  POD_FIELDS,
  RESTRICTED_CONTAINER,
  rule,
} from './common.ts';

/** Name of the Deployment, its Service and its account, and of the component in labels. */
const DASHBOARD_NAME = 'ambit-dashboard';
const SELECTOR: TemplateMap = { 'app.kubernetes.io/name': DASHBOARD_NAME };
const PORT = 8080;

/** All objects of the dashboard; none unless it is asked for. */
export const DASHBOARD_OBJECTS: readonly TemplateNode[] = [
  ...accountWithRoles(
    DASHBOARD_NAME,
    DASHBOARD_NAME,
    [
      // The addresses of proxies: waypoints are in any namespace.
      rule('', ['pods'], ['list']),
      // Who a viewer is, and what of the cluster is for their eyes.
      rule('authentication.k8s.io', ['tokenreviews'], ['create']),
      rule('authorization.k8s.io', ['subjectaccessreviews'], ['create']),
    ],
    [],
  ),
  service(),
  deployment(),
].map((object) => when('dashboard.enabled', object));

function service(): TemplateMap {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: namespacedMeta(DASHBOARD_NAME, DASHBOARD_NAME),
    spec: { selector: SELECTOR, ports: [{ name: 'http', port: 80, targetPort: PORT, protocol: 'TCP' }] },
  };
}

function deployment(): TemplateMap {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: namespacedMeta(DASHBOARD_NAME, DASHBOARD_NAME),
    spec: {
      // Sessions and the last hour are in its memory.
      replicas: 1,
      selector: { matchLabels: SELECTOR },
      template: {
        metadata: {
          labels: { ...labelsOf(DASHBOARD_NAME), 'istio.io/dataplane-mode': 'none' },
          annotations: when('dashboard.podAnnotations', value('dashboard.podAnnotations')),
        },
        spec: {
          ...POD_FIELDS,
          serviceAccountName: DASHBOARD_NAME,
          securityContext: { runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532 },
          terminationGracePeriodSeconds: 10,
          nodeSelector: when('dashboard.nodeSelector', value('dashboard.nodeSelector')),
          tolerations: when('dashboard.tolerations', value('dashboard.tolerations')),
          containers: [container()],
        },
      },
    },
  };
}

function container(): TemplateMap {
  return {
    name: 'dashboard',
    ...CONTAINER_FIELDS,
    args: [
      'dashboard',
      '--in-cluster',
      `--port=${PORT}`,
      // As the Service is called within the cluster.
      `--host=${DASHBOARD_NAME}`,
      text`--host=ambit-dashboard.${INSTALL_NAMESPACE},ambit-dashboard.${INSTALL_NAMESPACE}.svc`,
      text`--host=ambit-dashboard.${INSTALL_NAMESPACE}.svc.${value('clusterDomain')}`,
      when('dashboard.prometheus', text`--prometheus=${value('dashboard.prometheus')}`),
      when('dashboard.hosts', text`--host=${value('dashboard.hosts')}`),
    ],
    ports: [{ name: 'http', containerPort: PORT }],
    readinessProbe: httpProbe('/healthz', PORT, 2, 3),
    livenessProbe: httpProbe('/healthz', PORT, 10, 6),
    resources: value('dashboard.resources'),
    securityContext: RESTRICTED_CONTAINER,
  };
}
