import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { before, describe, it } from 'node:test';
import { exportSPKI, importJWK, type JWK } from 'jose';
import type { JwtRule } from '../../../src/authn/jwt-rule.ts';
import { parseKeySet } from '../../../src/authn/key-set.ts';
import { readToken } from '../../../src/authn/read-token.ts';
import { verifyToken } from '../../../src/authn/verify-token.ts';
import { fail } from '../../../src/base/result.ts';
import { JwtIssuer, tokenPart } from '../../helpers/jwt-issuer.ts';

const ISSUER = 'https://issuer';
const issuers: JwtIssuer[] = [];
let jwks = '';

const rule: JwtRule = {
  issuer: ISSUER,
  audiences: [],
  keys: { kind: 'inline', keys: undefined },
  places: { headers: [], params: [], cookies: [] },
  forwardsToken: false,
  payloadHeader: '',
  claimHeaders: [],
  splitClaims: [],
};

async function verdict(token: string, keys = jwks): Promise<string> {
  const verified = await verifyToken(rule, token, 1_000_000_000, () => parseKeySet(keys));
  return verified.ok ? 'accepted' : verified.error;
}

const claims = { iss: ISSUER, sub: 'a' };
const hmac = (input: string, secret: string | Buffer) => createHmac('sha256', secret).update(input).digest('base64url');

before(async () => {
  for (const alg of ['RS256', 'RS512', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA']) {
    issuers.push(await JwtIssuer.create(ISSUER, alg));
  }
  jwks = JSON.stringify({ keys: issuers.map(({ jwk }) => jwk) });
});

describe('a token that is as it should be', () => {
  it('is accepted, whatever the algorithm', async () => {
    for (const issuer of issuers) assert.equal(await verdict(await issuer.sign()), 'accepted', issuer.alg);
  });

  it('is accepted without the name of its key, and by keys without names', async () => {
    for (const issuer of issuers) {
      assert.equal(await verdict(await issuer.sign({}, { kid: undefined })), 'accepted', issuer.alg);
      const { kid: _, ...jwk } = issuer.jwk;
      assert.equal(await verdict(await issuer.sign(), JSON.stringify({ keys: [jwk] })), 'accepted', issuer.alg);
    }
  });

  it('may be signed with a secret that the set holds as such', async () => {
    const k = Buffer.alloc(32, 7);
    const input = `${tokenPart({ alg: 'HS256' })}.${tokenPart(claims)}`;
    const set = JSON.stringify({ keys: [{ kty: 'oct', k: k.toString('base64url') }] });
    assert.equal(await verdict(`${input}.${hmac(input, k)}`, set), 'accepted');
    assert.equal(await verdict(`${input}.${hmac(input, 'guess')}`, set), 'signature');
  });

  it('is verified by a set with keys that cannot be used', async () => {
    const [good] = issuers;
    assert.ok(good);
    const odd = [null, 1, {}, { kty: 'RSA' }, { kty: 'RSA', n: 'AQ', e: 'AQAB' }, { kty: 'EC', crv: 'P-0' }];
    assert.equal(await verdict(await good.sign(), JSON.stringify({ keys: [...odd, good.jwk] })), 'accepted');
  });
});

describe('a forged token', () => {
  it('is not signed by the public key taken for a secret', async () => {
    for (const { jwk, kid, alg } of issuers) {
      const spki = await exportSPKI((await importJWK(jwk, alg)) as Parameters<typeof exportSPKI>[0]);
      for (const secret of [spki, spki.trim(), JSON.stringify(jwk), jwk.n ?? jwk.x ?? '']) {
        const input = `${tokenPart({ alg: 'HS256', kid })}.${tokenPart(claims)}`;
        assert.equal(await verdict(`${input}.${hmac(input, secret)}`), 'noKey', alg);
      }
    }
  });

  it('is not without signature', async () => {
    for (const alg of ['none', 'None', 'NONE', '', ' none']) {
      const input = `${tokenPart({ alg })}.${tokenPart(claims)}`;
      for (const signature of ['', 'AAAA']) assert.match(await verdict(`${input}.${signature}`), /^algUnknown$/, alg);
    }
  });

  it('is not signed by a key that it brings along, or names by URL', async () => {
    const thief = await JwtIssuer.create(ISSUER, 'RS256');
    assert.equal(await verdict(await thief.sign({}, { jwk: thief.jwk, jku: 'http://thief/keys' })), 'signature');
  });

  it('is not another payload, header or signature put together', async () => {
    const [one, two] = issuers;
    assert.ok(one && two);
    const [head = '', body = '', signature = ''] = (await one.sign()).split('.');
    const [otherHead = '', , otherSignature = ''] = (await two.sign()).split('.');
    assert.equal(await verdict(`${head}.${tokenPart({ ...claims, sub: 'admin' })}.${signature}`), 'signature');
    assert.equal(await verdict(`${head}.${body}.${otherSignature}`), 'signature');
    assert.equal(await verdict(`${otherHead}.${body}.${signature}`), 'signature');
    assert.equal(await verdict(`${head}.${body}.${signature.slice(0, -4)}`), 'signature');
    assert.equal(await verdict(`${head}.${body}.AAAA`), 'signature');
  });

  it('is not signed by a key of another name, use or algorithm', async () => {
    const [one] = issuers;
    assert.ok(one);
    assert.equal(await verdict(await one.sign({}, { kid: 'other' })), 'noKey');
    const changed = (more: JWK) => JSON.stringify({ keys: [{ ...one.jwk, ...more } as JWK] });
    assert.equal(await verdict(await one.sign(), changed({ use: 'enc' } as JWK)), 'noKey');
    assert.equal(await verdict(await one.sign(), changed({ alg: 'RS384' } as JWK)), 'noKey');
    assert.equal(await verdict(await one.sign(), changed({ kty: 'EC' })), 'noKey');
    assert.equal(await verdict(await one.sign(), '{"keys":[]}'), 'noKey');
  });

  it('does not ask for what is not understood', async () => {
    const [one] = issuers;
    assert.ok(one);
    const [, body = '', signature = ''] = (await one.sign()).split('.');
    const head = tokenPart({ alg: one.alg, kid: one.kid, crit: ['b64'], b64: false });
    assert.equal(await verdict(`${head}.${body}.${signature}`), 'signature');
  });
});

describe('a text that is no token', () => {
  const head = tokenPart({ alg: 'RS256' });
  const body = tokenPart(claims);
  const deep = (open: string, close: string) => open.repeat(10_000) + close.repeat(10_000);
  const utf8 = Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]);
  const rows: readonly (readonly [string, string, string])[] = [
    ['nothing', '', 'format'],
    ['dots', '..', 'format'],
    ['more dots', '....', 'format'],
    ['many dots', '.'.repeat(30_000), 'format'],
    ['one section', 'abc', 'format'],
    ['two sections', `${head}.${body}`, 'format'],
    ['four sections', `${head}.${body}.a.b`, 'format'],
    ['five sections, which is encryption', `${head}.a.b.c.d`, 'format'],
    ['no header', `.${body}.AAAA`, 'format'],
    ['no payload', `${head}..AAAA`, 'format'],
    ['no signature', `${head}.${body}.`, 'signatureEncoding'],
    ['too much of it', `${head}.${'A'.repeat(40_000)}.AAAA`, 'format'],
    ['a megabyte', 'A'.repeat(1_048_576), 'format'],
    ['a blank', `${head}. ${body}.AAAA`, 'payloadEncoding'],
    ['base64 of the other alphabet', `${head}.ab+/.AAAA`, 'payloadEncoding'],
    ['padding', `${head}.${body}=.AAAA`, 'payloadEncoding'],
    ['half a byte', `${head}.${body.slice(0, 5)}.AAAA`, 'payloadEncoding'],
    ['letters beyond ASCII', `${head}.é${body}.AAAA`, 'payloadEncoding'],
    ['a null byte', `${head}\0.${body}.AAAA`, 'headerEncoding'],
    ['a line end', `${head}.${body}.AA\nAA`, 'signatureEncoding'],
    ['a signature that is none', `${head}.${body}.$$$$`, 'signatureEncoding'],
    ['a header that is no JSON', `${tokenPart(Buffer.from('{alg'))}.${body}.AAAA`, 'headerJson'],
    ['a header that is a list', `${tokenPart(['RS256'])}.${body}.AAAA`, 'headerJson'],
    ['a header that is null', `${tokenPart(null)}.${body}.AAAA`, 'headerJson'],
    ['a header that is a text', `${tokenPart('RS256')}.${body}.AAAA`, 'headerJson'],
    ['a header that is deep', `${tokenPart(Buffer.from(deep('[', ']')))}.${body}.AAAA`, 'headerJson'],
    ['no algorithm', `${tokenPart({})}.${body}.AAAA`, 'algMissing'],
    ['an algorithm that is a list', `${tokenPart({ alg: ['RS256'] })}.${body}.AAAA`, 'algMissing'],
    ['an algorithm of the prototype', `${tokenPart({ alg: 'constructor' })}.${body}.AAAA`, 'algUnknown'],
    ['an algorithm of encryption', `${tokenPart({ alg: 'RSA-OAEP' })}.${body}.AAAA`, 'algUnknown'],
    ['a name of a key that is a number', `${tokenPart({ alg: 'RS256', kid: 1 })}.${body}.AAAA`, 'kidType'],
    ['a payload that is no JSON', `${head}.${tokenPart(Buffer.from('{'))}.AAAA`, 'payloadJson'],
    ['a payload that is no UTF-8', `${head}.${tokenPart(utf8)}.AAAA`, 'payloadJson'],
    ['a payload that is a number', `${head}.${tokenPart(1)}.AAAA`, 'payloadJson'],
    ['a payload that is a list', `${head}.${tokenPart([claims])}.AAAA`, 'payloadJson'],
    ['a payload that is deep', `${head}.${tokenPart(Buffer.from(`{"a":${'['.repeat(9_000)}`))}.AAAA`, 'payloadJson'],
    ['an issuer that is a list', `${head}.${tokenPart({ iss: [ISSUER] })}.AAAA`, 'issuerType'],
    ['a subject that is an object', `${head}.${tokenPart({ iss: ISSUER, sub: {} })}.AAAA`, 'subjectType'],
    ['an audience that is a number', `${head}.${tokenPart({ iss: ISSUER, aud: 1 })}.AAAA`, 'audienceType'],
    ['an audience with a number', `${head}.${tokenPart({ iss: ISSUER, aud: ['a', 1] })}.AAAA`, 'audienceType'],
    ['an expiry that is a text', `${head}.${tokenPart({ iss: ISSUER, exp: '9999999999' })}.AAAA`, 'expiryType'],
    ['an expiry that is null', `${head}.${tokenPart({ iss: ISSUER, exp: null })}.AAAA`, 'expiryType'],
    ['an expiry without end', `${head}.${tokenPart(Buffer.from('{"exp":1e999}'))}.AAAA`, 'expiryType'],
    ['an expiry before time', `${head}.${tokenPart({ iss: ISSUER, exp: -1 })}.AAAA`, 'expiryType'],
    ['a beginning that is a list', `${head}.${tokenPart({ iss: ISSUER, nbf: [1] })}.AAAA`, 'notBeforeType'],
    ['no issuer', `${head}.${tokenPart({})}.AAAA`, 'issuer'],
    [
      'an issuer of the prototype',
      `${head}.${tokenPart(Buffer.from('{"__proto__":{"iss":"https://issuer"}}'))}.AAAA`,
      'issuer',
    ],
  ];
  for (const [name, text, expected] of rows) {
    it(`is refused: ${name}`, async () => assert.equal(await verdict(text), expected));
  }

  it('is refused when it says a thing twice, of which readers take one or the other', () => {
    const twice = [
      '{"iss":"a","iss":"https://issuer"}',
      '{"sub":"x","\\u0073ub":"y","iss":"https://issuer"}',
      '{"a":[{"b":1,"b" \n:2}]}',
      '{"a":1,"a":1}',
    ];
    for (const text of twice) {
      assert.deepEqual(readToken(`${head}.${tokenPart(Buffer.from(text))}.AAAA`), fail('payloadJson'), text);
    }
    const heads = Buffer.from('{"alg":"RS256","alg":"none"}');
    assert.deepEqual(readToken(`${tokenPart(heads)}.${body}.AAAA`), fail('headerJson'));
    const once = '{"a":{"a":"a"},"b":[{"a":1},{"a":2}],"c":"\\"a\\":","iss":"a"}';
    assert.ok(readToken(`${head}.${tokenPart(Buffer.from(once))}.AAAA`).ok);
  });

  it('is deep inside of a text only, and so is not deep', () => {
    const read = readToken(`${head}.${tokenPart({ a: '[{"\\'.repeat(1000) })}.AAAA`);
    assert.ok(read.ok);
  });
});

describe('a set of keys', () => {
  it('is none when it is something else', () => {
    for (const text of ['', '{', 'null', '1', '[]', '{}', '{"keys":{}}', '{"keys":"a"}']) {
      assert.equal(parseKeySet(text), undefined, text);
    }
  });
});
