import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatTable, Progress, podStateText } from '../../../src/local/progress.ts';

const COUNTS = { nodes: 2, nodesUp: 1, controlReady: true, pods: 3, podsReady: 0 };

function collect(terminal: boolean, quiet = false): { progress: Progress; text: () => string } {
  const written: string[] = [];
  return { progress: new Progress({ terminal, quiet }, (text) => written.push(text)), text: () => written.join('') };
}

describe('Progress', () => {
  it('writes a line for each step without a terminal, and none twice', () => {
    const { progress, text } = collect(false);
    progress.update(COUNTS);
    progress.update(COUNTS);
    progress.update({ ...COUNTS, podsReady: 3 });
    assert.equal(
      text(),
      'nodes 1/2 · control plane ready · pods 0/3 ready\nnodes 1/2 · control plane ready · pods 3/3 ready\n',
    );
  });

  it('writes over its line on a terminal, and under it what has to stay', () => {
    const { progress, text } = collect(true);
    progress.update(COUNTS);
    progress.say('refused: a.yaml');
    assert.ok(text().endsWith('\r\u001b[Krefused: a.yaml\nnodes 1/2 · control plane ready · pods 0/3 ready'));
  });

  it('shows the table once', () => {
    const { progress, text } = collect(false);
    progress.settle([], 'hint');
    progress.settle([], 'hint');
    progress.update(COUNTS);
    assert.equal(text(), 'NAMESPACE  POD  NODE  ADDRESS  MESH  STATE\nhint\n');
  });

  it('writes problems only when it is to be quiet', () => {
    const { progress, text } = collect(false, true);
    progress.update(COUNTS);
    progress.settle([], 'hint');
    progress.say('problem');
    assert.equal(text(), 'problem\n');
  });
});

describe('the state of a pod in the table', () => {
  const container = (fields: object) => ({
    name: 'main',
    folder: '/',
    env: {},
    waiting: '',
    restarts: 0,
    lastExit: '',
    ...fields,
  });
  for (const [text, ready, containers] of [
    ['ready', true, [container({})]],
    ['not ready', false, [container({ waiting: 'ContainerCreating' })]],
    ['NoCommand', false, [container({}), container({ waiting: 'NoCommand' })]],
    [
      'CrashLoopBackOff (0 restarts, last exit: status 3)',
      false,
      [container({}), container({ waiting: 'CrashLoopBackOff', lastExit: 'status 3' })],
    ],
    ['ready (1 restart, last exit: SIGSEGV)', true, [container({ restarts: 1, lastExit: 'SIGSEGV' })]],
    ['not ready (2 restarts, last exit: status 1)', false, [container({ restarts: 2, lastExit: 'status 1' })]],
  ] as const) {
    it(`reads '${text}'`, () => assert.equal(podStateText({ ready, containers: [...containers] }), text));
  }
});

describe('formatTable', () => {
  it('aligns columns and leaves no space at the end of a line', () => {
    assert.equal(
      formatTable([
        ['A', 'BB'],
        ['CCC', 'D'],
      ]),
      'A    BB\nCCC  D\n',
    );
  });
});
