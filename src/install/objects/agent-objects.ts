/** The node agent: DaemonSet and rights. */
import { type TemplateMap, type TemplateNode, text, value, when } from '../template.ts';
import {
  accountWithRoles,
  CONTAINER_FIELDS,
  fieldVariable,
  hostVolume,
  httpProbe,
  labelsOf,
  named,
  namespacedMeta,
  POD_FIELDS,
  rule,
} from './common.ts';

/** Name of the DaemonSet, and of the component in labels. */
export const AGENT_NAME = 'ambit-agent';
const SELECTOR: TemplateMap = { 'app.kubernetes.io/name': AGENT_NAME };

/** All objects of the agent. */
export const AGENT_OBJECTS: readonly TemplateNode[] = [
  ...accountWithRoles(
    AGENT_NAME,
    AGENT_NAME,
    [
      rule('', ['pods', 'namespaces'], ['get', 'list', 'watch']),
      // Says on the pod whether its traffic is redirected.
      rule('', ['pods/status'], ['patch']),
    ],
    // Tells an upgrade from an uninstallation.
    [named(rule('apps', ['daemonsets'], ['get', 'list', 'watch']), [AGENT_NAME])],
  ),
  daemonSet(),
];

function daemonSet(): TemplateMap {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: namespacedMeta(AGENT_NAME, AGENT_NAME),
    spec: {
      selector: { matchLabels: SELECTOR },
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } },
      template: {
        metadata: {
          labels: { ...labelsOf(AGENT_NAME), 'istio.io/dataplane-mode': 'none' },
          annotations: when('agent.podAnnotations', value('agent.podAnnotations')),
        },
        spec: {
          ...POD_FIELDS,
          serviceAccountName: AGENT_NAME,
          hostNetwork: true,
          hostPID: true,
          dnsPolicy: 'ClusterFirstWithHostNet',
          priorityClassName: 'system-node-critical',
          terminationGracePeriodSeconds: 30,
          nodeSelector: when('agent.nodeSelector', value('agent.nodeSelector')),
          tolerations: when('tolerations', value('tolerations')),
          containers: [container()],
          volumes: [
            hostVolume('ztunnel-socket', '/var/run/ztunnel'),
            hostVolume('agent-socket', '/var/run/istio-cni'),
            hostVolume('netns', '/var/run/netns'),
            hostVolume('state', '/var/lib/ambit'),
            hostVolume('cni-bin', value('agent.cniBinDir')),
            hostVolume('cni-conf', value('agent.cniConfDir')),
          ],
        },
      },
    },
  };
}

function container(): TemplateMap {
  return {
    name: 'agent',
    ...CONTAINER_FIELDS,
    args: ['agent', text`--rule-backend=${value('agent.ruleBackend')}`],
    env: [
      fieldVariable('NODE_NAME', 'spec.nodeName'),
      fieldVariable('POD_NAME', 'metadata.name'),
      fieldVariable('POD_NAMESPACE', 'metadata.namespace'),
      { name: 'AMBIENT_DNS_CAPTURE', value: text`${value('agent.dnsCapture')}` },
      { name: 'EXCLUDE_NAMESPACES', value: value('agent.excludeNamespaces') },
      { name: 'AMBIT_JOIN_DRAIN', value: value('agent.joinDrain') },
      { name: 'AMBIT_LEAVE_DRAIN', value: value('agent.leaveDrain') },
      { name: 'LOG_LEVEL', value: value('logLevel') },
      { name: 'LOG_FORMAT', value: value('logFormat') },
    ],
    readinessProbe: httpProbe('/readyz', 8000, 2, 3),
    livenessProbe: httpProbe('/healthz', 8000, 10, 6),
    resources: value('agent.resources'),
    securityContext: {
      runAsUser: 0,
      runAsGroup: 0,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'], add: ['NET_ADMIN', 'NET_RAW', 'SYS_ADMIN', 'SYS_PTRACE', 'DAC_OVERRIDE'] },
    },
    volumeMounts: [
      { name: 'ztunnel-socket', mountPath: '/var/run/ztunnel' },
      { name: 'agent-socket', mountPath: '/var/run/istio-cni' },
      { name: 'netns', mountPath: '/var/run/netns', mountPropagation: 'HostToContainer' },
      { name: 'state', mountPath: '/var/lib/ambit' },
      { name: 'cni-bin', mountPath: '/host/opt/cni/bin' },
      { name: 'cni-conf', mountPath: '/host/etc/cni/net.d' },
    ],
  };
}
