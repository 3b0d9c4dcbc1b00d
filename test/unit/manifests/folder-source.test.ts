import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { FolderSource } from '../../../src/manifests/folder-source.ts';
import { ObjectStore } from '../../../src/manifests/object-store.ts';
import { document, pod } from '../../helpers/manifests.ts';

const one = (name: string, node = 'n') => document(pod({ name, node }));
let folder = '';
let store: ObjectStore;
let source: FolderSource;
let removals: string[];

async function start(options = {}): Promise<void> {
  source = new FolderSource(
    { folders: [folder], rescanMs: 100_000, ...options },
    { clock: systemClock, logger: silentLogger, store },
  );
  await source.start();
}

async function eventually(check: () => void): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      return check();
    } catch (error) {
      if (attempt === 300) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

const names = () => [...store.keys()].sort();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ambit-folder-'));
  store = new ObjectStore();
  removals = [];
  store.subscribe((changes) =>
    removals.push(...changes.filter((change) => change.after === undefined).map((change) => change.key)),
  );
});

afterEach(async () => {
  source.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('FolderSource', { timeout: 110_000 }, () => {
  test('reads manifests in all subfolders, and neither hidden files nor other ones', async () => {
    await mkdir(join(folder, 'deep'));
    await writeFile(join(folder, 'a.yaml'), one('a'));
    await writeFile(join(folder, 'deep', 'b.json'), JSON.stringify(pod({ name: 'b' })));
    await writeFile(join(folder, '.c.yaml'), one('c'));
    await writeFile(join(folder, 'd.txt'), one('d'));
    await start();
    assert.deepEqual(names(), ['Pod/demo/a', 'Pod/demo/b']);
  });

  test('sees new files, new folders, edits in place, renames over a file and deletions', async () => {
    await start();
    await writeFile(join(folder, 'a.yaml'), one('a'));
    await eventually(() => assert.deepEqual(names(), ['Pod/demo/a']));
    await mkdir(join(folder, 'sub'));
    await writeFile(join(folder, 'sub', 'b.yaml'), one('b'));
    await eventually(() => assert.deepEqual(names(), ['Pod/demo/a', 'Pod/demo/b']));
    await writeFile(join(folder, 'sub', 'b.yaml'), one('b', 'edited'));
    await eventually(() => assert.equal(store.get('Pod', 'demo', 'b')?.spec.nodeName, 'edited'));
    await writeFile(join(folder, 'draft'), one('b', 'renamed'));
    await rename(join(folder, 'draft'), join(folder, 'sub', 'b.yaml'));
    await eventually(() => assert.equal(store.get('Pod', 'demo', 'b')?.spec.nodeName, 'renamed'));
    assert.deepEqual(removals, []);
    await rm(join(folder, 'sub'), { recursive: true });
    await eventually(() => assert.deepEqual(names(), ['Pod/demo/a']));
  });

  test('takes nothing away while an editor truncates and writes, or moves the old file aside', async () => {
    await writeFile(join(folder, 'a.yaml'), one('a'));
    await start();
    await writeFile(join(folder, 'a.yaml'), '');
    await source.scan();
    await rename(join(folder, 'a.yaml'), join(folder, 'a.yaml~'));
    await source.scan();
    await writeFile(join(folder, 'a.yaml'), one('a', 'new'));
    await eventually(() => assert.equal(store.get('Pod', 'demo', 'a')?.spec.nodeName, 'new'));
    assert.deepEqual(removals, []);
  });

  test('takes away what a file does not hold any more', async () => {
    await writeFile(join(folder, 'a.yaml'), one('a') + one('b'));
    await start();
    await writeFile(join(folder, 'a.yaml'), one('a'));
    await eventually(() => assert.deepEqual(names(), ['Pod/demo/a']));
  });

  test('finds changes by rescanning where the kernel reports none', async () => {
    await mkdir(join(folder, 'mounted'));
    await writeFile(join(folder, 'mounted', 'real'), one('a'));
    await symlink(join(folder, 'mounted', 'real'), join(folder, 'a.yaml'));
    await start({ rescanMs: 30 });
    await writeFile(join(folder, 'mounted', 'real'), one('a', 'behind-the-link'));
    await eventually(() => assert.equal(store.get('Pod', 'demo', 'a')?.spec.nodeName, 'behind-the-link'));
  });

  test('refuses to start without its folder', async () => {
    source = new FolderSource(
      { folders: [join(folder, 'missing')] },
      { clock: systemClock, logger: silentLogger, store },
    );
    await assert.rejects(source.start(), { code: 'CONFIG_FOLDER_UNREADABLE' });
  });
});
