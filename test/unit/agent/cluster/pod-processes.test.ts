import assert from 'node:assert/strict';
import { closeSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { NetnsFinder, podUidOfCgroup, startTicksOf } from '../../../../src/agent/cluster/pod-processes.ts';
import { openDescriptors } from '../../../helpers/open-descriptors.ts';

const UID = '0a1b2c3d-1111-4222-8333-444455556666';
const LOW = UID.replaceAll('-', '_');

describe('podUidOfCgroup', () => {
  it('reads the paths of both versions of cgroups, and of both drivers', () => {
    const paths = [
      `11:memory:/kubepods/burstable/pod${UID}/4f5e\n1:name=systemd:/kubepods/burstable/pod${UID}/4f5e\n`,
      `5:cpu:/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${LOW}.slice/cri-containerd-4f5e.scope\n`,
      `0::/kubepods.slice/kubepods-pod${LOW}.slice/crio-4f5e.scope\n`,
      `0::/../../kubepods-besteffort-pod${LOW}.slice/cri-containerd-4f5e.scope\n`,
      `0::/../../pod${UID}/4f5e\n`,
      `0::/kubelet/kubepods/pod${UID}/4f5e\n`,
      `0::/system.slice/containerd.service/kubepods-burstable-pod${LOW}.slice:cri-containerd:4f5e\n`,
    ];
    for (const path of paths) assert.equal(podUidOfCgroup(path), UID, path);
    assert.equal(podUidOfCgroup(`0::/kubepods/pod${UID.replaceAll('-', '')}/x\n`), UID.replaceAll('-', ''));
  });

  it('takes the outermost pod, and none of what is outside of pods', () => {
    const inner = '99999999-1111-4222-8333-444455556666';
    assert.equal(podUidOfCgroup(`0::/kubepods/pod${UID}/x/kubepods/pod${inner}/y\n`), UID);
    for (const path of [
      '',
      '0::/\n',
      `0::/user.slice/pod${UID}\n`,
      '0::/kubepods/podx/y\n',
      `0::/kubepods/pod${UID}f/y\n`,
    ]) {
      assert.equal(podUidOfCgroup(path), undefined, path);
    }
  });

  it('never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => void podUidOfCgroup(text)));
  });
});

describe('startTicksOf', () => {
  it('is not misled by the name of the program', () => {
    assert.equal(startTicksOf(`7 (a) S 1 (b)) S 1 ${'0 '.repeat(17)}4711 0 0`), 4711);
    assert.ok(Number.isNaN(startTicksOf('')));
  });
});

describe('NetnsFinder', () => {
  let folder = '';
  const put = (pid: number, { uid = UID, startTicks = 5, netns = '/proc/self/ns/net' } = {}) => {
    const path = join(folder, String(pid));
    mkdirSync(join(path, 'ns'), { recursive: true });
    writeFileSync(join(path, 'cgroup'), `0::/kubepods/pod${uid}/x\n`);
    writeFileSync(join(path, 'stat'), `${pid} (x) S 1 ${'0 '.repeat(17)}${startTicks} 0`);
    symlinkSync(netns, join(path, 'ns', 'net'));
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'processes-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('opens each namespace of a pod once, that of the oldest process first', async () => {
    put(10, { startTicks: 30, netns: '/dev/null' });
    put(11, { startTicks: 20, netns: '/dev/zero' });
    put(12, { startTicks: 40, netns: '/dev/zero' });
    put(13, { uid: '99999999-1111-4222-8333-444455556666', startTicks: 1, netns: '/dev/full' });
    put(14, { startTicks: 1, netns: '/gone' });
    writeFileSync(join(folder, 'not-a-process'), '');
    mkdirSync(join(folder, '15'));
    const before = openDescriptors().length;
    const found = await new NetnsFinder(folder).find([UID]);
    assert.deepEqual(
      found.map(({ fd }) => readlinkSync(`/proc/self/fd/${fd}`)),
      ['/dev/zero', '/dev/null'],
    );
    for (const { fd } of found) closeSync(fd);
    assert.equal(openDescriptors().length, before);
  });

  it('serves all who ask together', async () => {
    const other = '99999999-1111-4222-8333-444455556666';
    put(10);
    put(11, { uid: other });
    const finder = new NetnsFinder(folder);
    const [mine, theirs, none] = await Promise.all([finder.find([UID, 'x']), finder.find([other]), finder.find(['y'])]);
    assert.deepEqual([mine.length, theirs.length, none.length], [1, 1, 0]);
    for (const { fd } of [...mine, ...theirs]) closeSync(fd);
  });

  it('rejects when there is no /proc, and can be asked again', async () => {
    const finder = new NetnsFinder(join(folder, 'later'));
    await assert.rejects(finder.find([UID]));
    mkdirSync(join(folder, 'later'));
    assert.deepEqual(await finder.find([UID]), []);
  });
});
