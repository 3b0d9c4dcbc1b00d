import assert from 'node:assert/strict';
import { request } from 'node:https';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '../../../../src/base/clock.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { KubeControl } from '../../../../src/control/kube-app.ts';
import { NAMESPACES, VALIDATING_WEBHOOKS } from '../../../../src/kube/resource-kind.ts';
import { eventually } from '../../../helpers/eventually.ts';
import { FakeKubeApi } from '../../../helpers/fake-kube-api.ts';

const NAME = 'ambit-validator';
const NO_BUNDLE = { webhooks: [{ name: 'rev.validation.istio.io', clientConfig: { service: { name: 'istiod' } } }] };

describe('the admission webhook of a control plane', () => {
  let api: FakeKubeApi;
  let control: KubeControl;

  before(async () => {
    api = await FakeKubeApi.start();
    api.put(NAMESPACES, { metadata: { name: 'istio-system' } });
    api.put(VALIDATING_WEBHOOKS, { metadata: { name: NAME }, ...NO_BUNDLE });
    const ports = { grpcPort: 0, httpPort: 0, monitoringPort: 0, webhookPort: 0 };
    control = new KubeControl(
      { kube: api.config, identity: 'one', version: 'test', host: '127.0.0.1', ...ports },
      { clock: systemClock, logger: silentLogger, random: Math.random },
    );
    await control.start();
  });
  after(async () => {
    await control.stop(0);
    await api.stop();
  });

  function post(body: string, path = '/validate'): Promise<{ status: number; body: string }> {
    const { webhookPort: port } = control.addresses;
    // As an API server calls it: by the name of the service, with the roots of the webhook configuration.
    const servername = 'istiod.istio-system.svc';
    return new Promise((resolve, reject) => {
      const call = request(
        { host: '127.0.0.1', port, path, method: 'POST', agent: false, ca: control.rootsPem, servername },
        (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (chunk: string) => {
            text += chunk;
          });
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
        },
      );
      call.on('error', reject);
      call.end(body);
    });
  }

  const bundle = () => {
    const [webhook] = (api.get(VALIDATING_WEBHOOKS, '', NAME)?.['webhooks'] ?? []) as {
      clientConfig: { caBundle?: string };
    }[];
    return Buffer.from(webhook?.clientConfig.caBundle ?? '', 'base64').toString();
  };

  it('answers with a certificate that the roots in its configuration have signed', async () => {
    await eventually('the roots to be written', () => bundle() === control.rootsPem && bundle() !== '');
    const object = {
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: { name: 'p' },
      spec: { x: 1 },
    };
    const review = { kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1' };
    const { status, body } = await post(
      JSON.stringify({ ...review, request: { uid: 'u', operation: 'CREATE', object } }),
    );
    assert.equal(status, 200);
    assert.match(body, /unknown field \\"spec\.x\\"/);
  });

  it('puts the roots back when something takes them away', async () => {
    api.put(VALIDATING_WEBHOOKS, { metadata: { name: NAME }, ...NO_BUNDLE });
    await eventually('the roots to come back', () => bundle() === control.rootsPem);
  });

  it('refuses what is no review, and lives on', async () => {
    assert.equal((await post('nonsense')).status, 400);
    assert.equal((await post('{}', '/other')).status, 404);
    assert.equal((await post('x'.repeat(9 * 1024 * 1024)).catch(() => ({ status: 413 }))).status, 413);
    assert.equal((await post('{}')).status, 400);
  });
});
