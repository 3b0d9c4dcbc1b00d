import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { SignJWT } from 'jose';
import { systemClock } from '../../../src/base/clock.ts';
import { bearerToken } from '../../../src/control/caller.ts';
import { KeyFileAuthenticator } from '../../../src/control/token-authenticator.ts';
import { createTestTokenIssuer } from '../../helpers/test-ca.ts';

const issuer = createTestTokenIssuer();
let root = '';

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'ambit-token-'));
  await writeFile(join(root, 'keys.pem'), createTestTokenIssuer().publicKeyPem + issuer.publicKeyPem);
});
after(() => rm(root, { recursive: true, force: true }));

const authenticator = (options = {}) =>
  new KeyFileAuthenticator({ keyFile: join(root, 'keys.pem'), ...options }, systemClock);

async function outcome(token: string, options = {}): Promise<unknown> {
  const result = await authenticator(options).authenticate(token);
  return result.ok ? result.value : result.error.code;
}

describe('KeyFileAuthenticator', () => {
  test('tells account, pod and node of a token, with any key of the file', async () => {
    const token = await issuer.token({
      namespace: 'demo',
      serviceAccount: 'web',
      pod: { name: 'p', uid: 'u' },
      node: 'n',
    });
    assert.deepEqual(await outcome(token), {
      namespace: 'demo',
      serviceAccount: 'web',
      podName: 'p',
      podUid: 'u',
      nodeName: 'n',
    });
  });

  test('refuses missing, expired, foreign, altered and unsigned tokens and other audiences', async () => {
    const good = await issuer.token();
    const [head, body, signature] = good.split('.');
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${body}.`;
    const altered = Buffer.from(Buffer.from(body!, 'base64url').toString().replace('ztunnel', 'ztunne1')).toString(
      'base64url',
    );
    assert.equal(await outcome(''), 'TOKEN_MISSING');
    assert.equal(await outcome(await issuer.token({ expiresInSec: -60 })), 'TOKEN_EXPIRED');
    for (const token of [
      await createTestTokenIssuer().token(),
      `${head}.${altered}.${signature}`,
      none,
      'x.y.z',
      'x',
      'a'.repeat(20_000),
      await issuer.token({ audience: 'other' }),
    ]) {
      assert.equal(await outcome(token), 'TOKEN_INVALID');
    }
    assert.equal(await outcome(good, { issuer: 'https://kubernetes' }), 'TOKEN_INVALID');
    assert.equal(await outcome(good, { keyFile: join(root, 'missing') }), 'TOKEN_KEYS_UNREADABLE');
  });

  test('refuses a public key that is misused as a shared secret', async () => {
    const forged = await new SignJWT({})
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject('system:serviceaccount:a:b')
      .setAudience('istio-ca')
      .setExpirationTime('1h')
      .sign(Buffer.from(issuer.publicKeyPem));
    assert.equal(await outcome(forged), 'TOKEN_INVALID');
  });

  test('reads a JSON Web Key Set by key id, and reads it again when it changed', async () => {
    const file = join(root, 'jwks.json');
    const keys = ['a', 'b'].map((kid) => ({ kid, pair: generateKeyPairSync('rsa', { modulusLength: 2048 }) }));
    const set = (list: typeof keys) =>
      JSON.stringify({
        keys: list.map(({ kid, pair }) => ({ ...createPublicKey(pair.privateKey).export({ format: 'jwk' }), kid })),
      });
    await writeFile(file, set(keys.slice(0, 1)));
    const checker = authenticator({ keyFile: file });
    const sign = ({ kid, pair }: (typeof keys)[number]) =>
      new SignJWT({})
        .setProtectedHeader({ alg: 'RS256', kid })
        .setSubject('system:serviceaccount:demo:web')
        .setAudience('istio-ca')
        .setExpirationTime('1h')
        .sign(pair.privateKey);
    assert.equal((await checker.authenticate(await sign(keys[0]!))).ok, true);
    assert.equal((await checker.authenticate(await sign(keys[1]!))).ok, false);
    await writeFile(file, set(keys));
    assert.equal((await checker.authenticate(await sign(keys[1]!))).ok, true);
    await writeFile(file, 'broken');
    assert.equal((await checker.authenticate(await sign(keys[0]!))).ok, true);
  });
});

describe('bearerToken', () => {
  test('reads the token of an authorization header and nothing else', () => {
    assert.deepEqual(['Bearer abc', 'bearer  abc ', 'Basic abc', '', 'Bearer', 'Bearer a b'].map(bearerToken), [
      'abc',
      'abc',
      '',
      '',
      '',
      '',
    ]);
  });
});
