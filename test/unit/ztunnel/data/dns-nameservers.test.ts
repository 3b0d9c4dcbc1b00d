import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { silentLogger } from '../../../../src/base/logger.ts';
import { ResolvConfFile } from '../../../../src/ztunnel/data/dns-nameservers.ts';
import { ManualClock } from '../../../helpers/manual-clock.ts';

it('ResolvConfFile reads its file again when it changed, and keeps the last servers while it is gone', (test) => {
  const folder = mkdtempSync(join(tmpdir(), 'ambit-resolv-'));
  test.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'resolv.conf');
  const clock = new ManualClock();
  const file = new ResolvConfFile(path, { clock, logger: silentLogger });
  assert.deepEqual(file.current(), []);
  writeFileSync(path, 'nameserver 10.0.0.1\n');
  assert.deepEqual(file.current(), [], 'a look counts for a second');
  clock.advance(1000);
  assert.deepEqual(file.current(), ['10.0.0.1']);
  // As configuration maps do: another file takes the name.
  writeFileSync(`${path}.new`, 'nameserver 10.0.0.2\n');
  renameSync(`${path}.new`, path);
  clock.advance(1000);
  assert.deepEqual(file.current(), ['10.0.0.2']);
  rmSync(path);
  clock.advance(1000);
  assert.deepEqual(file.current(), ['10.0.0.2']);
});
