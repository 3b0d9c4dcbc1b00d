/**
 * Keys that cannot be had, whichever way, and forged tokens at a real waypoint (facts performance-and-reliability B.2 row
 * 13): never let through, nothing fetched from where nobody should be called, nothing of a token in the log.
 */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { importJWK } from 'jose';
import { AttackedWaypoint, CLOSE, pod, request, service } from '../helpers/attacked-waypoint.ts';
import { eventually } from '../helpers/eventually.ts';
import { JwtIssuer, tokenPart } from '../helpers/jwt-issuer.ts';

/** Serves keys in every way but the right one; prints what it is asked. */
const ISSUER = `
const keys = process.argv[1];
const act = {
  '/good': (res) => res.end(keys),
  '/drop': (res) => res.destroy(),
  '/error': (res) => res.writeHead(500).end(keys),
  '/html': (res) => res.writeHead(200, { 'content-type': 'text/html' }).end('<html>' + keys + '</html>'),
  '/other': (res) => res.end('{"keys":[]}'),
  '/deep': (res) => res.end('{"keys":' + '['.repeat(100000) + ']'.repeat(100000) + '}'),
  '/huge': (res) => { const more = () => { while (res.write(Buffer.alloc(65536, ' '))); }; res.on('drain', more); more(); },
  '/silent': () => 0,
  '/drip': (res) => { res.write('{'); setInterval(() => res.write(' '), 50).unref(); },
  '/half': (res) => { res.writeHead(200, { 'content-length': keys.length + 9 }); res.write(keys); setTimeout(() => res.destroy(), 100); },
  '/metadata': (res) => res.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data' }).end(),
  '/elsewhere': (res) => res.writeHead(302, { location: 'http://trap.web.svc.cluster.local:8000/good' }).end(),
  '/loop': (res) => res.writeHead(307, { location: '/loop' }).end(),
  '/file': (res) => res.writeHead(302, { location: 'file:///etc/passwd' }).end(),
};
require('http').createServer((req, res) => {
  console.log('asked', req.url);
  res.on('error', () => 0);
  (act[req.url] ?? act['/error'])(res);
}).listen(8000, '::');`;

/** By the name of the way: where the keys should be, and what the log says of it. */
const WAYS: Readonly<Record<string, readonly [url: string, reason: RegExp]>> = {
  drop: ['/drop', /socket hang up|ended|closed|reset/i],
  error: ['/error', /answered with 500/],
  html: ['/html', /no JWK set/],
  huge: ['/huge', /longer than 1048576 bytes/],
  silent: ['/silent', /no answer within 2000 ms/],
  drip: ['/drip', /no answer within 2000 ms/],
  half: ['/half', /aborted|hang up|closed|ended/i],
  metadata: ['/metadata', /moved to another host/],
  elsewhere: ['/elsewhere', /moved to another host/],
  loop: ['/loop', /moved too often/],
  file: ['/file', /moved to another host/],
  down: ['http://down.web.svc.cluster.local:8000/good', /refused|failed|503/i],
  nobody: ['http://nobody.web.svc.cluster.local:8000/good', /no healthy endpoint/],
  direct: ['http://169.254.169.254/latest/meta-data', /this machine, or one of its links/],
  own: ['http://localhost:15021/healthz/ready', /this machine, or one of its links/],
  number: ['http://2130706433:15021/healthz/ready', /this machine, or one of its links/],
};

const HOST = 'http://issuer.web.svc.cluster.local:8000';
const waypoint = new AttackedWaypoint();
let issuer: JwtIssuer;

/** A name of the endpoint for each way, as keys are asked for by rule. */
function guarded(name: string, jwksUri: string): object[] {
  const spec = {
    selector: { app: 'site' },
    ports: [{ name: 'main', port: 80, targetPort: 8080, appProtocol: 'http' }],
  };
  const targetRefs = [{ group: '', kind: 'Service', name }];
  const jwtRules = [{ issuer: issuer.name, jwksUri, timeout: '2s' }];
  return [
    { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'web' }, spec },
    {
      apiVersion: 'security.istio.io/v1',
      kind: 'RequestAuthentication',
      metadata: { name, namespace: 'web' },
      spec: { targetRefs, jwtRules },
    },
  ];
}

const ask = (way: string, token: string | undefined) =>
  waypoint.askHost(
    `way-${way}`,
    request('GET', `/${way}`, CLOSE + (token === undefined ? '' : `Authorization: Bearer ${token}\r\n`)),
  );

before(async () => {
  issuer = await JwtIssuer.create('https://issuer.example', 'RS256');
  const objects = Object.entries(WAYS).flatMap(([name, [url]]) =>
    guarded(`way-${name}`, url.startsWith('/') ? HOST + url : url),
  );
  await waypoint.up(
    [
      ...objects,
      ...guarded('way-good', `${HOST}/good`),
      ...guarded('way-other', `${HOST}/other`),
      ...guarded('way-deep', `${HOST}/deep`),
      service('issuer', 8000, 8000),
      service('trap', 8000, 8000),
      service('down', 8000, 9999),
      service('nobody', 8000, 8000),
      pod('issuer', 'node2', ['node', '-e', ISSUER, issuer.jwks], {}, 8000),
      pod('trap', 'node2', ['node', '-e', ISSUER, issuer.jwks], {}, 8000),
      pod('down', 'node2', ['sleep', 'infinity']),
    ],
    3,
  );
  await eventually('the rules', async () => (await ask('good', await issuer.sign())).startsWith('HTTP/1.1 200'));
});
after(() => waypoint[Symbol.asyncDispose]());

describe('keys that cannot be had refuse every token', { timeout: 110_000 }, () => {
  for (const [way, [url, reason]] of Object.entries(WAYS)) {
    it(`of ${url}`, async () => {
      const answer = await ask(way, await issuer.sign());
      assert.match(answer, /^HTTP\/1.1 401 [\s\S]*Jwks remote fetch is failed$/);
      assert.match(await ask(way, undefined), /^HTTP\/1.1 200 /, 'who has no token is nobody, as ever');
      const full = url.startsWith('/') ? HOST + url : new URL(url).href;
      assert.match(await waypoint.line(`url="${full}"`), reason);
      await waypoint.withstood();
    });
  }

  it('where the set has none that fits, or nothing but depth', async () => {
    for (const way of ['other', 'deep'])
      assert.match(await ask(way, await issuer.sign()), /^HTTP\/1.1 401 [\s\S]*Jwks doesn't have key/);
    await waypoint.withstood();
  });

  it('and nobody is called who should not be', async () => {
    await ask('elsewhere', await issuer.sign());
    assert.doesNotMatch(waypoint.mesh.log(/_trap/), /asked/);
    assert.match(waypoint.mesh.log(/_issuer/), /asked \/elsewhere/);
  });
});

describe('a forged token is refused', { timeout: 110_000 }, () => {
  const now = Math.floor(Date.now() / 1000);
  const claims = () => ({ iss: issuer.name, sub: 'root', exp: now + 600 });
  const hmac = (key: string | Buffer, header: object) => {
    const text = `${tokenPart({ alg: 'HS256', ...header })}.${tokenPart(claims())}`;
    return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
  };

  it('without signature, signed with the public key, or naming a key of its own', async () => {
    const thief = await JwtIssuer.create(issuer.name, 'RS256', issuer.kid);
    const key = await importJWK(issuer.jwk, 'RS256');
    assert.ok(!(key instanceof Uint8Array));
    const [head = '', body = ''] = (await issuer.sign()).split('.');
    const forged = [
      ...['none', 'None', 'NONE', ''].map((alg) => `${tokenPart({ alg })}.${body}.`),
      `${tokenPart({ alg: 'none' })}.${body}.AAAA`,
      `${head}.${body}.`,
      `${head}.${tokenPart(claims())}.${(await issuer.sign()).split('.')[2]}`,
      hmac(issuer.jwks, { kid: issuer.kid }),
      hmac(issuer.jwk.n ?? '', { kid: issuer.kid }),
      hmac(Buffer.from(issuer.jwk.n ?? '', 'base64url'), { kid: issuer.kid }),
      hmac('', { kid: '../../../../dev/null' }),
      hmac('', { kid: '/proc/self/environ' }),
      hmac('', { kid: "' OR 1=1 --" }),
      hmac('', { kid: '__proto__' }),
      await thief.sign(),
      await thief.sign({}, { jwk: thief.jwk }),
      await thief.sign({}, { jku: `${HOST}/thief`, x5u: 'http://169.254.169.254/' }),
      await issuer.sign({ exp: now - 600 }),
      await issuer.sign({ nbf: now + 6000 }),
      `${tokenPart({ alg: 'RS256', kid: issuer.kid, crit: ['x'], x: 1 })}.${body}.AAAA`,
      `${head}.${tokenPart(Buffer.from(`{"iss":"a","iss":"${issuer.name}"}`))}.AAAA`,
      `${tokenPart(Buffer.from(`{"a":${'['.repeat(10_000)}${']'.repeat(10_000)}}`))}.${body}.AAAA`,
      `${head}.${tokenPart(Buffer.from(`${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`))}.AAAA`,
      `${'A'.repeat(40_000)}.${body}.AAAA`,
      '.'.repeat(10_000),
    ];
    for (let at = 0; at < forged.length; at += 8) {
      const some = forged.slice(at, at + 8);
      const answers = await Promise.all(some.map((token) => ask('good', token)));
      for (const [index, answer] of answers.entries())
        assert.match(answer, /^HTTP\/1.1 401 /, `${some[index]?.slice(0, 200)}: ${answer}`);
    }
    assert.match(await ask('good', await issuer.sign()), /^HTTP\/1.1 200 /, 'a good one passes');
    assert.doesNotMatch(waypoint.mesh.log(/_issuer/), /thief/);
    const log = await waypoint.settledLog();
    for (const part of [head, body]) assert.ok(!log.includes(part), 'nothing of a token is in the log');
    await waypoint.withstood();
  });

  it('of a megabyte, before it is looked at', async () => {
    const megabyte = 'A'.repeat(1_048_576);
    assert.match(await ask('good', megabyte), /^HTTP\/1.1 431 /);
    const inUrl = request('GET', `/?access_token=${megabyte}`);
    assert.match(await waypoint.askHost('way-good', inUrl), /^HTTP\/1.1 414 /);
    await waypoint.withstood();
  });
});
