import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { buildStatus, type ControlStatus, StatusWriter } from '../../../src/control/status.ts';
import { ManifestSet } from '../../../src/manifests/manifest-set.ts';
import { document, pod } from '../../helpers/manifests.ts';

describe('buildStatus', () => {
  test('lists what is in force, what was refused and why, and what is not used', () => {
    const set = new ManifestSet();
    set.setFile('f', document(pod({ name: 'a' })));
    set.setFile(
      'f',
      document({ ...pod({ name: 'a' }), spec: 3 }) +
        document({ apiVersion: 'v1', kind: 'Job', metadata: { name: 's' } }),
    );
    const status = buildStatus(set, new Map([['Pod/demo/a', 'a remark']]), 0);
    assert.deepEqual(status, {
      time: '1970-01-01T00:00:00.000Z',
      accepted: [{ object: 'Pod/demo/a', position: 'f:2:1', stale: true, note: 'a remark' }],
      refused: [
        {
          object: 'Pod demo/a',
          field: 'spec',
          reason: 'must be an object, is the number 3',
          position: status.refused[0]!.position,
        },
      ],
      ignored: [{ object: 'Job s', position: 'f:4:1' }],
    });
    assert.match(status.refused[0]!.position, /^f:2:\d+$/);
  });

  test('does not list as ignored what is in force in the version of an earlier folder', () => {
    const set = new ManifestSet((file) => (file === 'running' ? 0 : 1));
    set.setFile('running', document(pod({ name: 'a', ip: '10.0.0.1' })));
    set.setFile('own', document(pod({ name: 'a' })));
    const status = buildStatus(set, new Map(), 0);
    assert.deepEqual(status.accepted, [{ object: 'Pod/demo/a', position: 'running:2:1' }]);
    assert.deepEqual([status.refused, status.ignored], [[], []]);
  });
});

describe('StatusWriter', () => {
  test('leaves the newest status and no temporary file', async () => {
    const root = await mkdtemp(join(tmpdir(), 'ambit-status-'));
    let count = 0;
    const current = (): ControlStatus => ({ time: String(++count), accepted: [], refused: [], ignored: [] });
    const writer = new StatusWriter(join(root, 'status.json'), { logger: silentLogger, clock: systemClock, current });
    for (let round = 0; round < 20; round++) {
      writer.update();
      if (round % 7 === 0) void writer.settled();
    }
    await writer.settled();
    assert.deepEqual(await readdir(root), ['status.json']);
    assert.equal((JSON.parse(await readFile(join(root, 'status.json'), 'utf8')) as ControlStatus).time, String(count));
    assert.ok(count >= 2 && count < 20, `${count}`);
    await rm(root, { recursive: true });
  });
});
