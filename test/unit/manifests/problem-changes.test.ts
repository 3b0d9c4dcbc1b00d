import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProblemChanges } from '../../../src/manifests/problem-changes.ts';
import type { ManifestProblem } from '../../../src/model/manifest/manifest-problem.ts';

function problem(file: string, reason: string, severity: ManifestProblem['severity'] = 'error'): ManifestProblem {
  return { severity, object: '', field: '', reason, position: { file, line: 1, column: 1 } };
}

describe('ProblemChanges', () => {
  it('names an error once, and again after it was gone', () => {
    const changes = new ProblemChanges();
    const wrong = problem('a.yaml', 'wrong');
    assert.deepEqual(changes.look([wrong], ['a.yaml']), { appeared: [wrong], mended: [] });
    assert.deepEqual(changes.look([wrong], ['a.yaml']), { appeared: [], mended: [] });
    assert.deepEqual(changes.look([], ['a.yaml']), { appeared: [], mended: ['a.yaml'] });
    assert.deepEqual(changes.look([], ['a.yaml']), { appeared: [], mended: [] });
    assert.deepEqual(changes.look([wrong], ['a.yaml']), { appeared: [wrong], mended: [] });
  });

  it('calls a file mended only when its last error is gone and it is still there', () => {
    const changes = new ProblemChanges();
    const [first, second] = [problem('a.yaml', 'one'), problem('a.yaml', 'two')];
    changes.look([first, second, problem('b.yaml', 'x')], ['a.yaml', 'b.yaml']);
    assert.deepEqual(changes.look([second], ['a.yaml']).mended, []);
    assert.deepEqual(changes.look([], ['a.yaml']).mended, ['a.yaml']);
  });

  it('does not look at notes', () => {
    const changes = new ProblemChanges();
    const note = problem('a.yaml', 'is ignored', 'note');
    assert.deepEqual(changes.look([note], ['a.yaml']), { appeared: [], mended: [] });
    assert.deepEqual(changes.look([], ['a.yaml']), { appeared: [], mended: [] });
  });
});
