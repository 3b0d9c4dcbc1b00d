/**
 * Network namespaces for tests: pods on one bridge, all inside a private network and mount namespace.
 *
 * Use, at the top of a test file, before anything touches the network:
 *
 *     enterPrivateNetns(import.meta.url);
 *     using lab = new NetnsLab();
 *     const pod = lab.addPod('a');            // 10.77.0.2 and fd77:0::2, default route through the bridge
 *     await listenTcp({ netnsFd: pod.fd, ... });
 *
 * - `enterPrivateNetns` runs the file again under `unshare --net --mount` with an own /run, and ends the first process
 *   with the status of the second. So the host's own namespace never gets a bridge, veth, rule or name, and the kernel
 *   takes everything down when the test process ends, however it ends. Not root: the file fails.
 * - The private namespace plays the node: it holds the bridge `lab.bridge` with `lab.nodeIpv4` and `lab.nodeIpv6`.
 * - Several labs may live at once: the n-th has its own bridge and networks 10.77.n.0/24 and fd77:n::/64.
 * - `lab[Symbol.dispose]()` removes its pods and its bridge within a run.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const MARKER = 'AMBIT_TEST_PRIVATE_NETNS';
const SETUP = 'mount -t tmpfs tmpfs /run && mkdir -p /run/netns && ip link set lo up && exec "$@"';

export interface PrivateNetnsOptions {
  /** A process namespace as well: what the file started ends with it, also what changed its user. */
  readonly ownProcesses?: boolean;
}

/** Runs the calling test file again inside private namespaces; returns only there. */
export function enterPrivateNetns(fileUrl: string, { ownProcesses = false }: PrivateNetnsOptions = {}): void {
  if (process.env[MARKER] === '1') return;
  const node = [process.execPath, ...process.execArgv, fileURLToPath(fileUrl)];
  // A runner that gives up on the first process must not leave the second one behind.
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const processes = ownProcesses ? ['--pid', '--fork', '--kill-child', '--mount-proc'] : [];
  const isolate = ['unshare', ...user, '--net', '--mount', ...processes, '--', 'sh', '-c', SETUP, 'sh'];
  const args = ['--pdeathsig', 'KILL', ...isolate, ...node];
  const { status, error } = spawnSync('setpriv', args, { stdio: 'inherit', env: { ...process.env, [MARKER]: '1' } });
  if (error !== undefined) throw error;
  process.exit(status ?? 1);
}

/** Runs a program and returns its output; throws with its error output when it fails. */
export function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 });
}

/** Without duplicate address detection a new IPv6 address works at once, link-local ones included. */
function disableDad(path: string): void {
  const files = ['all', 'default'].map((name) => `/proc/sys/net/ipv6/conf/${name}/accept_dad`);
  run('nsenter', `--net=${path}`, 'sh', '-c', `for file in ${files.join(' ')}; do echo 0 > $file; done`);
}

/** A network namespace that plays a pod. */
export interface LabPod {
  readonly name: string;
  /** Path of the namespace, for programs. */
  readonly path: string;
  /** Open descriptor of the namespace, for sockets. The lab closes it. */
  readonly fd: number;
  readonly ipv4: string;
  readonly ipv6: string;
  /** Runs a program inside the namespace. */
  exec(program: string, ...args: string[]): string;
}

/** Pods on one bridge. */
export class NetnsLab implements Disposable {
  static #count = 0;

  readonly #number = NetnsLab.#count++;
  readonly bridge = `lab${this.#number}`;
  /** Addresses of the node on the bridge. */
  readonly nodeIpv4 = `10.77.${this.#number}.1`;
  readonly nodeIpv6 = this.#v6(1);
  readonly #pods: LabPod[] = [];

  constructor() {
    if (process.env[MARKER] !== '1') throw new Error('call enterPrivateNetns(import.meta.url) first');
    disableDad('/proc/self/ns/net');
    run('ip', 'link', 'add', this.bridge, 'type', 'bridge');
    run('ip', 'link', 'set', this.bridge, 'up');
    run('ip', 'addr', 'add', `${this.nodeIpv4}/24`, 'dev', this.bridge);
    run('ip', 'addr', 'add', `${this.nodeIpv6}/64`, 'dev', this.bridge, 'nodad');
  }

  #v6(host: number): string {
    return `fd77:${this.#number === 0 ? '' : this.#number.toString(16)}::${host.toString(16)}`.replace(':::', '::');
  }

  /** Adds a pod; its addresses end in 2 for the first, 3 for the second, ... */
  addPod(name: string): LabPod {
    const number = this.#pods.length + 2;
    const ipv4 = `10.77.${this.#number}.${number}`;
    const ipv6 = this.#v6(number);
    const netns = `${name}-${this.#number}`;
    const veth = `veth${this.#number}-${number}`;
    const ip = (...args: string[]) => run('ip', '-n', netns, ...args);
    run('ip', 'netns', 'add', netns);
    disableDad(`/run/netns/${netns}`);
    run('ip', 'link', 'add', veth, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', netns);
    run('ip', 'link', 'set', veth, 'master', this.bridge, 'up');
    ip('link', 'set', 'lo', 'up');
    ip('addr', 'add', `${ipv4}/24`, 'dev', 'eth0');
    ip('addr', 'add', `${ipv6}/64`, 'dev', 'eth0', 'nodad');
    ip('link', 'set', 'eth0', 'up');
    ip('route', 'add', 'default', 'via', this.nodeIpv4);
    ip('-6', 'route', 'add', 'default', 'via', this.nodeIpv6);
    const path = `/run/netns/${netns}`;
    const fd = openSync(path, 'r');
    const exec = (program: string, ...args: string[]) => run('nsenter', `--net=${path}`, program, ...args);
    const pod: LabPod = { name, path, fd, ipv4, ipv6, exec };
    this.#pods.push(pod);
    return pod;
  }

  [Symbol.dispose](): void {
    for (const pod of this.#pods.splice(0)) {
      closeSync(pod.fd);
      run('ip', 'netns', 'del', pod.path.slice('/run/netns/'.length));
    }
    run('ip', 'link', 'del', this.bridge);
  }
}
