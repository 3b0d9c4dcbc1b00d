/** `ambit agent`: puts the pods of a node into the mesh and takes them out. */
import type { Command } from 'commander';
import type { AgentFlags } from '../roles/agent.ts';

const HELP = `
With a node name the agent serves a node of the cluster it runs in: it watches the pods of the node, installs the CNI
plugin on the host and exempts the kubelet's probes. Without one it does what it is asked over its socket.

Each flag has a variable: ZTUNNEL_UDS_ADDRESS, CNI_EVENT_ADDRESS, READINESS_ADDRESS, MONITORING_ADDRESS,
NATIVE_NFTABLES, NODE_NAME, CNI_NET_DIR, CNI_BIN_DIR, AMBIT_STATE_DIR.
Also read: AMBIENT_DNS_CAPTURE, AMBIENT_IPV6, HOST_PROBE_SNAT_IP, HOST_PROBE_SNAT_IPV6, LOG_LEVEL, LOG_FORMAT; in a
cluster POD_NAME, POD_NAMESPACE, EXCLUDE_NAMESPACES, AMBIENT_ENABLEMENT_SELECTOR (JSON),
AMBIENT_RECONCILE_POD_RULES_ON_STARTUP, HOST_PROC, CNI_BINARY.`;

/** Adds the command. */
export function addAgentCommand(program: Command, environment: NodeJS.ProcessEnv): void {
  program
    .command('agent')
    .description('run the node agent: redirection inside pods, and their hand-over to the proxy of this node')
    .option('--ztunnel-uds-address <path>', 'socket for the proxy (/var/run/ztunnel/ztunnel.sock)')
    .option('--cni-event-address <path>', 'socket for the CNI plugin (/var/run/istio-cni/pluginevent.sock)')
    .option('--readiness-address <address:port>', 'where /healthz and /readyz answer (0.0.0.0:8000)')
    .option('--monitoring-address <address:port>', 'where /metrics answers (0.0.0.0:15014 in a cluster)')
    .option('--rule-backend <name>', 'auto, iptables or nft (auto)')
    .option('--node-name <name>', 'serve this node of the cluster')
    .option('--cni-net-dir <path>', 'CNI configurations of the host, as mounted (/host/etc/cni/net.d)')
    .option('--cni-bin-dir <path>', 'CNI programs of the host, as mounted (/host/opt/cni/bin)')
    .option('--state-dir <path>', 'what has to survive a reboot, at the same path on the host (/var/lib/ambit)')
    .addHelpText('after', HELP)
    .action(async (flags: AgentFlags) => {
      const { runAgent } = await import('../roles/agent.ts');
      await runAgent(flags, environment);
    });
}
