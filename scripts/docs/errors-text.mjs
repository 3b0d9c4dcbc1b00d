// Cause and remedy of every error code. The texts themselves come from the code; `texts` replaces them where the text is
// put together, and `textOf` names the error whose text is passed on.
export const PROXY_ERRORS = {
  POLICY_DENIED: {
    texts: [
      'connection closed due to policy rejection: explicitly denied by: …',
      'connection closed due to policy rejection: allow policies exist, but none allowed',
      'connection closed due to policy rejection: policy not yet known: …',
    ],
    cause:
      'An AuthorizationPolicy or PeerAuthentication refuses the client. `istio_converted_static_strict` is STRICT mutual TLS. "Not yet known": the control plane names a policy that it has not sent.',
    action:
      'Compare `src.identity` of the log line with the policy. No identity: the client is not in the mesh. "Not yet known" for long: look at the log of the control plane.',
  },
  POLICY_CHANGED: {
    cause: 'The connection was open when a policy, or the list of policies of its workload, changed and now denies it.',
    action: 'Nothing, when the change was meant.',
  },
  CERTIFICATE_REVOKED: {
    texts: ['connection closed: peer certificate revoked by CRL'],
    cause: 'The certificate of the peer is in the revocation list of `CRL_PATH`. Open connections end too.',
    action: 'Nothing, when it was meant. Else correct the list; it is read again when it changes.',
  },
  NOT_CONNECT: {
    cause: 'The peer sent another method through the tunnel.',
    action: 'Find the peer by `src.identity`: it is no ambient proxy.',
  },
  INVALID_AUTHORITY: {
    cause: 'The address in the CONNECT request cannot be read.',
    action: 'Find the peer by `src.identity`.',
  },
  IP_MISMATCH: {
    cause:
      'The tunnel asks for an address that is not that of this pod, nor of anything that names this pod as waypoint.',
    action:
      'Most often the peer knows an old address of a pod: wait for the feed. If it lasts, compare `config_dump` on both nodes.',
  },
  RECURSIVE_CALL: {
    cause: 'The destination is a port of the proxy itself.',
    action: 'Do not call 15001, 15006 or 15008.',
  },
  UNKNOWN_LOCAL_WORKLOAD: {
    texts: ['failed to fetch information about local workload: …'],
    cause: 'The feed has no record of the local pod with this name, namespace and service account after 5 s.',
    action:
      'Is the control plane reachable, and does it know the pod? `/debug/ambientz` of the control plane lists workloads.',
  },
  UNKNOWN_WAYPOINT: {
    cause: 'The destination names a waypoint that does not exist or has no healthy endpoint. It is not passed by.',
    action:
      'Deploy the waypoint, correct the label `istio.io/use-waypoint`, or run `ambit control --missing-waypoint open`.',
  },
  UNKNOWN_NETWORK_GATEWAY: {
    cause: 'The destination is on another network whose gateway is not in the feed, or has no healthy endpoint.',
    action: 'Check the gateway of that network.',
  },
  UNKNOWN_HOSTNAME: {
    cause: 'The tunnel asks for a host name that is neither service nor workload here.',
    action: 'Compare the feeds of both nodes.',
  },
  NO_ANSWER: {
    cause: '`XDS_ON_DEMAND`: the control plane said nothing about the destination for 5 s, so nothing is known of it.',
    action: 'Look at the connection to the control plane; nothing goes out unknown meanwhile.',
  },
  NO_HEALTHY_UPSTREAM: {
    cause: 'The service has no endpoint that is ready and has the port.',
    action: 'Look at the readiness of the pods and at the ports of the Service.',
  },
  UPSTREAM_OVERFLOW: {
    cause: 'A limit of the `connectionPool` of the DestinationRule is reached: connections, or requests that wait.',
    action: 'Raise the limit, or give the service more endpoints.',
  },
  NO_SERVICE_FOR_TARGET: {
    cause: 'A workload of another network was called by its address; only services are reachable there.',
    action: 'Call the service.',
  },
  NO_RESOLVED_ADDRESS: {
    cause: 'The workload has no address of the wanted family, or its host name does not resolve.',
    action: 'Check `/etc/resolv.conf` of the proxy and the ServiceEntry.',
  },
  NO_SERVICE_PORT: {
    cause: 'The tunnel asks for a port that the service does not have.',
    action: 'Compare the ports of the Service with the call.',
  },
  NO_SERVICE_ADDRESS: {
    cause: 'The PROXY header has to name an address of the service, which has none.',
    action: 'Give the service an address; headless services do not work behind an application tunnel.',
  },
  CONNECT_FAILED: {
    texts: ['connection failed: …'],
    cause: 'TCP was refused, unreachable or not answered. The rest of the text says which.',
    action:
      'Refused: does the application listen? On the side of the client with port 15008: is the node proxy there running?',
  },
  CONNECT_TIMED_OUT: {
    cause: 'Nothing answered on the tunnel port within 10 s.',
    action: 'Allow TCP 15008 between pods in NetworkPolicies and firewalls. Else: the node is down.',
  },
  TLS_FAILED: {
    texts: ['tls error: …'],
    cause:
      'The handshake failed, took longer than 10 s, was pushed out by newer ones, or the peer has another identity or trust domain than expected.',
    action:
      '"Identity verification error": the address moved to a pod of another account; wait for the feed. "Certificate": compare roots and clocks.',
  },
  TLS_CREDENTIAL_UNUSABLE: {
    texts: ['tls error: …'],
    cause:
      'A waypoint is to speak TLS to an endpoint, and the Secret or file for it is missing, broken, or not for it.',
    action: 'Correct the Secret or file that the text names, or permit it, see waypoints.md; new connections take it.',
  },
  H2_HANDSHAKE_FAILED: {
    cause: 'The other end took the TLS connection and closed it without a word of HTTP/2.',
    action: 'Something other than a tunnel proxy listens on port 15008 there; look what it is.',
  },
  H2_FAILED: {
    texts: ['h2 failed: …'],
    cause: 'The tunnel ended, or the peer reset the stream, before the connection was answered.',
    action: 'Look at the log of the other proxy at this time.',
  },
  HTTP_STATUS: {
    texts: ['http status: 401 Unauthorized', 'http status: 400 Bad Request', 'http status: 503 Service Unavailable'],
    cause:
      'The other proxy refused: 401 policy, 400 bad request or wrong address, 503 the application or the workload is not there.',
    action: 'Look at the log line of the other proxy: it has the reason.',
  },
  IDENTITY: {
    texts: ['identity error: …'],
    cause: 'There is no valid certificate for the pod.',
    action: 'The rest of the text is the answer of the certificate service; see "Feed and certificates" below.',
  },
  IO: {
    texts: ['io error: …'],
    cause: 'A connection broke in a way that is not the end of a stream.',
    action: 'The rest of the text names the system error.',
  },
  DESTINATION_DISCONNECTED: {
    textOf: 'RELAY_DESTINATION_DISCONNECTED',
    cause: 'The destination ended the connection in the middle.',
    action: 'Look at the application. Restarts and idle timeouts of servers look like this.',
  },
  CLIENT_DISCONNECTED: {
    textOf: 'RELAY_CLIENT_DISCONNECTED',
    cause: 'The client reset the connection.',
    action: 'Nothing, most often.',
  },
  DRAINED: {
    cause: 'The proxy shut down, or the pod left the mesh or ended, with the connection open.',
    action: 'For long connections raise the termination grace period.',
  },
  TOO_MANY_CONNECTIONS: {
    cause:
      'A client holds as many connections through a waypoint as are left for all: it does not close them, or its peers do not.',
    action: 'Look at `ambit_waypoint_open`; `WAYPOINT_MAX_CONNECTIONS` is the number for all clients together.',
  },
  POOL_DRAINING: { cause: 'The proxy is shutting down.', action: 'Nothing.' },
};

/** What to do, by subject and code. */
export const PROCESS_ERRORS = [
  {
    title: 'Start of ztunnel',
    codes: {
      INVALID_CONFIGURATION:
        'Correct the variables named; all problems are listed at once. See [config.md](config.md).',
      INVALID_LOCAL_CONFIG: 'Correct the file at the path named.',
      MISSING_PRIVILEGE: 'Add the capability named to the container.',
      PROXY_START_FAILED: 'The rest of the text says which listener failed; another process may have the port.',
      NOT_A_WORKER: 'Start `ambit ztunnel`, not the file of the data thread.',
      FAKE_CA_FAILED: 'A fault of the program: report it.',
    },
  },
  {
    title: 'Feed and certificates',
    codes: {
      NO_CERTIFICATE_AUTHORITY: 'Set `CA_ADDRESS`.',
      ROOT_CA_UNREADABLE: 'Mount the root, or name it with `XDS_ROOT_CA` and `CA_ROOT_CA`.',
      TOKEN_UNREADABLE: 'Mount the token, or name it with `AUTH_TOKEN`.',
      CERTIFICATE_SIGNING_FAILED:
        'Unauthenticated: the log of the control plane has the reason (token, or no such pod on the node). Unavailable: the control plane is not reachable. It is tried again.',
      INVALID_CERTIFICATE_CHAIN:
        'The certificate service answered with something that does not fit the request: check which service `CA_ADDRESS` is.',
      TLS_HANDSHAKE_FAILED: 'Shown as `tls error`: see above.',
      TLS_PEER_REFUSED: 'Shown as `tls error`: see above.',
      TLS_PEER_REVOKED: 'See `CERTIFICATE_REVOKED` above.',
    },
  },
  {
    title: 'Control plane',
    codes: {
      CONFIG_FOLDER_UNREADABLE: 'Create the folder, or name another one.',
      CONTROL_LISTEN_FAILED: 'Free the port, or choose another with `--grpc-port`.',
      TOKEN_KEYS_UNREADABLE: 'Name a readable file of public keys with `--token-keys`.',
      TOKEN_REVIEW_FAILED: 'The API server cannot be asked about a token: the text says why. Callers try again.',
      TOKEN_MISSING: 'The caller sends no token: check `AUTH_TOKEN` of the proxy.',
      TOKEN_INVALID: 'The token is not signed by a key of the file, or has another audience, issuer or subject.',
      TOKEN_EXPIRED: 'Renew the token; compare the clocks.',
      CSR_TOO_LARGE: 'The caller is no proxy of this mesh.',
      CSR_MALFORMED: 'The caller is no proxy of this mesh.',
      CSR_KEY_REFUSED: 'Use P-256, P-384, or RSA of 2048 to 8192 bits.',
      CSR_SIGNATURE_INVALID: 'The caller is no proxy of this mesh.',
      CA_FILE_UNREADABLE: 'Make the file readable for the control plane.',
      CA_FILE_MALFORMED: 'Replace the file with PEM as the text says.',
      CA_KEY_MISMATCH: 'Put certificate and key of one authority into the folder.',
      CA_NOT_A_CA: 'Use a certificate with basic constraints CA:TRUE.',
      CA_EXPIRED: 'Replace the certificate.',
      CA_CHAIN_BROKEN: 'Complete `cert-chain.pem` or `root-cert.pem`.',
      CA_SECRET_MISSING: 'Restore the Secret named; until then the former authority goes on.',
      CA_SECRET_UNUSABLE: 'Correct the Secret named as the text says.',
      CA_SECRET_NOT_WRITTEN: 'Grant the control plane create and update of Secrets in its namespace.',
      UNSUPPORTED_CA_KEY: 'Use an RSA, P-256 or P-384 key.',
    },
  },
  {
    title: 'Kubernetes API',
    codes: {
      KUBE_CONFIG: 'Correct what the text names of the kubeconfig, or of the service account of the pod.',
      KUBE_REFUSED: 'The text is that of the API server. 403: the account lacks the right that is named.',
      KUBE_UNREACHABLE: 'Is the API server up and reachable? It is tried again.',
      KUBE_TIMEOUT: 'The API server is overloaded, or packets are dropped on the way. It is tried again.',
      KUBE_ANSWER_INVALID: 'Something in between answers in place of the API server.',
    },
  },
  {
    title: 'Agent',
    codes: {
      COMMAND_OUTPUT_TOO_LARGE:
        'The program named writes more than any pod should make it write: look at what the text names.',
      HOST_RULES:
        'Probes of enrolled pods may fail on this node: install what the text names, or let the agent use nft.',
      REQUEST_INVALID: 'The body of the request is wrong in the fields named.',
      REQUEST_TOO_LARGE: 'The body of the request is too large.',
      POD_UNKNOWN: '`POST /cmdadd` needs a source of pods, which the agent does not have yet: use `POST /pods`.',
      AGENT_STOPPING: 'Ask again; the agent is being replaced.',
      NETNS_NOT_FOUND: 'Has the pod ended? Does the agent see the path (mount of `/var/run/netns`)?',
      NETNS_IS_HOST: 'Pods with hostNetwork stay outside the mesh.',
      NETNS_NOT_OF_POD: 'The path belongs to another pod by now: ask again with the current one.',
      NETNS_IN_USE: 'Two pods claim one namespace: remove the one named.',
      RULES_TOOL_FAILED: 'Install iptables or nftables; grant CAP_NET_ADMIN and CAP_SYS_ADMIN; load netfilter.',
      RULES_NOT_APPLIED: 'Another program changes the rules in the pod: find it.',
      COMMAND_MISSING: 'Install the program.',
      COMMAND_TIMEOUT: 'The machine is overloaded, or a lock of iptables is held.',
      ZDS_NO_CONNECTION:
        'Is ztunnel running on this node, does it have its feed, and do both name the same socket? The pod is offered again.',
      ZDS_CLOSED: 'ztunnel went away; it gets a snapshot when it is back.',
      ZDS_TIMEOUT: 'ztunnel hangs: see its log and `/healthz/ready`.',
      ZDS_REFUSED: 'The text is that of ztunnel, most often a listener that could not be opened in the pod.',
      ZDS_PROTOCOL: 'Versions of agent and ztunnel do not fit.',
    },
  },
  {
    title: '`ambit install`, `upgrade`, `uninstall`, `check`',
    codes: {
      KUBECONFIG_MISSING: 'Give `--kubeconfig`, or set `KUBECONFIG`.',
      INSTALL_VALUES_INVALID: 'Correct the values named; deploy/helm/ambit/README.md lists all.',
      INSTALL_APPLY_FAILED: 'The text is that of the API server. Run the command again: it goes on where it stopped.',
      INSTALL_DELETE_FAILED: 'The same.',
      INSTALL_LIST_FAILED: 'The account needs the right to list what is named.',
      INSTALL_KIND_UNKNOWN: 'A fault of the program: report it.',
      NOT_INSTALLED: '`ambit install`, or `-n` with the namespace of the mesh.',
      INSTALLED_ELSEWHERE: 'A cluster takes one installation: use that one, or remove it first.',
      NAMESPACE_TERMINATING:
        'Wait until it is gone; what holds it is in the text, and in `kubectl get namespace -o yaml`.',
      AGENT_AWAY:
        'Bring the agent of the named nodes back, wait longer with `--timeout`, or `--force` and restart those pods.',
      PODS_CAPTURED:
        '`ambit upgrade --wait` brings the agents back; then uninstall again. Or `--force`, and restart those pods.',
      ROLLOUT_INCOMPLETE: 'The text says what pods wait for; `kubectl describe` says more.',
      PODS_REMAIN: 'A node that does not answer keeps its agent: bring it back, or delete the pod with `--force`.',
      STORED_VALUES_UNREADABLE: 'Repair the ConfigMap, or start over with `--reset-values`.',
    },
  },
  {
    title: '`ambit waypoint`',
    codes: {
      WAYPOINT_API_FAILED: 'The text is that of the API server.',
      WAYPOINT_ARGUMENTS: 'Correct what is typed: the text says what is wrong.',
      WAYPOINT_NAME_TAKEN: 'Choose another `--name`: the Gateway belongs to somebody else.',
      WAYPOINT_NOT_FOUND: '`ambit waypoint list -A` shows where waypoints are.',
      WAYPOINT_NOT_READY:
        'The text is what the control plane says in the status of the Gateway; `kubectl get pods` shows the pods of the waypoint.',
      WAYPOINT_OTHER_IN_USE: '`--overwrite` puts the new one in its place.',
      GATEWAY_API_MISSING: 'Install the CRDs of the Gateway API.',
    },
  },
  {
    title: 'Commands that look at a mesh',
    codes: {
      MESH_AMBIGUOUS: 'Leave out either `--name` or `--kubeconfig` and `--context`.',
      PROXY_UNREACHABLE:
        'The text names the program and what kept it from answering: the pod may be starting, or be of another version.',
      PROXY_UNKNOWN: 'The text names those that there are; `ambit status` shows them.',
      CLUSTER_UNREADABLE:
        'Use an account that may list and watch pods, services and the objects of Istio and the Gateway API.',
      CONTROL_UNREACHABLE: 'The text says what kept each control plane from answering: `ambit status`.',
      PROMETHEUS_ADDRESS:
        'Give `--prometheus` (`dashboard.prometheus`) an address such as `http://prometheus.monitoring:9090`.',
      PROMETHEUS_UNREACHABLE:
        'Give `--prometheus` the address at which its own pages are, such as `http://localhost:9090`.',
      END_UNKNOWN: 'Name it as the text says.',
      HEADER_INVALID: 'Write the header as `NAME: VALUE`.',
      SECTION_UNKNOWN: 'The text names the sections that there are.',
      LOG_LEVEL_REFUSED: 'The text names the word that is no level, and those that are.',
      FILE_NOT_WRITABLE: 'The text says why; `-f` names another file.',
      PROFILE_REFUSED: 'One profile is taken at a time: wait for its end.',
    },
  },
  {
    title: '`ambit up`, `exec`, `down`',
    codes: {
      NAMESPACES_FORBIDDEN: 'Type what the text says, or run as root.',
      PROGRAMS_MISSING: 'Install the packages named.',
      NODE_TOO_OLD: 'Start `bin/ambit`: it uses the pinned Node.',
      RUN_ALREADY_UP: 'End it with `ambit down`, or choose another `--name`.',
      RUN_NOT_UP: 'Start one with `ambit up`, or name one that is up.',
      RUN_NAME_INVALID: 'Lower-case letters, digits and `-`, at most 40.',
      RUN_FOLDER_UNSAFE: 'Remove the folder, or set `XDG_RUNTIME_DIR`.',
      RUN_WILL_NOT_END: 'A process hangs in the kernel: look at it with `ps`.',
      TOO_MANY_NODES: 'Use fewer nodes.',
      NODE_FULL: 'Use more `--nodes`.',
      CONTROL_NOT_READY: 'The log named says why.',
      AGENT_NOT_READY: 'The log named says why.',
      AGENT_FAILED: 'Tried again; the text is that of the agent.',
      SANDBOX_FAILED: 'The text is that of `mount` or `unshare`: the kernel refuses a mount.',
      PROGRAM_FAILED: 'The text is that of the program.',
      EXEC_NO_COMMAND: 'Put the command behind `--`.',
      EXEC_NO_POD: 'Choose one of the pods listed; `-n` names the namespace.',
      EXEC_NO_CONTAINER: 'Choose one of the containers listed.',
      EXEC_NO_NODE: 'Choose one of the nodes listed.',
    },
  },
  {
    title: 'Sockets',
    codes: {
      CONNECT_TIMEOUT: 'Host down, or packets dropped on the way.',
      CONNECT_REFUSED: 'Start what should listen.',
      CONNECT_RESET: 'Look at the peer.',
      CONNECT_UNREACHABLE: 'Check routes and firewalls of the pod.',
      CONNECT_NO_SOURCE_PORT: 'Too many connections to one destination: reuse them.',
      CONNECT_NO_DESCRIPTORS: 'Raise the limit of open files.',
      CONNECT_ABORTED: 'Nothing.',
      CONNECT_FAILED: 'The text is that of the system.',
      LISTEN_ADDRESS_IN_USE: 'End the other process, or choose another port.',
      LISTEN_ADDRESS_UNAVAILABLE: 'Choose an address of this machine.',
      LISTEN_PERMISSION: 'Grant CAP_NET_BIND_SERVICE, or choose a port from 1024 on.',
      LISTEN_FAILED: 'The text is that of the system.',
      NATIVE_ADDON_MISSING: 'Build it: `make build`.',
      NATIVE_PERMISSION: 'Grant the capability named.',
      NATIVE_ADDRESS_IN_USE: 'End the other process.',
      NATIVE_ADDRESS_UNAVAILABLE: 'The namespace does not have the address.',
      NATIVE_NO_DESCRIPTORS: 'Raise the limit of open files.',
      NATIVE_BAD_NETNS: 'The pod has ended.',
      NATIVE_UNSUPPORTED: 'Load the kernel module named, or turn the feature off.',
      NATIVE_PEER_GONE: 'The other program went away.',
      NATIVE_TRUNCATED: 'Versions of agent and ztunnel do not fit.',
      NATIVE_WOULD_BLOCK: 'The other program does not keep up.',
      NATIVE_FAILED: 'The text names the step and the system error.',
    },
  },
  {
    title: 'Tunnels',
    codes: {
      HTTP2_PROTOCOL_VIOLATION: 'The peer is no correct HTTP/2 implementation; the tunnel was closed.',
      HTTP2_FLOOD:
        'The peer sent more cheap frames than any client does; the tunnel was closed. See [limits.md](limits.md).',
      HTTP2_PEER_GOAWAY: 'The peer shut down with an error.',
      HTTP2_TRANSPORT_LOST: 'The TLS connection under the tunnel ended.',
      HTTP2_PING_TIMEOUT: 'The peer is gone or unreachable.',
      HTTP2_OUTPUT_OVERFLOW: 'The peer asks and does not read the answers.',
      HTTP2_NOT_ACCEPTING: 'Nothing: another tunnel is opened for the next connection.',
      HTTP2_TOO_MANY_STREAMS: 'Nothing: another tunnel is opened for the next connection.',
      HTTP2_HEADERS_INVALID: 'A fault of the program: report it.',
      HTTP2_DESTROYED: 'Nothing.',
      HTTP2_STREAM_CLOSED: 'Look at the proxy of the other end.',
      RELAY_DESTINATION_DISCONNECTED: 'See `DESTINATION_DISCONNECTED` above.',
      RELAY_CLIENT_DISCONNECTED: 'See `CLIENT_DISCONNECTED` above.',
      RELAY_FAILED: 'See `IO` above.',
    },
  },
  {
    title: 'HTTP/1.1',
    codes: {
      HTTP1_PROTOCOL_VIOLATION:
        'The peer is no correct HTTP/1.1 implementation, or somebody tries to smuggle a request.',
      HTTP1_TRANSPORT_LOST: 'Look at the peer: it closed the connection within a message.',
      HTTP1_NO_RESPONSE:
        'Often nothing: the server closed an idle connection just when a request was on its way, and it is sent again.',
      HTTP1_TIMEOUT: 'The client sends its request slower than [limits.md](limits.md) allow.',
      HTTP1_NOT_ACCEPTING: 'Nothing: the request goes out on another connection.',
      HTTP1_HEADERS_INVALID: 'The request cannot be said in HTTP/1.1; the text names the header.',
      HTTP1_DESTROYED: 'Nothing.',
      TUNNEL_CLOSED: 'Look at the proxy of the other end: the tunnel under the HTTP connection was reset or lost.',
    },
  },
];
