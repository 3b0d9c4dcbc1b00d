import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { completionScript } from '../../../src/cli/completion-scripts.ts';
import { createProgram } from '../../../src/cli/program.ts';

const bash = completionScript(createProgram({}), 'bash');

/** What bash offers for the last word. */
function offered(...words: readonly string[]): readonly string[] {
  const list = words.map((word) => `'${word}'`).join(' ');
  const ask = `COMP_WORDS=(${list}); COMP_CWORD=${words.length - 1}; _ambit; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['-c', `${bash}\n${ask}`], { encoding: 'utf8' })
    .trim()
    .split('\n');
}

describe('completion in bash', () => {
  it('offers commands, and flags of a command', () => {
    assert.deepEqual(offered('ambit', 'expl'), ['explain']);
    assert.deepEqual(offered('ambit', 'explain', 'a', 'b', '--meth'), ['--method']);
    assert.ok(offered('ambit', '').includes('status'));
  });

  it('offers commands of a command, and their flags', () => {
    assert.deepEqual(offered('ambit', 'waypoint', 'app'), ['apply']);
    assert.deepEqual(offered('ambit', 'waypoint', 'apply', '--enr'), ['--enroll-namespace']);
  });

  it('hides what is not for people', () => {
    assert.ok(!bash.includes('up-inner'));
  });
});

describe('completion in other shells', () => {
  it('names every command', () => {
    assert.match(completionScript(createProgram({}), 'zsh'), /^autoload .*bashcompinit/);
    assert.match(
      completionScript(createProgram({}), 'fish'),
      /__fish_seen_subcommand_from waypoint; and __fish_seen_subcommand_from apply' -a '.*--wait/,
    );
  });
});
