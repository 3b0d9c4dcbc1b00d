import assert from 'node:assert/strict';
import { fstatSync, openSync } from 'node:fs';
import { test } from 'node:test';
import { watchFd } from '../../../src/native/watch-fd.ts';

test('a descriptor that cannot be watched is closed, not lost', () => {
  // epoll takes no regular files.
  const fd = openSync(import.meta.filename, 'r');
  assert.throws(() => watchFd(fd, () => assert.fail('nothing happens on a file')));
  assert.throws(() => fstatSync(fd), { code: 'EBADF' });
});
