// What the dashboards show. Requests are counted by waypoints; where sidecars are in the mesh too, by the callers' ones.
// Connections are counted at both ends: the client's end is shown.
import { chart, dashboard, stat, table, variable } from './panels.mjs';

const RATE = '[$__rate_interval]';
const SEEN = 'reporter=~"waypoint|source"';
const CLIENT = 'reporter="source"';

const requests = (filter, by = '') => `sum(rate(istio_requests_total{${SEEN}${filter}}${RATE}))${by}`;
const failing = ',response_code=~"5..|0"';
const success = (filter, by = '') =>
  `1 - (${requests(filter + failing, by)} or 0 * ${requests(filter, by)}) / ${requests(filter, by)}`;
const quantile = (share, filter, by = '') =>
  `histogram_quantile(${share}, sum(rate(istio_request_duration_milliseconds_bucket{${SEEN}${filter}}${RATE})) by (le${by}))`;
const latencies = (filter) => [0.5, 0.9, 0.99].map((share) => [quantile(share, filter), `p${share * 100}`]);
const sizes = (direction, filter) =>
  `histogram_quantile(0.5, sum(rate(istio_${direction}_bytes_bucket{${SEEN}${filter}}${RATE})) by (le))`;
const tcp = (what, filter, by = '') => `sum(rate(istio_tcp_${what}_total{${CLIENT}${filter}}${RATE}))${by}`;

/** By ALLOW policies in common where `policy` is empty: none of them matched. */
const decisions = (filter, by) => `sum(rate(ambit_authorization_decisions_total{${filter}}${RATE})) by (${by})`;

const namespace = variable('namespace', 'destination_workload_namespace', 'istio_tcp_connections_opened_total');

const mesh = dashboard({
  uid: 'ambit-mesh',
  title: 'ambit: mesh',
  description: 'The whole mesh: how much, how well, how safe.',
  rows: [
    [
      'Now',
      stat('Requests', 'reqps', requests('')),
      stat('Success', 'percentunit', success('')),
      stat('p99', 'ms', quantile(0.99, '')),
      stat('New connections', 'cps', tcp('connections_opened', '')),
      stat(
        'In mutual TLS',
        'percentunit',
        `${tcp('connections_opened', ',connection_security_policy="mutual_tls"')} / ${tcp('connections_opened', '')}`,
      ),
    ],
    [
      'Requests',
      chart('By status', 'reqps', [requests('', ' by (response_code)'), '{{response_code}}']),
      chart('By namespace', 'reqps', [
        requests('', ' by (destination_service_namespace)'),
        '{{destination_service_namespace}}',
      ]),
      chart('Duration', 'ms', ...latencies('')),
    ],
    [
      'Services',
      table(
        'Services with requests',
        ['destination_service'],
        ['requests', requests('', ' by (destination_service)'), 'reqps'],
        ['success', success('', ' by (destination_service)'), 'percentunit'],
        ['p50', quantile(0.5, '', ', destination_service'), 'ms'],
        ['p99', quantile(0.99, '', ', destination_service'), 'ms'],
      ),
      table(
        'Services with connections',
        ['destination_service'],
        ['connections', tcp('connections_opened', '', ' by (destination_service)'), 'cps'],
        ['failed', tcp('connections_failed', '', ' by (destination_service)'), 'cps'],
        ['sent', tcp('sent_bytes', '', ' by (destination_service)'), 'Bps'],
        ['received', tcp('received_bytes', '', ' by (destination_service)'), 'Bps'],
      ),
    ],
    [
      'What goes wrong',
      chart('Requests by flag', 'reqps', [
        requests(',response_flags!="-"', ' by (response_flags)'),
        '{{response_flags}}',
      ]),
      chart('Connections by flag', 'cps', [
        tcp('connections_failed', '', ' by (response_flags)'),
        '{{response_flags}}',
      ]),
      chart('Builds', 'short', ['sum(istio_build) by (component, tag)', '{{component}} {{tag}}']),
    ],
    [
      'Policies',
      chart('Denied', 'ops', [decisions('result="denied"', 'policy'), '{{policy}}']),
      chart('Allowed', 'ops', [decisions('result="allowed"', 'policy'), '{{policy}}']),
      chart('Dry run and audit', 'ops', [
        decisions('result=~"would_.*|audited"', 'policy, result'),
        '{{policy}} {{result}}',
      ]),
    ],
  ],
});

const ofService = ',destination_service=~"$service"';
const service = dashboard({
  uid: 'ambit-service',
  title: 'ambit: service',
  description: 'A service: who calls it, and how it does.',
  variables: [variable('service', 'destination_service', 'istio_tcp_connections_opened_total', { all: false })],
  rows: [
    [
      'Now',
      stat('Requests', 'reqps', requests(ofService)),
      stat('Success', 'percentunit', success(ofService)),
      stat('p99', 'ms', quantile(0.99, ofService)),
      stat('New connections', 'cps', tcp('connections_opened', ofService)),
    ],
    [
      'Requests',
      chart('By status', 'reqps', [requests(ofService, ' by (response_code)'), '{{response_code}}']),
      chart('By client', 'reqps', [
        requests(ofService, ' by (source_workload, source_workload_namespace)'),
        '{{source_workload}}.{{source_workload_namespace}}',
      ]),
      chart('Duration', 'ms', ...latencies(ofService)),
    ],
    [
      'Versions',
      chart('By workload', 'reqps', [
        requests(ofService, ' by (destination_workload, destination_version)'),
        '{{destination_workload}} {{destination_version}}',
      ]),
      chart('Success by workload', 'percentunit', [
        success(ofService, ' by (destination_workload)'),
        '{{destination_workload}}',
      ]),
      chart('p99 by workload', 'ms', [quantile(0.99, ofService, ', destination_workload'), '{{destination_workload}}']),
    ],
    [
      'Sizes and messages',
      chart(
        'Median of bodies',
        'bytes',
        [sizes('request', ofService), 'requests'],
        [sizes('response', ofService), 'responses'],
      ),
      chart(
        'Messages of gRPC',
        'ops',
        [`sum(rate(istio_request_messages_total{${SEEN}${ofService}}${RATE}))`, 'of clients'],
        [`sum(rate(istio_response_messages_total{${SEEN}${ofService}}${RATE}))`, 'of servers'],
      ),
      chart('Flags', 'reqps', [
        requests(`${ofService},response_flags!="-"`, ' by (response_flags)'),
        '{{response_flags}}',
      ]),
    ],
    [
      'Connections',
      chart('New', 'cps', [tcp('connections_opened', ofService, ' by (source_workload)'), '{{source_workload}}']),
      chart('Failed', 'cps', [tcp('connections_failed', ofService, ' by (response_flags)'), '{{response_flags}}']),
      chart('Bytes', 'Bps', [tcp('sent_bytes', ofService), 'sent'], [tcp('received_bytes', ofService), 'received']),
    ],
  ],
});

const inbound = ',destination_workload_namespace=~"$namespace",destination_workload=~"$workload"';
const outbound = ',source_workload_namespace=~"$namespace",source_workload=~"$workload"';
const workload = dashboard({
  uid: 'ambit-workload',
  title: 'ambit: workload',
  description: 'A workload: what comes in, and what it calls.',
  variables: [
    namespace,
    variable(
      'workload',
      'destination_workload',
      'istio_tcp_connections_opened_total{destination_workload_namespace=~"$namespace"}',
    ),
  ],
  rows: [
    [
      'In',
      chart('Requests by client', 'reqps', [requests(inbound, ' by (source_workload)'), '{{source_workload}}']),
      chart('Success', 'percentunit', [success(inbound, ' by (destination_workload)'), '{{destination_workload}}']),
      chart('Duration', 'ms', ...latencies(inbound)),
    ],
    [
      'Connections in',
      chart('By identity', 'cps', [
        tcp('connections_opened', inbound, ' by (source_principal)'),
        '{{source_principal}}',
      ]),
      chart('By safety', 'cps', [
        tcp('connections_opened', inbound, ' by (connection_security_policy)'),
        '{{connection_security_policy}}',
      ]),
      chart('Bytes', 'Bps', [tcp('sent_bytes', inbound), 'sent'], [tcp('received_bytes', inbound), 'received']),
    ],
    [
      'Out',
      chart('Requests by service', 'reqps', [
        requests(outbound, ' by (destination_service)'),
        '{{destination_service}}',
      ]),
      chart('Success', 'percentunit', [success(outbound, ' by (destination_service)'), '{{destination_service}}']),
      chart('Connections', 'cps', [
        tcp('connections_opened', outbound, ' by (destination_service)'),
        '{{destination_service}}',
      ]),
    ],
  ],
});

const rate = (metric, by = '') => `sum(rate(${metric}${RATE}))${by}`;
const ztunnel = dashboard({
  uid: 'ambit-ztunnel',
  title: 'ambit: ztunnel',
  description: 'The proxies of the nodes.',
  rows: [
    [
      'Connections',
      chart('Opened', 'cps', [
        rate('istio_tcp_connections_opened_total', ' by (instance, reporter)'),
        '{{instance}} {{reporter}}',
      ]),
      chart('Closed by flag', 'cps', [
        rate('istio_tcp_connections_closed_total', ' by (response_flags)'),
        '{{response_flags}}',
      ]),
      chart('Open sockets', 'short', [
        'sum(istio_tcp_sockets_open) by (instance, reporter)',
        '{{instance}} {{reporter}}',
      ]),
    ],
    [
      'Pods and configuration',
      chart(
        'Pods in hand',
        'short',
        ['workload_manager_active_proxy_count', '{{instance}} active'],
        ['workload_manager_pending_proxy_count', '{{instance}} pending'],
      ),
      chart('Messages of the control plane', 'ops', [rate('istio_xds_message_total', ' by (url)'), '{{url}}']),
      chart('Ended streams', 'ops', [rate('istio_xds_connection_terminations_total', ' by (reason)'), '{{reason}}']),
    ],
    [
      'Names and process',
      chart(
        'DNS',
        'ops',
        [rate('istio_dns_requests_total'), 'asked'],
        [rate('istio_dns_upstream_requests_total'), 'passed on'],
        [rate('istio_dns_upstream_failures_total'), 'failed'],
      ),
      chart('Refused by revocation', 'ops', [
        rate('istio_crl_policy_rejections_total', ' by (reporter)'),
        '{{reporter}}',
      ]),
      chart('Descriptors', 'percentunit', ['process_open_fds / process_max_fds', '{{instance}}']),
    ],
  ],
});

const control = dashboard({
  uid: 'ambit-control',
  title: 'ambit: control plane',
  description: 'The control plane and the agents of the nodes.',
  rows: [
    [
      'Now',
      stat('Proxies', 'short', 'sum(pilot_xds)'),
      stat('Leaders', 'short', 'sum(ambit_control_leader)'),
      stat('Rejected answers', 'short', 'sum(increase(pilot_total_xds_rejects[10m]))'),
      stat('Root ends', 'dateTimeFromNow', 'min(citadel_server_root_cert_expiry_timestamp) * 1000'),
    ],
    [
      'Feed',
      chart('Pushes', 'ops', [rate('pilot_xds_pushes', ' by (type)'), '{{type}}']),
      chart(
        'From a change to its push',
        's',
        ...[0.5, 0.99].map((share) => [
          `histogram_quantile(${share}, sum(rate(pilot_proxy_convergence_time_bucket${RATE})) by (le))`,
          `p${share * 100}`,
        ]),
      ),
      chart('Resources', 'short', ['max(ambit_control_resources) by (type)', '{{type}}']),
    ],
    [
      'Certificates',
      chart(
        'Signing requests',
        'ops',
        [rate('citadel_server_csr_count'), 'asked'],
        [rate('citadel_server_success_cert_issuance_count'), 'issued'],
        [rate('citadel_server_authentication_failure_count'), 'refused'],
      ),
      chart('Changes that count', 'ops', [rate('pilot_k8s_cfg_events', ' by (type)'), '{{type}}']),
      chart('CPU', 'percentunit', ['rate(process_cpu_seconds_total[$__rate_interval])', '{{instance}}']),
    ],
    [
      'Agents and memory',
      chart('Pods', 'short', ['sum(ambit_agent_pods) by (state)', '{{state}}']),
      chart('Nodes without the CNI plugin', 'short', ['count(istio_cni_install_ready == 0) or vector(0)', 'nodes']),
      chart(
        'Memory of the control plane',
        'bytes',
        ['process_resident_memory_bytes', '{{instance}} resident'],
        ['nodejs_heap_size_used_bytes', '{{instance}} heap'],
      ),
    ],
  ],
});

/** By file. */
export const DASHBOARDS = { mesh, service, workload, ztunnel, control };
