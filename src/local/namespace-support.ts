/** Whether this user may create the namespaces that a local mesh lives in, and if not, what to enable. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { AmbitError } from '../base/errors.ts';

/** `root`: namespaces at once. `user`: inside a user namespace of our own. */
export type NamespaceMode = 'root' | 'user';

/** The arguments of unshare(1) that make the private world of a mesh; the kernel takes it down with its first process. */
export function unshareArguments(mode: NamespaceMode): string[] {
  const user = mode === 'user' ? ['--user', '--map-root-user'] : [];
  return [...user, '--net', '--mount', '--pid', '--fork', '--kill-child=SIGKILL', '--'];
}

const PROBE = 'mount -t proc proc /proc && ip link add name probe type bridge && ip link set lo up';
const PROBE_TIMEOUT_MS = 10_000;

export interface ProbeDeps {
  /** Tries the namespaces of a mode. */
  readonly attempt: (mode: NamespaceMode) => boolean;
  /** Value of a kernel setting; undefined when the kernel does not have it. */
  readonly setting: (name: string) => string | undefined;
  readonly uid: number;
}

/** The machine itself. */
export function machineProbe(uid: number, path: string): ProbeDeps {
  return {
    uid,
    attempt: (mode) =>
      spawnSync('unshare', [...unshareArguments(mode), 'sh', '-c', PROBE], {
        stdio: 'ignore',
        timeout: PROBE_TIMEOUT_MS,
        env: { PATH: path },
      }).status === 0,
    setting: (name) => {
      try {
        return readFileSync(`/proc/sys/${name.replaceAll('.', '/')}`, 'utf8').trim();
      } catch {
        // Not every kernel has every setting.
        return undefined;
      }
    },
  };
}

/** @throws AmbitError NAMESPACES_FORBIDDEN with what to enable */
export function probeNamespaces(deps: ProbeDeps): NamespaceMode {
  if (deps.uid === 0 && deps.attempt('root')) return 'root';
  if (deps.attempt('user')) return 'user';
  throw new AmbitError('NAMESPACES_FORBIDDEN', `this user may not create namespaces: ${remedy(deps)}`);
}

function remedy({ setting, uid }: ProbeDeps): string {
  if (setting('user.max_user_namespaces') === '0') return 'sysctl -w user.max_user_namespaces=10000 allows it';
  if (uid === 0) return 'the container it runs in needs CAP_SYS_ADMIN and CAP_NET_ADMIN (docker run --privileged)';
  if (setting('kernel.unprivileged_userns_clone') === '0') {
    return 'sudo sysctl -w kernel.unprivileged_userns_clone=1 allows it, or run as root';
  }
  if (setting('kernel.apparmor_restrict_unprivileged_userns') === '1') {
    return 'sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 allows it, or run as root';
  }
  return 'run as root, or allow user namespaces (kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0, user.max_user_namespaces above 0, in a container also its seccomp profile)';
}
