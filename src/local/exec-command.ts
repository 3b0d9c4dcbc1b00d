/** The command that enters a pod, or a node, of a mesh from outside. */
import { AmbitError } from '../base/errors.ts';
import type { PodState, RunState } from './run-folder.ts';

export interface ExecTarget {
  readonly namespace: string;
  /** `POD`, `pod/POD` or `deploy/NAME`. */
  readonly name: string;
  /** Empty: the first. */
  readonly container: string;
}

const IN_FOLDER = 'cd -- "$0" 2>/dev/null || cd /; exec "$@"';

/** nsenter(1) arguments for the world of the mesh, where process ids of the state file count. */
function worldArguments(state: RunState): string[] {
  const user = state.userNamespace ? ['--user', '--preserve-credentials'] : [];
  return ['--target', String(state.initPid), ...user, '--mount', '--pid', '--net', '--'];
}

/**
 * Arguments of nsenter(1) that run a command in a pod, with the folder and the variables of its container.
 * @throws AmbitError EXEC_NO_POD, EXEC_NO_CONTAINER
 */
export function podExecArguments(state: RunState, target: ExecTarget, command: readonly string[]): string[] {
  const pod = findPod(state.pods, target);
  const container = pod.containers.find(({ name }) => target.container === '' || name === target.container);
  if (container === undefined) {
    const names = pod.containers.map(({ name }) => name).join(', ');
    const problem =
      names === ''
        ? `no container of pod ${pod.name} has started yet; try again in a moment, or look at its log`
        : `pod ${pod.name} has no container "${target.container}"; there are: ${names}`;
    throw new AmbitError('EXEC_NO_CONTAINER', problem);
  }
  const enter = ['nsenter', '--target', String(pod.pid), '--mount', '--net', '--uts', '--'];
  const variables = Object.entries(container.env).map(([name, value]) => `${name}=${value}`);
  return [...worldArguments(state), ...enter, 'env', ...variables, 'sh', '-c', IN_FOLDER, container.folder, ...command];
}

/** Arguments of nsenter(1) that run a command in the network of a node. @throws AmbitError EXEC_NO_NODE */
export function nodeExecArguments(state: RunState, name: string, command: readonly string[]): string[] {
  const node = state.nodes.find((candidate) => candidate.name === name);
  if (node !== undefined) return [...worldArguments(state), 'nsenter', `--net=${node.netns}`, '--', ...command];
  const names = state.nodes.map((candidate) => candidate.name).join(', ');
  throw new AmbitError('EXEC_NO_NODE', `there is no node ${name}: ${names}`);
}

function findPod(pods: readonly PodState[], { namespace, name }: ExecTarget): PodState {
  const [kind, rest] = name.includes('/')
    ? [name.slice(0, name.indexOf('/')), name.slice(name.indexOf('/') + 1)]
    : ['', name];
  const wanted = kind.startsWith('deploy')
    ? (pod: PodState) => pod.deployment === rest
    : (pod: PodState) => pod.name === rest;
  const candidates = pods.filter((pod) => pod.namespace === namespace && pod.pid !== 0 && wanted(pod));
  const found = candidates.find(({ ready }) => ready) ?? candidates[0];
  if (found !== undefined) return found;
  const elsewhere = pods.find((pod) => pod.pid !== 0 && wanted(pod));
  const names = pods.filter((pod) => pod.namespace === namespace).map((pod) => pod.name);
  const others = names.length > 0 ? `there are: ${names.join(', ')}` : 'the namespace has no pods';
  const hint =
    elsewhere === undefined ? others : `it is in namespace ${elsewhere.namespace}: add -n ${elsewhere.namespace}`;
  throw new AmbitError('EXEC_NO_POD', `no pod ${name} in namespace ${namespace}; ${hint}`);
}
