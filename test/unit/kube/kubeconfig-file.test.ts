import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { kubeconfigFile } from '../../../src/kube/kubeconfig-file.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

describe('kubeconfigFile', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ambit-kubeconfig-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function file(user: object, cluster: object = {}, root: object = {}): Promise<string> {
    const path = join(folder, 'config');
    const config = {
      'current-context': 'here',
      contexts: [
        { name: 'here', context: { cluster: 'c', user: 'u', namespace: 'demo' } },
        { name: 'there', context: { cluster: 'missing', user: 'u' } },
      ],
      clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:6443', ...cluster } }],
      users: [{ name: 'u', user }],
      ...root,
    };
    await writeFile(path, JSON.stringify(config));
    return path;
  }

  const base64 = (text: string) => Buffer.from(text).toString('base64');

  it('takes certificates from the file itself or from files beside it', async () => {
    await writeFile(join(folder, 'key.pem'), 'KEY');
    const user = { 'client-certificate-data': base64('CERT'), 'client-key': 'key.pem' };
    const config = await kubeconfigFile(await file(user, { 'certificate-authority-data': base64('CA') }));
    assert.equal(config.caPem, 'CA');
    assert.equal(config.namespace, 'demo');
    assert.deepEqual(await config.credentials(), { certPem: 'CERT', keyPem: 'KEY' });
  });

  it('takes a token, a token file that is read each time, or a name and password', async () => {
    assert.deepEqual(await (await kubeconfigFile(await file({ token: 't' }))).credentials(), { token: 't' });
    await writeFile(join(folder, 'token'), 'one\n');
    const config = await kubeconfigFile(await file({ tokenFile: 'token' }));
    assert.deepEqual(await config.credentials(), { token: 'one' });
    await writeFile(join(folder, 'token'), 'two');
    assert.deepEqual(await config.credentials(), { token: 'two' });
    const basic = await kubeconfigFile(await file({ username: 'me', password: 'pw' }));
    assert.deepEqual(await basic.credentials(), { basic: { user: 'me', password: 'pw' } });
  });

  it('runs a credential plugin, and again when what it gave ends', async () => {
    const plugin = join(folder, 'plugin.sh');
    const status = '{"token":"\'"$NAME-$(date +%N)"\'","expirationTimestamp":"1970-01-01T00:01:00Z"}';
    await writeFile(plugin, `#!/bin/sh\necho '{"kind":"ExecCredential","status":${status}}'\n`);
    await chmod(plugin, 0o700);
    const exec = { command: './plugin.sh', env: [{ name: 'NAME', value: 'robot' }] };
    const clock = new ManualClock();
    const environment = { PATH: process.env['PATH'] };
    const config = await kubeconfigFile(await file({ exec }), { clock, environment });
    const first = await config.credentials();
    assert.match(first.token ?? '', /^robot-/);
    assert.deepEqual(await config.credentials(), first);
    clock.advance(55_000);
    assert.notDeepEqual(await config.credentials(), first);
  });

  it('says what to install when a plugin is missing', async () => {
    const exec = { command: '/nowhere/plugin', installHint: 'install it like so' };
    const config = await kubeconfigFile(await file({ exec }));
    await assert.rejects(config.credentials(), { code: 'KUBE_CONFIG', message: /install it like so/ });
  });

  it('names what is missing in a file', async () => {
    await assert.rejects(kubeconfigFile(join(folder, 'none')), { message: /cannot be read/ });
    await assert.rejects(kubeconfigFile(await file({}), { context: 'nobody' }), { message: /no context "nobody"/ });
    await assert.rejects(kubeconfigFile(await file({}), { context: 'there' }), { message: /no cluster "missing"/ });
    await assert.rejects(kubeconfigFile(await file({}, { server: 'nonsense' })), { message: /is no URL/ });
    await assert.rejects(kubeconfigFile(await file({ 'auth-provider': { name: 'gcp' } })), {
      message: /use a credential plugin/,
    });
  });
});
