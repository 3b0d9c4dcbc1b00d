import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { CniInstaller } from '../../../../src/agent/cni/cni-installer.ts';
import { systemClock } from '../../../../src/base/clock.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { eventually } from '../../../helpers/eventually.ts';

const PLUGIN = { type: 'ambit-cni', cni_agent_run_dir: '/run/x' } as const;
const BRIDGE = {
  cniVersion: '1.0.0',
  name: 'net',
  odd: { deep: [1, null] },
  plugins: [{ type: 'bridge', x: 1 }, { type: 'portmap' }],
};

describe('CniInstaller', () => {
  let folder = '';
  let confDir = '';
  let binDir = '';
  let installer: CniInstaller;
  let results: string[] = [];

  const conf = (name: string) => JSON.parse(readFileSync(join(confDir, name), 'utf8')) as Record<string, unknown>;
  const write = (name: string, value: unknown) =>
    writeFileSync(join(confDir, name), typeof value === 'string' ? value : JSON.stringify(value));
  const hasPlugin = (name: string) => {
    try {
      return JSON.stringify(conf(name)['plugins']).includes('ambit-cni');
    } catch {
      return false;
    }
  };
  const create = () =>
    new CniInstaller(
      { sourcePath: join(folder, 'source'), binDir, confDir, plugin: PLUGIN },
      { clock: systemClock, log: silentLogger, onInstall: (result) => results.push(result) },
    );

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'cni-installer-'));
    confDir = join(folder, 'net.d');
    binDir = join(folder, 'bin');
    mkdirSync(confDir);
    writeFileSync(join(folder, 'source'), 'program');
    results = [];
    installer = create();
  });
  afterEach(async () => {
    await installer.stop();
    rmSync(folder, { recursive: true });
  });

  it('appends the plugin to the first usable file, keeps the rest of it, and does it once', async () => {
    write('00-broken.conflist', '{');
    write('01-empty.conflist', { plugins: [] });
    write('10-net.conflist', BRIDGE);
    write('20-other.conflist', BRIDGE);
    write('.hidden.conflist', BRIDGE);
    await installer.start();
    assert.equal(installer.problem, undefined);
    assert.deepEqual(conf('10-net.conflist'), { ...BRIDGE, plugins: [...BRIDGE.plugins, PLUGIN] });
    assert.deepEqual(conf('20-other.conflist'), BRIDGE);
    assert.equal(readFileSync(join(binDir, 'ambit-cni'), 'utf8'), 'program');
    assert.equal(statSync(join(binDir, 'ambit-cni')).mode & 0o777, 0o755);
    const { ino } = statSync(join(confDir, '10-net.conflist'));
    await installer.stop();
    installer = create();
    await installer.start();
    assert.equal(statSync(join(confDir, '10-net.conflist')).ino, ino, 'an equal file is not written again');
    assert.deepEqual(
      readdirSync(confDir).filter((name) => name.includes('ambit')),
      [],
    );
  });

  it('replaces an entry of its own that is old or in the wrong place', async () => {
    write('10-net.conflist', { ...BRIDGE, plugins: [{ type: 'ambit-cni' }, ...BRIDGE.plugins, { type: 'ambit-cni' }] });
    await installer.start();
    assert.deepEqual(conf('10-net.conflist')['plugins'], [...BRIDGE.plugins, PLUGIN]);
  });

  it('turns a single plugin into a list, and back at the removal', async () => {
    const single = { cniVersion: '0.3.1', name: 'net', type: 'bridge', ipam: { type: 'host-local' } };
    write('10-net.conf', single);
    await installer.start();
    assert.deepEqual(conf('10-net.conflist'), {
      cniVersion: '0.3.1',
      name: 'net',
      plugins: [{ type: 'bridge', ipam: { type: 'host-local' } }, PLUGIN],
    });
    assert.deepEqual(readdirSync(confDir).sort(), ['10-net.conf.ambit-saved', '10-net.conflist']);
    await installer.stop();
    await installer.uninstall();
    assert.deepEqual(readdirSync(confDir), ['10-net.conf']);
    assert.deepEqual(conf('10-net.conf'), single);
    assert.deepEqual(readdirSync(binDir), []);
  });

  it('waits for a network, and installs when one comes', async () => {
    await installer.start();
    assert.match(installer.problem ?? '', /no network is configured/);
    write('10-net.conflist', BRIDGE);
    await eventually('the plugin is installed', () => hasPlugin('10-net.conflist'));
    await eventually('there is no problem', () => installer.problem === undefined);
  });

  it('puts right what others overwrite, replace or delete, and follows a new first file', async () => {
    write('10-net.conflist', BRIDGE);
    await installer.start();
    write('10-net.conflist', BRIDGE);
    await eventually('the plugin is back', () => hasPlugin('10-net.conflist'));
    rmSync(join(binDir, 'ambit-cni'));
    await eventually('the program is back', () => readdirSync(binDir).includes('ambit-cni'));
    write('05-new.conflist', BRIDGE);
    await eventually('the plugin is in the new file', () => hasPlugin('05-new.conflist'));
  });

  it('says what keeps it from installing, and tries again', async () => {
    write('10-net.conflist', BRIDGE);
    writeFileSync(binDir, 'a file in the place of the folder');
    await installer.start();
    assert.match(installer.problem ?? '', /cannot be installed/);
    assert.deepEqual(results, ['failure']);
    assert.ok(!hasPlugin('10-net.conflist'), 'no configuration names a program that is not there');
    rmSync(binDir);
    await eventually('the retry', () => installer.problem === undefined);
    assert.deepEqual(results, ['failure', 'success']);
  });

  it('takes its entry out of every file at the removal, and nothing else', async () => {
    write('10-net.conflist', { ...BRIDGE, plugins: [...BRIDGE.plugins, PLUGIN] });
    write('20-net.conflist', { ...BRIDGE, plugins: [PLUGIN, ...BRIDGE.plugins] });
    write('30-single.conf', { type: 'bridge' });
    await installer.uninstall();
    assert.deepEqual(conf('10-net.conflist'), BRIDGE);
    assert.deepEqual(conf('20-net.conflist'), BRIDGE);
    assert.deepEqual(conf('30-single.conf'), { type: 'bridge' });
  });
});
