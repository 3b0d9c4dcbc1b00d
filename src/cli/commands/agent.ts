/** `ambit agent`: puts the pods of a node into the mesh and takes them out. */
import type { Command } from 'commander';
import type { AgentFlags } from '../roles/agent.ts';

const HELP = `
Each flag has a variable: ZTUNNEL_UDS_ADDRESS, CNI_EVENT_ADDRESS, READINESS_ADDRESS, NATIVE_NFTABLES.
Also read: AMBIENT_DNS_CAPTURE, AMBIENT_IPV6, HOST_PROBE_SNAT_IP, HOST_PROBE_SNAT_IPV6, LOG_LEVEL, LOG_FORMAT.`;

/** Adds the command. */
export function addAgentCommand(program: Command, environment: NodeJS.ProcessEnv): void {
  program
    .command('agent')
    .description('run the node agent: redirection inside pods, and their hand-over to the proxy of this node')
    .option('--ztunnel-uds-address <path>', 'socket for the proxy (/var/run/ztunnel/ztunnel.sock)')
    .option('--cni-event-address <path>', 'socket for the CNI plugin (/var/run/istio-cni/pluginevent.sock)')
    .option('--readiness-address <address:port>', 'where /healthz and /readyz answer (0.0.0.0:8000)')
    .option('--rule-backend <name>', 'auto, iptables or nft (auto)')
    .addHelpText('after', HELP)
    .action(async (flags: AgentFlags) => {
      const { runAgent } = await import('../roles/agent.ts');
      await runAgent(flags, environment);
    });
}
