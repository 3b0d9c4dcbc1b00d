/** The redirection of pods for contestants that are no ztunnel: the rules that the agent writes, and ports for their peers. */
import { parseAgentConfig } from '../../src/agent/config.ts';
import { RuleApplier } from '../../src/agent/rule-applier.ts';
import { runCommand } from '../../src/agent/run-command.ts';
import { silentLogger } from '../../src/base/logger.ts';
import type { LabPod } from '../../test/helpers/netns.ts';
import { APPLICATIONS } from './proxy-pair.ts';

/** Where connections of applications arrive. */
export const CAPTURE_PORT = 15_001;
/** Where the peer's proxy calls: the first of a port for each application. */
export const PEER_PORT = 15_008;

/** Redirects what the applications of the pods send; what peers send to the ports for them is let through. */
export async function redirect(...pods: readonly LabPod[]): Promise<void> {
  const rules = new RuleApplier('iptables', { run: runCommand, log: silentLogger });
  const peers = [
    '-p',
    'tcp',
    '--dport',
    `${PEER_PORT + 1}:${PEER_PORT + Object.keys(APPLICATIONS).length - 1}`,
    '-j',
    'ACCEPT',
  ];
  for (const pod of pods) {
    await rules.apply(pod.path, { ...parseAgentConfig([], {}).rules, dnsCapture: false });
    pod.exec('iptables', '-t', 'nat', '-I', 'ISTIO_PRERT', '1', ...peers);
  }
}
