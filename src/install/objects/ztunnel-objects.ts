/** The node proxy: DaemonSet and account. It needs no rights at the API server. */
import { ROOT_CONFIG_MAP } from '../../model/installed-names.ts';
import { INSTALL_NAMESPACE, type TemplateMap, type TemplateNode, text, value, when } from '../template.ts';
import {
  CONTAINER_FIELDS,
  fieldVariable,
  hostVolume,
  httpProbe,
  labelsOf,
  namespacedMeta,
  POD_FIELDS,
} from './common.ts';

/** The account that the certificate authority lets ask for the identities of the pods of its node. */
const COMPONENT = 'ztunnel';
const SELECTOR: TemplateMap = { app: COMPONENT };
const TOKEN_SECONDS = 43_200;
/** Variables that a user adds; those of the container itself win. */
const ENVIRONMENT_NAME = 'ztunnel-env';

/** All objects of ztunnel. */
export const ZTUNNEL_OBJECTS: readonly TemplateNode[] = [
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata: namespacedMeta(COMPONENT, COMPONENT) },
  {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: namespacedMeta(COMPONENT, ENVIRONMENT_NAME),
    data: value('ztunnel.env'),
  },
  daemonSet(),
];

function daemonSet(): TemplateMap {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: namespacedMeta(COMPONENT, COMPONENT),
    spec: {
      selector: { matchLabels: SELECTOR },
      // The new proxy takes over the ports of all pods before the old one stops accepting.
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        metadata: {
          labels: { ...SELECTOR, ...labelsOf(COMPONENT), 'istio.io/dataplane-mode': 'none' },
          annotations: value('ztunnel.podAnnotations'),
        },
        spec: {
          ...POD_FIELDS,
          serviceAccountName: COMPONENT,
          priorityClassName: 'system-node-critical',
          terminationGracePeriodSeconds: value('ztunnel.terminationGracePeriodSeconds'),
          nodeSelector: when('ztunnel.nodeSelector', value('ztunnel.nodeSelector')),
          tolerations: when('tolerations', value('tolerations')),
          containers: [container()],
          volumes: [
            hostVolume('ztunnel-socket', '/var/run/ztunnel'),
            { name: 'root', configMap: { name: ROOT_CONFIG_MAP } },
            {
              name: 'token',
              projected: {
                sources: [
                  {
                    serviceAccountToken: {
                      path: 'istio-token',
                      audience: 'istio-ca',
                      expirationSeconds: TOKEN_SECONDS,
                    },
                  },
                ],
              },
            },
          ],
        },
      },
    },
  };
}

function container(): TemplateMap {
  return {
    name: 'istio-proxy',
    ...CONTAINER_FIELDS,
    args: ['ztunnel'],
    envFrom: [{ configMapRef: { name: ENVIRONMENT_NAME } }],
    env: [
      { name: 'XDS_ADDRESS', value: text`https://istiod.${INSTALL_NAMESPACE}.svc:15012` },
      { name: 'CA_ADDRESS', value: text`https://istiod.${INSTALL_NAMESPACE}.svc:15012` },
      { name: 'CLUSTER_ID', value: value('clusterId') },
      { name: 'CLUSTER_DOMAIN', value: value('clusterDomain') },
      { name: 'NETWORK', value: value('network') },
      { name: 'RUST_LOG', value: value('logLevel') },
      { name: 'LOG_FORMAT', value: value('logFormat') },
      { name: 'TERMINATION_GRACE_PERIOD_SECONDS', value: text`${value('ztunnel.terminationGracePeriodSeconds')}` },
      fieldVariable('NODE_NAME', 'spec.nodeName'),
      fieldVariable('POD_NAME', 'metadata.name'),
      fieldVariable('POD_NAMESPACE', 'metadata.namespace'),
      fieldVariable('SERVICE_ACCOUNT', 'spec.serviceAccountName'),
      fieldVariable('INSTANCE_IP', 'status.podIP'),
    ],
    ports: [{ name: 'ztunnel-stats', containerPort: 15020 }],
    readinessProbe: httpProbe('/healthz/ready', 15021, 2, 3),
    resources: value('ztunnel.resources'),
    securityContext: {
      runAsUser: 0,
      runAsGroup: 1337,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'], add: ['NET_ADMIN', 'NET_RAW', 'SYS_ADMIN'] },
    },
    volumeMounts: [
      { name: 'ztunnel-socket', mountPath: '/var/run/ztunnel' },
      { name: 'root', mountPath: '/var/run/secrets/istio', readOnly: true },
      { name: 'token', mountPath: '/var/run/secrets/tokens', readOnly: true },
    ],
  };
}
