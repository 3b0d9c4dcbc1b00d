/**
 * Bridges, veth pairs, addresses and routes, as shell scripts.
 *
 * Invariants:
 * - Every packet of a pod passes the routing of its node, also to a pod on the same node: pods have host routes only and
 *   isolated bridge ports, and nobody sends or takes redirects. So address translation sees both directions.
 * - Hardware addresses follow from the place in the network. A bridge without one of its own takes that of a port and
 *   changes it as ports come and go, and an address that another pod uses later would be looked for at the former one's:
 *   either way neighbours would send into nothing until they ask again.
 * - Packets on bridges never pass the rules of a host with br_netfilter: rules apply where packets are routed.
 */
import {
  CONTROL_ADDRESS,
  CONTROL_ADDRESS_V6,
  DNS_ADDRESS,
  type NodePlan,
  type PodAddresses,
  PROBE_ADDRESS_V4,
  PROBE_ADDRESS_V6,
} from './network-plan.ts';
import { runShell } from './run-program.ts';

const BACKBONE = 'backbone';
const POD_BRIDGE = 'pods';

const QUIET = `
quiet() { if [ -e "/proc/sys/net/$1" ]; then echo "$2" > "/proc/sys/net/$1"; fi; }
for c in all default; do
  quiet ipv4/conf/$c/rp_filter 0
  quiet ipv4/conf/$c/send_redirects 0
  quiet ipv4/conf/$c/accept_redirects 0
  quiet ipv6/conf/$c/accept_redirects 0
  quiet ipv6/conf/$c/disable_ipv6 0
  quiet ipv6/conf/$c/accept_ra 0
  quiet ipv6/conf/$c/accept_dad 0
done
for f in iptables ip6tables arptables; do quiet bridge/bridge-nf-call-$f 0; done
ip link set dev lo up
`;
const ROUTER = `
quiet ipv4/ip_forward 1
quiet ipv6/conf/all/forwarding 1
`;

/** A locally administered address (IEEE 802c). @param parts at most three numbers up to 255 */
function hardwareAddress(...parts: readonly number[]): string {
  const bytes = [0x02, 0xa8, 0, ...parts];
  return [...bytes, 0, 0, 0]
    .slice(0, 6)
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join(':');
}

/** Commands inside a network namespace. */
function inside(netns: string, script: string): string {
  return `nsenter --net='${netns}' sh -eu <<'INSIDE'\n${script}\nINSIDE\n`;
}

/** Lines of IPv6 are left out where the kernel has none. */
function lines(ipv6: boolean, v4: readonly string[], v6: readonly string[]): string {
  return [...v4, ...(ipv6 ? v6 : [])].join('\n');
}

/** Its settings come before any link does: a link takes the defaults of the moment in which it appears. */
function createNetns(path: string, settings: string): string {
  return `touch '${path}'\nunshare --net='${path}' true\n${inside(path, settings)}`;
}

/** The private root namespace: backbone and the address of the DNS server. */
export async function setUpBackbone(ipv6: boolean): Promise<void> {
  const commands = lines(
    ipv6,
    [
      `ip link add name ${BACKBONE} address ${hardwareAddress(0, 1)} type bridge`,
      `ip link set dev ${BACKBONE} up`,
      `ip addr add ${CONTROL_ADDRESS}/24 dev ${BACKBONE}`,
      `ip addr add ${DNS_ADDRESS}/32 dev lo`,
    ],
    [`ip -6 addr add ${CONTROL_ADDRESS_V6}/64 dev ${BACKBONE} nodad`],
  );
  await runShell(`${QUIET}${ROUTER}${commands}\n`);
}

/** A node: its namespace at `netns`, its place on the backbone, its pod network. Routes to other nodes come later. */
export async function setUpNode(node: NodePlan, netns: string, ipv6: boolean): Promise<void> {
  const port = `node${node.number}`;
  const commands = lines(
    ipv6,
    [
      `ip addr add ${node.address}/24 dev eth0`,
      'ip link set dev eth0 up',
      `ip route add default via ${CONTROL_ADDRESS}`,
      `ip link add name ${POD_BRIDGE} address ${hardwareAddress(node.number, 1)} type bridge`,
      `ip link set dev ${POD_BRIDGE} up`,
      `ip addr add ${node.gateway}/24 dev ${POD_BRIDGE}`,
      `ip addr add ${PROBE_ADDRESS_V4}/32 dev lo`,
    ],
    [
      `ip -6 addr add ${node.addressV6}/64 dev eth0 nodad`,
      `ip -6 route add default via ${CONTROL_ADDRESS_V6}`,
      `ip -6 addr add ${node.gatewayV6}/64 dev ${POD_BRIDGE} nodad`,
      `ip -6 addr add ${PROBE_ADDRESS_V6}/128 dev lo nodad`,
    ],
  );
  await runShell(`${createNetns(netns, `${QUIET}${ROUTER}`)}
ip link add name ${port} type veth peer name eth0 address ${hardwareAddress(0, 10 + node.number)} netns '${netns}'
ip link set dev ${port} master ${BACKBONE} up
${lines(ipv6, [`ip route add ${node.podCidr} via ${node.address}`], [])}
${inside(netns, commands)}
${lines(ipv6, [], [`ip -6 route add ${node.podCidrV6} via ${node.addressV6}`])}
`);
}

/** Routes from one node to the pods of the others. */
export async function setUpNodeRoutes(netns: string, others: readonly NodePlan[], ipv6: boolean): Promise<void> {
  const commands = lines(
    ipv6,
    others.map((other) => `ip route add ${other.podCidr} via ${other.address}`),
    others.map((other) => `ip -6 route add ${other.podCidrV6} via ${other.addressV6}`),
  );
  await runShell(inside(netns, commands));
}

/** The port of a pod on its node's bridge. */
function portOf(addresses: PodAddresses): string {
  return `pod${addresses.host}`;
}

/** A pod: its namespace at `netns`, joined to the node whose namespace is at `nodeNetns`. */
export async function setUpPod(
  node: NodePlan,
  nodeNetns: string,
  addresses: PodAddresses,
  netns: string,
  ipv6: boolean,
): Promise<void> {
  const port = portOf(addresses);
  const { gateway, gatewayV6 } = node;
  const commands = lines(
    ipv6,
    [
      `ip addr add ${addresses.ipv4}/32 dev eth0`,
      'ip link set dev eth0 up',
      `ip route add ${gateway} dev eth0`,
      `ip route add default via ${gateway}`,
    ],
    [
      `ip -6 addr add ${addresses.ipv6}/128 dev eth0 nodad`,
      `ip -6 route add ${gatewayV6} dev eth0`,
      `ip -6 route add default via ${gatewayV6}`,
    ],
  );
  await runShell(`${createNetns(netns, QUIET)}
nsenter --net='${nodeNetns}' sh -eu <<'NODE'
ip link add name ${port} type veth peer name eth0 address ${hardwareAddress(node.number, addresses.host)} netns '${netns}'
ip link set dev ${port} master ${POD_BRIDGE}
ip link set dev ${port} type bridge_slave isolated on
ip link set dev ${port} up
NODE
${inside(netns, commands)}
`);
}

/** Takes a pod's port and namespace away; its processes have to be gone. */
export async function removePodNetwork(nodeNetns: string, addresses: PodAddresses, netns: string): Promise<void> {
  await runShell(`
nsenter --net='${nodeNetns}' ip link del dev ${portOf(addresses)} 2>/dev/null || true
umount '${netns}' 2>/dev/null || true
rm -f '${netns}'
`);
}
