// What each variable means, by subject: [name, whose name it is, meaning, {fallback, values, field}]. Kind, bounds and
// default come from the code; `fallback` and `values` replace them where the code computes them, and `field` names the
// field of the configuration where it is worth checking that somebody uses it.
const ISTIO = 'Istio';
const OWN = 'ambit';

export const ZTUNNEL_GROUPS = [
  {
    title: 'Mode',
    variables: [
      ['ENABLE_PROXY', ISTIO, 'Off: admin, metrics, readiness and the feed only, no pods.'],
      [
        'PROXY_MODE',
        ISTIO,
        '`shared`: all pods that the agent hands over. `dedicated`: one workload, listeners in the own network namespace.',
      ],
      [
        'PROXY_WORKLOAD_INFO',
        ISTIO,
        'The workload of dedicated mode.',
        { values: '`namespace/name/account`', fallback: 'required in dedicated mode' },
      ],
      [
        'AMBIT_SINGLE_THREAD',
        OWN,
        'Control and data in one thread. Saves memory; a large push of the control plane then delays bytes.',
      ],
    ],
  },
  {
    title: 'Who this proxy is',
    variables: [
      ['NODE_NAME', ISTIO, 'The node. Certificates are fetched ahead for tunnelled workloads with this node name.'],
      ['POD_NAME', ISTIO, "The proxy's own pod."],
      ['POD_NAMESPACE', ISTIO, 'Its namespace.'],
      [
        'SERVICE_ACCOUNT',
        ISTIO,
        'Its service account. With the two above, metrics and readiness are also served through a tunnel on 15008.',
      ],
      ['INSTANCE_IP', ISTIO, 'Its address, told to the control plane.'],
      ['NETWORK', ISTIO, 'The network it is on.'],
      ['ISTIO_META_CLUSTER_ID', ISTIO, 'The cluster; read before `CLUSTER_ID`.'],
      ['CLUSTER_ID', ISTIO, 'The cluster, sent with every call to the control plane.'],
      ['CLUSTER_DOMAIN', ISTIO, 'Domain of service host names.'],
      [
        'TRUST_DOMAIN',
        ISTIO,
        'Shown in the configuration dump; has no other effect yet. Workloads, this proxy included, carry their trust domain in the feed.',
      ],
    ],
  },
  {
    title: 'Control plane and certificates',
    variables: [
      [
        'XDS_ADDRESS',
        ISTIO,
        'The feed. Empty: none. `http://` has no TLS.',
        { fallback: '`https://localhost:15012`; in Kubernetes `https://istiod.istio-system.svc:15012`' },
      ],
      [
        'CA_ADDRESS',
        ISTIO,
        'The certificate service. Empty: none, and every certificate fails with a text that says so.',
        { fallback: 'as `XDS_ADDRESS`' },
      ],
      ['XDS_ROOT_CA', ISTIO, 'Root of the feed: a path, PEM text, or `SYSTEM`. Read again at every connection.'],
      ['CA_ROOT_CA', ISTIO, 'Root of the certificate service. Read again after a failed request.'],
      ['ALT_XDS_HOSTNAME', ISTIO, 'Name to verify in place of the host of `XDS_ADDRESS`.'],
      ['ALT_CA_HOSTNAME', ISTIO, 'Name to verify in place of the host of `CA_ADDRESS`.'],
      ['AUTH_TOKEN', ISTIO, 'File of the bearer token, read at every call; or the token itself.'],
      ['XDS_HEADER_*', ISTIO, 'More metadata for calls of the feed; the rest of the name is the header.'],
      ['CA_HEADER_*', ISTIO, 'More metadata for calls of the certificate service.'],
      ['ISTIO_META_*', ISTIO, 'Metadata about this proxy for the control plane.'],
      ['ISTIO_METAJSON_*', ISTIO, 'The same with JSON values.'],
      [
        'XDS_ON_DEMAND',
        ISTIO,
        'Ask for addresses one by one, when a connection needs them, in place of all of the mesh. The first connection to an address waits for the answer, at most 5 s, and fails without one. Services that own a block of addresses (CIDR) are not found by an address in it. Needs `ISTIO_META_DNS_CAPTURE=false`.',
      ],
      ['LOCAL_XDS_PATH', ISTIO, 'A static configuration in place of, or in addition to, the feed.'],
      ['LOCAL_XDS', ISTIO, 'The same as text.'],
      ['FAKE_CA', ISTIO, 'Certificates of a root whose key everybody knows. For tests; protects nothing.'],
      ['SECRET_TTL', ISTIO, 'Lifetime asked for certificates. They are renewed at half of it, up to 10 % earlier.'],
      [
        'CRL_PATH',
        ISTIO,
        'File of certificate revocation lists, PEM or DER; read again when it changes. Peers in it are refused, and their open connections end.',
        { field: 'crlPath' },
      ],
      ['TLS12_ENABLED', ISTIO, 'TLS 1.2 in addition to 1.3.'],
      [
        'COMPLIANCE_POLICY',
        ISTIO,
        '`pqc`: only the group X25519MLKEM768. `fips-140-2`: only P-256 and P-384; the suites are AES-GCM anyhow.',
      ],
    ],
  },
  {
    title: 'Pods and sockets',
    variables: [
      ['INPOD_UDS', ISTIO, "The agent's socket."],
      [
        'INPOD_PORT_REUSE',
        ISTIO,
        'SO_REUSEPORT on listeners in pods: several data threads, and old and new proxy during an upgrade, share a port. More than one data thread needs it.',
      ],
      [
        'PACKET_MARK',
        ISTIO,
        'Mark of every packet of the proxy; 0: none. The rules in pods expect 1337 (0x539).',
        { fallback: '`1337`; in dedicated mode `0`' },
      ],
      [
        'ENABLE_ORIG_SRC',
        ISTIO,
        'Keep the source address towards applications. Unset: where the kernel allows. `true`: fail to start where it does not. `false`: never.',
        { fallback: 'unset' },
      ],
      ['IPV6_ENABLED', ISTIO, 'Listen on IPv6 as well. In a namespace without IPv6 it falls back by itself.'],
      ['LOCALHOST_APP_TUNNEL', ISTIO, 'Connections with the PROXY header go to the loopback address of the pod.'],
      [
        'UNSTABLE_ENABLE_SOCKS5',
        ISTIO,
        'SOCKS5 on the loopback of every pod, for programs whose traffic is not captured.',
      ],
      ['KEEPALIVE_ENABLED', ISTIO, 'TCP keep-alive on plain sockets. Tunnels have HTTP/2 PING instead, every 10 s.'],
      ['KEEPALIVE_TIME', ISTIO, 'Idle time before the first probe.'],
      ['KEEPALIVE_INTERVAL', ISTIO, 'Time between probes.'],
      ['KEEPALIVE_RETRIES', ISTIO, 'Probes without an answer before the end.'],
      ['USER_TIMEOUT_ENABLED', ISTIO, 'TCP_USER_TIMEOUT of idle + retries × interval.'],
    ],
  },
  {
    title: 'Threads, tunnels, drain',
    variables: [
      [
        'ZTUNNEL_WORKER_THREADS',
        ISTIO,
        'Data threads: a number, a share of the cores such as `50%`, or 0 for all cores. Dedicated mode has one.',
        { values: '0 to 1024, or `n%`', fallback: '`ZTUNNEL_CPU_LIMIT`, else a quarter of the cores and at least 1' },
      ],
      ['ZTUNNEL_CPU_LIMIT', ISTIO, 'CPU limit in whole cores, for the default above.', { fallback: 'unset' }],
      [
        'POOL_MAX_STREAMS_PER_CONNECTION',
        ISTIO,
        'Connections that share one tunnel. The limit of the peer counts when it is lower.',
      ],
      [
        'POOL_UNUSED_RELEASE_TIMEOUT',
        ISTIO,
        'A tunnel that nobody asked for during this time, and that carries nothing, is closed.',
      ],
      ['HTTP2_STREAM_WINDOW_SIZE', ISTIO, 'Flow-control window of a stream in bytes.'],
      ['HTTP2_CONNECTION_WINDOW_SIZE', ISTIO, 'Flow-control window of a tunnel in bytes.'],
      ['HTTP2_FRAME_SIZE', ISTIO, 'Largest frame that is taken, in bytes.'],
      [
        'CONNECTION_TERMINATION_DEADLINE',
        ISTIO,
        'How long open connections may last during a drain.',
        { fallback: 'see the next' },
      ],
      [
        'TERMINATION_GRACE_PERIOD_SECONDS',
        ISTIO,
        'Used when the deadline is unset: above 10 the deadline is this less 5 s, else less 1 s, at least 1 s. Neither set: 5 s.',
        { fallback: 'unset' },
      ],
      [
        'ENABLE_RESPONSE_BAGGAGE',
        ISTIO,
        'Answer tunnels with a `baggage` header, and use that of requests for telemetry.',
      ],
    ],
  },
  {
    title: 'Policy',
    variables: [
      [
        'AMBIT_UNKNOWN_POLICY',
        OWN,
        "What a policy that selects a workload and has not arrived means. `allow` is the behaviour of Istio's proxy.",
      ],
      ['AUTHZ_POLICY_INFO_LOGGING', ISTIO, 'Log every decision at info instead of debug.'],
    ],
  },
  {
    title: 'DNS',
    variables: [
      ['ISTIO_META_DNS_CAPTURE', ISTIO, "Serve DNS in pods. The agent's `AMBIENT_DNS_CAPTURE` has to agree."],
      [
        'ISTIO_META_DNS_PROXY_ADDR',
        ISTIO,
        'Port of the DNS proxy; of `address:port` only the port counts, it listens on the loopback addresses.',
      ],
      [
        'PREFERED_SERVICE_NAMESPACE',
        ISTIO,
        'Which of several services of one name is meant when neither the namespace of the client nor Kubernetes decides. The spelling is that of Istio.',
      ],
      ['AMBIT_RESOLV_CONF', OWN, 'Whose name servers answer names outside the mesh; read again when it changes.'],
    ],
  },
  {
    title: 'Ports',
    variables: [
      ['OUTBOUND_PORT', OWN, 'Outbound capture, in every pod.'],
      ['INBOUND_PLAINTEXT_PORT', OWN, 'Inbound plaintext, in every pod.'],
      ['INBOUND_PORT', OWN, 'Inbound tunnels, in every pod. Peers always call 15008.'],
      ['SOCKS5_PORT', OWN, 'SOCKS5, with `UNSTABLE_ENABLE_SOCKS5`.'],
      ['ADMIN_PORT', OWN, 'Admin, on the loopback. In `PROXY_CONFIG`: `proxyAdminPort`.'],
      ['STATS_PORT', OWN, 'Metrics. In `PROXY_CONFIG`: `statsPort`.'],
      ['READINESS_PORT', OWN, 'Readiness.'],
    ],
  },
  {
    title: 'Log',
    variables: [
      [
        'RUST_LOG',
        ISTIO,
        'Levels by scope, such as `info,access=off,dns=debug`. Words that are not understood are skipped. `POST /logging` on the admin port changes it while running.',
      ],
      ['LOG_FORMAT', ISTIO, 'Tab-separated text, or one JSON object per line.'],
    ],
  },
];

/** [name, default, whose name it is, meaning] */
export const AGENT_VARIABLES = [
  [
    'ZTUNNEL_UDS_ADDRESS',
    '`/var/run/ztunnel/ztunnel.sock`',
    OWN,
    'Socket for the proxy; `--ztunnel-uds-address` wins.',
  ],
  [
    'CNI_EVENT_ADDRESS',
    '`/var/run/istio-cni/pluginevent.sock`',
    OWN,
    'HTTP socket for pods; `--cni-event-address` wins.',
  ],
  ['READINESS_ADDRESS', '`0.0.0.0:8000`', OWN, '`/healthz` and `/readyz`; `--readiness-address` wins.'],
  [
    'NATIVE_NFTABLES',
    '`false`',
    ISTIO,
    '`true`: nft. Otherwise iptables where it is installed, else nft. `--rule-backend` wins.',
  ],
  ['AMBIENT_DNS_CAPTURE', '`true`', ISTIO, 'Redirect DNS of pods to the proxy.'],
  ['AMBIENT_IPV6', '`true`', ISTIO, 'IPv6 rules as well.'],
  ['HOST_PROBE_SNAT_IP', '`169.254.7.127`', ISTIO, 'Source address of probes; connections from it are not redirected.'],
  ['HOST_PROBE_SNAT_IPV6', '`fd16:9254:7127:1337:ffff:ffff:ffff:ffff`', ISTIO, 'The same for IPv6.'],
  [
    'AMBIT_JOIN_DRAIN',
    '`5m`',
    OWN,
    'How long connections that are open when a running pod joins the mesh may go on as they are, plain; then they are cut.',
  ],
  [
    'AMBIT_LEAVE_DRAIN',
    '`30s`',
    OWN,
    'How long connections through the proxy have to end when a running pod leaves the mesh; `0s` cuts them at once.',
  ],
  ['MONITORING_ADDRESS', '`0.0.0.0:15014` on a node of a cluster', OWN, '`/metrics`; `--monitoring-address` wins.'],
  [
    'NODE_NAME',
    'unset',
    ISTIO,
    'The node of a cluster whose pods are enrolled; `--node-name` wins. Unset: no cluster.',
  ],
  ['POD_NAME', 'unset', ISTIO, "The agent's own pod: tells an upgrade from an uninstallation."],
  ['POD_NAMESPACE', '`istio-system`', ISTIO, 'Its namespace.'],
  [
    'AMBIENT_ENABLEMENT_SELECTOR',
    'by the label `istio.io/dataplane-mode`',
    ISTIO,
    'JSON list of selectors of pods and namespaces.',
  ],
  ['EXCLUDE_NAMESPACES', '`kube-system`', ISTIO, 'Namespaces that are never enrolled, with commas between them.'],
  [
    'AMBIENT_RECONCILE_POD_RULES_ON_STARTUP',
    '`true`',
    ISTIO,
    'Compare the rules of pods that are in the mesh at the start, and write them again where they differ.',
  ],
  ['HOST_PROC', '`/proc`', OWN, "The host's processes."],
  ['AMBIT_STATE_DIR', '`/var/lib/ambit`', OWN, 'What has to survive a reboot; `--state-dir` wins.'],
  ['CNI_NET_DIR', '`/host/etc/cni/net.d`', ISTIO, "The host's CNI configurations, as mounted; `--cni-net-dir` wins."],
  ['CNI_BIN_DIR', '`/host/opt/cni/bin`', OWN, "The host's CNI programs, as mounted; `--cni-bin-dir` wins."],
  ['CNI_BINARY', '`/opt/ambit/build/ambit-cni`', OWN, 'The plugin in the image; `--cni-binary` wins.'],
  ['LOG_LEVEL', '`info`', OWN, 'Levels by scope, as `RUST_LOG` of ztunnel.'],
  ['LOG_FORMAT', '`plain`', ISTIO, '`json`: one object per line.'],
];

/** [name, who reads it, meaning] */
export const OTHER_VARIABLES = [
  [
    'PROXY_CONFIG',
    'ztunnel',
    'YAML with `discoveryAddress`, `proxyAdminPort`, `statsPort`, `concurrency`, `proxyMetadata` (Istio). The file `./etc/istio/config/mesh` gives the same under `defaultConfig`. Precedence: file, then `PROXY_CONFIG`, then variables.',
  ],
  [
    'KUBERNETES_SERVICE_HOST',
    'ztunnel, agent, control',
    'Set by Kubernetes: where the API server is; in ztunnel it changes the default of `XDS_ADDRESS` and `CA_ADDRESS`.',
  ],
  ['KUBERNETES_SERVICE_PORT', 'agent, control', 'The port of the API server.'],
  ['REVISION', '`ambit control`', 'Objects with another `istio.io/rev` are ignored. Default `default`.'],
  ['KUBECONFIG', '`install`, `upgrade`, `uninstall`, `check`', 'As for kubectl: the first file that exists.'],
  ['HOME', 'the same', '`$HOME/.kube/config` when `KUBECONFIG` is unset.'],
  ['NO_COLOR', '`check`', 'Set: no colors on a terminal.'],
  ['AMBIT_UP_LOG', '`ambit up`', 'Levels of its own log, `logs/up.log`. Default `info`.'],
  [
    'XDG_RUNTIME_DIR',
    '`ambit up`, `exec`, `down`',
    'Meshes are kept in `$XDG_RUNTIME_DIR/ambit`. Unset: `/tmp/ambit-<uid>`.',
  ],
  ['PATH', '`ambit up`, `exec`', 'Where programs are looked for; `/usr/sbin` and `/sbin` are added.'],
  ['MALLOC_TRIM_THRESHOLD_', '`bin/ambit`', 'Allocator of the C library; set to 64 MiB unless given.'],
  ['MALLOC_MMAP_THRESHOLD_', '`bin/ambit`', 'Set to 32 MiB unless given.'],
  ['MALLOC_ARENA_MAX', '`bin/ambit`', 'Set to 2 unless given.'],
];
