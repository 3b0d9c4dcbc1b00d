import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { object } from '../../../../helpers/manifests.ts';
import { backendsOf, destinationRule, forwardOf, RouteLab } from '../../../../helpers/route-lab.ts';

const to = (subset: string, weight?: number) => ({
  destination: { host: 'web', subset },
  ...(weight === undefined ? {} : { weight }),
});
const V1 = [to('v1')];
const WEB = 'web.demo.svc.cluster.local';

for (const version of ['v1', 'v1beta1', 'v1alpha3']) {
  describe(`in ${version}, an ordinary VirtualService`, () => {
    const routes = (...http: object[]) => {
      const raw = object(`networking.istio.io/${version}`, 'VirtualService', 'test', { hosts: ['web'], http });
      const lab = new RouteLab(raw, destinationRule('web', 'web', { subsets: [{ name: 'v1' }, { name: 'v2' }] }));
      assert.equal(lab.note(), undefined);
      return lab.http();
    };

    it('moves a tenth of the requests to a new version', () => {
      const [route] = routes({ route: [to('v1', 90), to('v2', 10)] });
      assert.deepEqual(backendsOf(route), [`${WEB}/v1=90`, `${WEB}/v2=10`]);
    });

    it('sends testers to the new version', () => {
      const match = [{ headers: { 'end-user': { exact: 'ann' } } }];
      const [testers, others] = routes({ match, route: [to('v2')] }, { route: V1 });
      assert.equal(testers?.match?.headers[0]?.name, 'end-user');
      assert.deepEqual([backendsOf(testers), backendsOf(others)], [[`${WEB}/v2=1`], [`${WEB}/v1=1`]]);
    });

    it('bounds requests and tries again', () => {
      const [route] = routes({
        route: V1,
        timeout: '10s',
        retries: { attempts: 3, perTryTimeout: '2s', retryOn: '5xx' },
      });
      const { timeoutMs, retry } = forwardOf(route);
      assert.deepEqual([timeoutMs, retry?.attempts, retry?.perTryTimeoutMs], [10_000, 3, 2000]);
    });

    it('makes some requests fail and others wait', () => {
      const delay = { percentage: { value: 10 }, fixedDelay: '5s' };
      const abort = { percentage: { value: 5 }, httpStatus: 503 };
      const [route] = routes({ route: V1, fault: { delay, abort } });
      assert.deepEqual(
        [route?.fault?.delaySharePpm, route?.fault?.delayMs, route?.fault?.abortSharePpm, route?.fault?.abortStatus],
        [100_000, 5000, 50_000, 503],
      );
    });

    it('copies requests to the new version', () => {
      const [route] = routes({ route: V1, mirror: { host: 'web', subset: 'v2' }, mirrorPercentage: { value: 100 } });
      assert.deepEqual(forwardOf(route).mirrors, [
        { backend: { namespace: 'demo', hostname: WEB, port: 0, subset: 'v2' }, sharePpm: 1_000_000 },
      ]);
    });

    it('rewrites and redirects', () => {
      const [rewritten, redirected] = routes(
        { match: [{ uri: { prefix: '/old/' } }], rewrite: { uri: '/' }, route: V1 },
        { match: [{ uri: { exact: '/away' } }], redirect: { authority: 'new.example', redirectCode: 302 } },
      );
      assert.deepEqual(forwardOf(rewritten).path?.kind, { $case: 'prefix', prefix: '/' });
      assert.ok(redirected?.action?.$case === 'redirect' && redirected.action.redirect.status === 302);
    });
  });
}
