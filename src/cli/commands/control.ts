/** `ambit control`: the control plane, over folders of manifests or over the API server. */
import { type Command, InvalidArgumentError } from 'commander';
import type { Environment } from '../../base/environment.ts';
import { collect, parseDuration, parsePortOption } from '../option-parsers.ts';
import type { ControlFlags } from '../roles/control.ts';

/** Adds the command. @param environment for POD_NAME, POD_NAMESPACE, REVISION and CLUSTER_ID in a pod */
export function addControlCommand(program: Command, environment: Environment): void {
  program
    .command('control')
    .description('run the control plane on Kubernetes, or over folders of manifests: discovery, policies, certificates')
    .option('--config <folder>', 'folder of manifests in place of the API server; repeat it, the first wins', collect)
    .option('--token-keys <file>', "with --config: public keys (PEM or JWKS) that signed the callers' tokens")
    .option('--ca-dir <folder>', 'with --config: certificate authority in the cacerts layout; made when it is empty')
    .option('--status-file <file>', 'with --config: where to write what is in force and what was refused')
    .option('--token-issuer <text>', 'with --config: issuer that tokens need (any)')
    .option('--kubeconfig <file>', 'how to reach the API server from outside of its cluster')
    .option('--context <name>', 'of the kubeconfig (its current one)')
    .option('--host <address>', 'address of the gRPC server', '0.0.0.0')
    .option('--grpc-port <port>', 'port of the gRPC server (TLS)', parsePortOption, 15012)
    .option('--http-host <address>', 'address of /ready, /debug/ambientz, /debug/statusz', '127.0.0.1')
    .option('--http-port <port>', 'port of these', parsePortOption, 8080)
    .option('--monitoring-port <port>', 'port of /metrics and /version on Kubernetes', parsePortOption, 15014)
    .option('--webhook-port <port>', 'port of the admission webhook on Kubernetes', parsePortOption, 15017)
    .option('--no-own-root', 'never make or rotate a root: it has to be there')
    .option('--root-key <type>', 'key of an own root: ec or rsa', chooseFrom('ec', 'rsa'), 'ec')
    .option('--cert-ttl <duration>', 'lifetime of certificates that ask for none (24h)', parseDuration)
    .option('--max-cert-ttl <duration>', 'longest lifetime that is granted (2160h)', parseDuration)
    .option('--root-overlap <duration>', 'how long a next root is known before it signs (48h)', parseDuration)
    .option('--token-audience <text>', 'audience that tokens need', 'istio-ca')
    .option('--node-account <account>', 'account of node proxies (ztunnel in its own namespace); repeat it', collect)
    .option('--dns-name <name>', 'one more name in the server certificate; repeat it', collect)
    .option('--trust-domain <name>', 'trust domain of identities', 'cluster.local')
    .option('--cluster-domain <name>', 'domain of service host names', 'cluster.local')
    .option('--cluster-id <name>', 'name of this cluster', environment['CLUSTER_ID'] || 'Kubernetes')
    .option('--network <name>', 'network of all addresses', '')
    .option('--root-namespace <name>', 'namespace whose policies hold for the mesh', 'istio-system')
    .option('--waypoint-image <image>', 'on Kubernetes: run waypoints that Gateways ask for with this image (none)')
    .option('--waypoint-pull-policy <policy>', 'imagePullPolicy of waypoints', 'IfNotPresent')
    .option('--missing-waypoint <answer>', 'closed or open', chooseFrom('closed', 'open'), 'closed')
    .option(
      '--root-policies <where>',
      'where mesh-wide policies hold: everywhere, or ztunnel alone',
      chooseFrom('everywhere', 'ztunnel'),
      'everywhere',
    )
    .option('--log-level <filter>', 'such as info or info,xds=debug', 'info')
    .option('--log-format <format>', 'plain or json', chooseFrom('plain', 'json'), 'plain')
    .action(async (flags: ControlFlags) => {
      const { runControl } = await import('../roles/control.ts');
      await runControl(flags, environment);
    });
}

function chooseFrom(...words: readonly string[]): (text: string) => string {
  return (text) => {
    if (words.includes(text)) return text;
    throw new InvalidArgumentError(`one of ${words.join(', ')} is needed.`);
  };
}
