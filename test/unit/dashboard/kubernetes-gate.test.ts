import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { after, before, beforeEach, describe, it } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { KubernetesGate } from '../../../src/dashboard/kubernetes-gate.ts';
import type { MeshPrograms } from '../../../src/dashboard/mesh-programs.ts';
import { type Answer, isAnswer, type Viewer } from '../../../src/dashboard/viewer.ts';
import { KubeClient } from '../../../src/kube/kube-client.ts';
import { FakeKubeApi } from '../../helpers/fake-kube-api.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

type Headers = Record<string, string>;

const ANNA = 'system:serviceaccount:shop:anna';
const REVIEWS = /tokenreviews$/;
const RIGHTS = /subjectaccessreviews$/;

describe('the gate of a dashboard in a cluster', () => {
  let api: FakeKubeApi;
  let client: KubeClient;
  let clock: ManualClock;
  let gate: KubernetesGate;
  let asked: string[];
  const known = ['shop', 'bank', 'istio-system'];
  before(async () => {
    api = await FakeKubeApi.start();
    client = new KubeClient(api.config, { clock: systemClock });
  });
  beforeEach(() => {
    api.refuse = () => undefined;
    api.tokens.clear();
    api.tokens.set('anna', { username: ANNA });
    api.allowsSubject = ({ user, resourceAttributes: { verb, resource, namespace } }) =>
      user === ANNA && verb === 'get' && resource === 'pods' && namespace === 'shop';
    clock = new ManualClock();
    asked = [];
    const programsOf = (token: string) => {
      asked.push(token);
      return {} as MeshPrograms;
    };
    gate = new KubernetesGate({ hosts: ['mesh.example'] }, { client, clock, namespaces: () => known, programsOf });
  });
  after(async () => {
    client.close();
    await api.stop();
  });

  const count = (kind: RegExp) => api.requests.filter((line) => kind.test(line)).length;
  const ask = (path: string, headers: Headers = {}): Promise<Viewer | Answer> => {
    const request = { method: 'GET', url: path, headers: { host: '10.244.1.2:8080', ...headers } };
    return gate.admit(request as unknown as IncomingMessage, new URL(path, 'http://dashboard'));
  };
  const post = async (path: string, body: string, headers: Headers = {}): Promise<Answer> => {
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const request = Object.assign(Readable.from([Buffer.from(body)]), {
      method: 'POST',
      url: path,
      headers: { host: 'localhost:8080', 'sec-fetch-site': 'same-origin', ...form, ...headers },
    });
    const answer = await gate.admit(request as unknown as IncomingMessage, new URL(path, 'http://dashboard'));
    return isAnswer(answer) ? answer : assert.fail('it let a form in');
  };
  const refusal = async (path: string, headers: Headers = {}): Promise<Answer> => {
    const answer = await ask(path, headers);
    return isAnswer(answer) ? answer : assert.fail('it let somebody in');
  };
  const viewer = async (headers: Headers, path = '/api/mesh'): Promise<Viewer> => {
    const admitted = await ask(path, headers);
    return isAnswer(admitted) ? assert.fail(`${admitted.status}: ${admitted.body}`) : admitted;
  };
  const bearer = (token: string): Headers => ({ authorization: `Bearer ${token}` });
  const logIn = async (headers: Headers = {}): Promise<string> => {
    const { status, headers: answered } = await post('/login', 'token=anna', headers);
    assert.equal(status, 303);
    return answered?.['set-cookie'] ?? '';
  };
  const cookieOf = (text: string): Headers => ({ host: 'localhost:8080', cookie: text.split(';')[0] ?? '' });

  it('asks programs for a token, and gives people a page to log in', async () => {
    const program = await refusal('/api/mesh');
    assert.equal(program.status, 401);
    assert.match(program.headers?.['www-authenticate'] ?? '', /^Bearer/);
    const page = await refusal('/', { accept: 'text/html,*/*' });
    assert.equal(page.status, 401);
    assert.match(page.body, /<form method="post" action="\/login"/);
    assert.match(page.headers?.['content-security-policy'] ?? '', /default-src 'none'.*form-action 'self'/);
    assert.equal((await refusal('/api/mesh', { accept: 'text/html' })).body.startsWith('<'), false);
  });

  it('shows a viewer the namespaces whose pods they may get, and asks with their own token for the rest', async () => {
    const seen = await viewer(bearer('anna'));
    assert.deepEqual(known.map(seen.mayRead), [true, false, false]);
    assert.equal(seen.mayRead(''), false);
    assert.notEqual(seen.programs, undefined);
    assert.deepEqual(asked, ['anna']);
  });

  it('asks with the same hands for each viewer from request to request, and lets go of who has left', async () => {
    const [first, again] = [await viewer(bearer('anna')), await viewer(bearer('anna'))];
    assert.equal(first.programs, again.programs);
    clock.advance(60_000);
    await ask('/healthz');
    assert.notEqual((await viewer(bearer('anna'))).programs, first.programs);
    assert.deepEqual(asked, ['anna', 'anna']);
  });

  it('shows all to whom all pods are open, with one question', async () => {
    api.allowsSubject = ({ resourceAttributes: { namespace } }) => namespace === '';
    const before = count(RIGHTS);
    const seen = await viewer(bearer('anna'));
    assert.ok([...known, 'never-seen'].every(seen.mayRead));
    assert.equal(count(RIGHTS) - before, 1);
  });

  it('turns a bad token away, and asks about it once in a while however often it comes', async () => {
    const before = count(REVIEWS);
    for (let n = 0; n < 20; n++) assert.equal((await refusal('/api/mesh', bearer('guess'))).status, 401);
    assert.equal(count(REVIEWS) - before, 1);
    assert.equal((await refusal('/', bearer('x'.repeat(17_000)))).status, 401);
    assert.equal(count(REVIEWS) - before, 1, 'what is too long is not even asked about');
  });

  it('keeps what a token may do for a short while only', async () => {
    const before = [count(REVIEWS), count(RIGHTS)];
    for (let n = 0; n < 10; n++) await viewer(bearer('anna'));
    assert.deepEqual([count(REVIEWS) - (before[0] ?? 0), count(RIGHTS) - (before[1] ?? 0)], [1, 1 + known.length]);
    api.allowsSubject = () => false;
    clock.advance(31_000);
    assert.equal((await viewer(bearer('anna'))).mayRead('shop'), false, 'a right that was taken away');
    api.tokens.clear();
    clock.advance(11_000);
    assert.equal((await refusal('/api/mesh', bearer('anna'))).status, 401, 'a token that ended');
  });

  it('learns of a namespace that a page asks for, and does not take it on trust', async () => {
    api.allowsSubject = ({ resourceAttributes: { namespace } }) => namespace === 'quiet';
    assert.equal((await viewer(bearer('anna'))).mayRead('quiet'), false);
    assert.equal((await viewer(bearer('anna'))).mayRead('quiet'), true);
  });

  it('asks for no viewer what another one made up, and for nobody what names no namespace', async () => {
    api.tokens.set('nobody', { username: 'system:serviceaccount:evil:default' });
    await viewer(bearer('anna'));
    const evil = await viewer(bearer('nobody'));
    for (let n = 0; n < 300; n++) evil.mayRead(`made-up-${n}`);
    for (const name of ['x'.repeat(64), 'a/b', 'A', '..']) evil.mayRead(name);
    clock.advance(31_000);
    let before = count(RIGHTS);
    await viewer(bearer('anna'));
    assert.equal(count(RIGHTS) - before, 1 + known.length);
    before = count(RIGHTS);
    await viewer(bearer('nobody'));
    assert.equal(count(RIGHTS) - before, 1 + known.length + 300);
  });

  it('has room for many viewers at once who each have many namespaces', async () => {
    const many = Array.from({ length: 40 }, (_, n) => `viewer-${n}`);
    for (const name of many) api.tokens.set(name, { username: name });
    for (const name of many) {
      const seen = await viewer(bearer(name));
      for (let n = 0; n < 20; n++) seen.mayRead(`asked-${n}`);
    }
    clock.advance(31_000);
    await Promise.all(many.flatMap((name) => [viewer(bearer(name)), viewer(bearer(name))]));
  });

  it('keeps who is logged in while somebody tries many bad tokens, for half a minute', async () => {
    await viewer(bearer('anna'));
    clock.advance(10_001);
    const bad = Array.from({ length: 200 }, (_, n) => ask('/api/mesh', bearer(`bad${n}`)));
    await viewer(bearer('anna'));
    await Promise.all(bad);
  });

  it('decides anew about somebody who goes on looking', async () => {
    const cookie = cookieOf(await logIn());
    const seen = await viewer(cookie);
    api.allowsSubject = () => false;
    clock.advance(31_000);
    const later = (await seen.again?.()) ?? assert.fail();
    assert.equal(!isAnswer(later) && later.mayRead('shop'), false);
    await post('/logout', '', cookie);
    const left = (await seen.again?.()) ?? assert.fail();
    assert.ok(isAnswer(left) && left.status === 401);
  });

  it('says that it cannot tell rather than that it may not, when the API server does not answer', async () => {
    api.refuse = (_, path) => (REVIEWS.test(path) ? 403 : undefined);
    const review = await refusal('/api/mesh', bearer('anna'));
    assert.equal(review.status, 503);
    assert.doesNotMatch(review.body, /anna/);
    api.refuse = (_, path) => (RIGHTS.test(path) ? 500 : undefined);
    assert.equal((await refusal('/api/mesh', bearer('anna'))).status, 503);
    api.refuse = () => undefined;
    assert.ok((await viewer(bearer('anna'))).mayRead('shop'), 'no failure is kept');
  });

  it('gives a session for a token: scripts do not see it, other sites do not send it, and it holds no token', async () => {
    const cookie = await logIn();
    assert.match(cookie, /; HttpOnly; SameSite=Strict; Path=\/; Max-Age=28800$/);
    assert.doesNotMatch(cookie, /anna/);
    assert.match(await logIn({ 'x-forwarded-proto': 'https' }), /; Secure$/);
    assert.ok((await viewer(cookieOf(cookie))).mayRead('shop'));
    assert.deepEqual(asked, ['anna']);
  });

  it('says why a login fails, in a page that holds nothing that was sent', async () => {
    const bad = await post('/login', 'token=%3Cscript%3E');
    assert.equal(bad.status, 401);
    assert.match(bad.body, /role="alert">this cluster does not take that token/);
    assert.doesNotMatch(bad.body, /script/);
    assert.equal((await post('/login', 'token=')).status, 400);
    assert.equal((await post('/login', `token=${'x'.repeat(40_000)}`)).status, 400);
    assert.equal((await post('/login', 'token=anna', { 'content-type': 'text/plain' })).status, 400);
  });

  it('takes a login of its own page where the browser says no more than the origin', async () => {
    const headers = { host: 'mesh.example', origin: 'http://mesh.example', 'sec-fetch-site': undefined };
    const { status } = await post('/login', 'token=anna', headers as unknown as Headers);
    assert.equal(status, 303);
  });

  it('takes no login from a page of another site', async () => {
    assert.equal((await post('/login', 'token=anna', { 'sec-fetch-site': 'cross-site' })).status, 403);
    for (const origin of ['http://evil.example', 'null', 'http://localhost:9999']) {
      const request = Object.assign(Readable.from([Buffer.from('token=anna')]), {
        method: 'POST',
        url: '/login',
        headers: { host: 'localhost:8080', origin },
      });
      const answer = await gate.admit(request as unknown as IncomingMessage, new URL('http://dashboard/login'));
      assert.ok(isAnswer(answer) && answer.status === 403, origin);
    }
  });

  it('is called by addresses, localhost and its own names only, so a stolen cookie is worth nothing elsewhere', async () => {
    const cookie = cookieOf(await logIn());
    for (const host of ['evil.example', 'mesh.example.evil', 'localhost.evil', 'evil@localhost', '', 'a b'])
      assert.equal((await refusal('/api/mesh', { ...cookie, host })).status, 421, host);
    for (const host of ['10.0.0.1', '[fd00::1]:8080', 'MESH.example:443', 'mesh.example.'])
      assert.equal(
        (await refusal('/api/mesh', { ...cookie, host })).status,
        401,
        `${host}: the session is of localhost`,
      );
    assert.ok((await viewer({ ...cookie, host: 'localhost:9090' })).mayRead('shop'), 'another port forwarded');
    assert.equal((await refusal('/healthz', { host: '10.244.1.2:8080' })).status, 200);
  });

  it('ends a session when it is asked to, is left alone, or its token is no longer good', async () => {
    const first = cookieOf(await logIn());
    const left = await post('/logout', '', first);
    assert.match(left.headers?.['set-cookie'] ?? '', /^ambit-login=; .*Max-Age=0/);
    assert.equal((await refusal('/api/mesh', first)).status, 401);
    const second = cookieOf(await logIn());
    clock.advance(3_600_000);
    assert.equal((await refusal('/api/mesh', second)).status, 401);
    const third = cookieOf(await logIn());
    api.tokens.clear();
    clock.advance(11_000);
    assert.equal((await refusal('/api/mesh', third)).status, 401);
    api.tokens.set('anna', { username: ANNA });
    clock.advance(6000);
    assert.equal((await refusal('/api/mesh', third)).status, 401, 'it does not come back');
  });
});
