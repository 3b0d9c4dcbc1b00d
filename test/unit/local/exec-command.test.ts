import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeExecArguments, podExecArguments } from '../../../src/local/exec-command.ts';
import type { PodState, RunState } from '../../../src/local/run-folder.ts';

function pod(name: string, fields: Partial<PodState> = {}): PodState {
  const running = { waiting: '', restarts: 0, lastExit: '' };
  const containers: PodState['containers'] = [
    { ...running, name: 'main', folder: '/app', env: { A: '1' } },
    { ...running, name: 'side', folder: '/side', env: {} },
  ];
  return {
    namespace: 'demo',
    name,
    deployment: 'web',
    node: 'node1',
    ips: [],
    ready: true,
    enrolled: false,
    pid: 50,
    containers,
    ...fields,
  };
}

const STATE: RunState = {
  pid: 10,
  startTime: '1',
  initPid: 20,
  userNamespace: false,
  folder: '/x',
  nodes: [{ name: 'node1', netns: '/run/netns/node1', address: '10.240.0.11' }],
  pods: [pod('web-1', { ready: false, pid: 40 }), pod('web-2')],
};

function target(name: string, container = '') {
  return { namespace: 'demo', name, container };
}

describe('podExecArguments', () => {
  it('enters the world of the mesh, then the pod, with folder and variables of the container', () => {
    const args = podExecArguments(STATE, target('web-1'), ['ls', '-l']).join(' ');
    assert.match(args, /^--target 20 --mount --pid --net -- nsenter --target 40 --mount --net --uts -- env A=1 sh -c /);
    assert.match(args, / \/app ls -l$/);
  });

  it('enters the user namespace first where there is one', () => {
    const args = podExecArguments({ ...STATE, userNamespace: true }, target('web-1'), ['true']);
    assert.deepEqual(args.slice(0, 4), ['--target', '20', '--user', '--preserve-credentials']);
  });

  it('takes a ready replica of a Deployment', () => {
    assert.ok(podExecArguments(STATE, target('deploy/web'), ['true']).join(' ').includes('--target 50'));
  });

  it('says what there is when there is no such pod, container or node', () => {
    assert.throws(() => podExecArguments(STATE, target('web-9'), ['true']), {
      code: 'EXEC_NO_POD',
      message: /web-1, web-2/,
    });
    assert.throws(() => podExecArguments(STATE, target('web-1', 'x'), ['true']), {
      code: 'EXEC_NO_CONTAINER',
      message: /main, side/,
    });
    assert.throws(() => nodeExecArguments(STATE, 'node9', ['true']), { code: 'EXEC_NO_NODE', message: /node1/ });
  });
});
