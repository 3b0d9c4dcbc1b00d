import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { DESTINATION_RULES, NAMESPACES } from '../../../../src/kube/resource-kind.ts';
import { FakeKubeApi } from '../../../helpers/fake-kube-api.ts';
import { runAmbit } from '../../../helpers/run-ambit.ts';

describe('ambit analyze on a cluster', () => {
  let api: FakeKubeApi;
  before(async () => {
    api = await FakeKubeApi.start();
    api.serve(DESTINATION_RULES);
    api.put(NAMESPACES, { metadata: { name: 'shop' } });
    api.put(DESTINATION_RULES, {
      apiVersion: 'networking.istio.io/v1',
      kind: 'DestinationRule',
      metadata: { name: 'nowhere', namespace: 'shop' },
      spec: { host: 'nobody' },
    });
  });
  after(() => api.stop());

  it('finds what is wrong there', async () => {
    const { code, stdout } = await runAmbit(['analyze', '--failure-threshold', 'Warning'], api.config);
    assert.match(stdout, /^Warning \[IST0174\] \(DestinationRule shop\/nowhere\) no service has the host nobody/);
    assert.equal(code, 79);
  });

  it('names the right that is missing', async () => {
    api.refuse = (_, path) => (path.includes('destinationrules') ? 403 : undefined);
    const { code, stderr } = await runAmbit(['analyze'], api.config);
    assert.equal(code, 1);
    assert.match(stderr, /ambit: not all objects could be read: .*destinationrules/);
  });
});
