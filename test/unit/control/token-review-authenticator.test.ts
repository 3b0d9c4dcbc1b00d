import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { TokenReviewAuthenticator } from '../../../src/control/token-review-authenticator.ts';
import { KubeClient } from '../../../src/kube/kube-client.ts';
import { FakeKubeApi } from '../../helpers/fake-kube-api.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

describe('TokenReviewAuthenticator', () => {
  let api: FakeKubeApi;
  let client: KubeClient;
  before(async () => {
    api = await FakeKubeApi.start();
    client = new KubeClient(api.config, { clock: systemClock });
  });
  afterEach(() => {
    api.refuse = () => undefined;
    api.tokens.clear();
  });
  after(async () => {
    client.close();
    await api.stop();
  });

  const reviews = () => api.requests.filter((line) => line.endsWith('/tokenreviews')).length;
  const account = 'system:serviceaccount:istio-system:ztunnel';

  it('gives the account and the pod to which the token is bound', async () => {
    const extra = {
      'authentication.kubernetes.io/pod-name': ['zt'],
      'authentication.kubernetes.io/pod-uid': ['u1'],
      'authentication.kubernetes.io/node-name': ['n1'],
    };
    api.tokens.set('t', { username: account, extra });
    const caller = await new TokenReviewAuthenticator({}, { client, clock: systemClock }).authenticate('t');
    assert.deepEqual(caller, {
      ok: true,
      value: { namespace: 'istio-system', serviceAccount: 'ztunnel', podName: 'zt', podUid: 'u1', nodeName: 'n1' },
    });
  });

  it('asks once for many calls at a time, and again when some time has passed', async () => {
    api.tokens.set('t', { username: account });
    const clock = new ManualClock();
    const authenticator = new TokenReviewAuthenticator({}, { client, clock });
    const start = reviews();
    await Promise.all(Array.from({ length: 20 }, () => authenticator.authenticate('t')));
    await authenticator.authenticate('t');
    assert.equal(reviews() - start, 1);
    clock.advance(21_000);
    api.tokens.delete('t');
    const later = await authenticator.authenticate('t');
    assert.ok(!later.ok);
    assert.equal(later.error.code, 'TOKEN_INVALID');
    assert.equal(reviews() - start, 2);
  });

  it('remembers a refusal for a short while, but no failure to ask', async () => {
    const clock = new ManualClock();
    const authenticator = new TokenReviewAuthenticator({}, { client, clock });
    const start = reviews();
    for (let i = 0; i < 3; i++) assert.equal((await authenticator.authenticate('bad')).ok, false);
    assert.equal(reviews() - start, 1);
    api.refuse = () => 500;
    for (let i = 0; i < 2; i++) {
      const failed = await authenticator.authenticate('other');
      assert.ok(!failed.ok);
      assert.equal(failed.error.code, 'TOKEN_REVIEW_FAILED');
    }
    assert.equal(reviews() - start, 3);
  });

  it('refuses people, nodes, other audiences and tokens that are too long, without asking about the last', async () => {
    const authenticator = new TokenReviewAuthenticator({}, { client, clock: systemClock });
    api.tokens.set('person', { username: 'jane' });
    api.tokens.set('node', { username: 'system:node:n1' });
    api.tokens.set('audience', { username: account, audiences: ['api'] });
    for (const token of ['person', 'node', 'audience']) {
      assert.equal((await authenticator.authenticate(token)).ok, false, token);
    }
    const start = reviews();
    assert.equal((await authenticator.authenticate('x'.repeat(20_000))).ok, false);
    assert.equal((await authenticator.authenticate('')).ok, false);
    assert.equal(reviews(), start);
  });
});
