import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { textTable } from '../../../src/cli/text-table.ts';

describe('a table', () => {
  it('has columns as wide as their widest cell, and no spaces at the ends of lines', () => {
    assert.equal(
      textTable(
        ['NAME', 'PROGRAMMED'],
        [
          ['a-longer-name', 'True'],
          ['b', ''],
        ],
      ),
      'NAME            PROGRAMMED\na-longer-name   True\nb\n',
    );
  });
});
