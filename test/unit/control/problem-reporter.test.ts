import assert from 'node:assert/strict';
import { it } from 'node:test';
import { silentLogger } from '../../../src/base/logger.ts';
import { problemReporter } from '../../../src/control/problem-reporter.ts';
import type { ManifestProblem } from '../../../src/model/manifest/manifest-problem.ts';

it('a problem is logged once, and once when its object is good again', () => {
  const lines: string[] = [];
  const note = (message: string, fields?: object) => {
    lines.push(`${message}: ${JSON.stringify(fields)}`);
  };
  let problems: ManifestProblem[] = [];
  const report = problemReporter(() => problems, { ...silentLogger, warn: note, info: note });
  const position = { file: 'a.yaml', line: 1, column: 1 };
  problems = [{ severity: 'error', object: 'Pod demo/web', field: 'spec', reason: 'is wrong', position }];
  report();
  report();
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /^manifest refused: .*is wrong/);
  problems = [{ severity: 'error', object: 'Pod demo/web', field: 'spec', reason: 'is still wrong', position }];
  report();
  assert.equal(lines.length, 2);
  problems = [];
  report();
  report();
  assert.deepEqual(lines.slice(2), ['manifest accepted again: {"object":"Pod demo/web"}']);
});
