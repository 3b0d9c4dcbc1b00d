import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inClusterConfig, isInCluster } from '../../../src/kube/kube-config.ts';

const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

describe('inClusterConfig', () => {
  it('reads the mounted account, and its token anew for each request', async () => {
    const files = new Map([
      [`${ACCOUNT}/ca.crt`, 'PEM'],
      [`${ACCOUNT}/namespace`, 'istio-system\n'],
      [`${ACCOUNT}/token`, 'first\n'],
    ]);
    const read = (path: string) => Promise.resolve(files.get(path) ?? '');
    const environment = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' };
    const config = await inClusterConfig(environment, read);
    assert.equal(config.server, 'https://[fd00::1]:6443');
    assert.equal(config.caPem, 'PEM');
    assert.equal(config.namespace, 'istio-system');
    assert.deepEqual(await config.credentials(), { token: 'first' });
    files.set(`${ACCOUNT}/token`, 'second');
    assert.deepEqual(await config.credentials(), { token: 'second' });
  });

  it('says that this is no cluster, or that the account is not mounted', async () => {
    const nothing = () => Promise.reject(new Error('ENOENT'));
    await assert.rejects(inClusterConfig({}, nothing), { code: 'KUBE_CONFIG', message: /not in a cluster/ });
    await assert.rejects(inClusterConfig({ KUBERNETES_SERVICE_HOST: '10.0.0.1' }, nothing), {
      code: 'KUBE_CONFIG',
      message: /automountServiceAccountToken/,
    });
    assert.equal(isInCluster({}), false);
  });
});
