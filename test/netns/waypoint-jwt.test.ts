/** Tokens of requests at a waypoint of `ambit up`, whose keys an issuer inside of the strict mesh serves. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../helpers/eventually.ts';
import { JwtIssuer } from '../helpers/jwt-issuer.ts';
import { LocalMesh } from '../helpers/local-mesh.ts';

/** Tells what it got of the request. */
const SERVER = `
require('http').createServer(async (req, res) => {
  let bytes = 0;
  for await (const chunk of req) bytes += chunk.length;
  const { authorization, cookie, 'x-user': user } = req.headers;
  res.end(JSON.stringify({ url: req.url, authorization, user, bytes }));
}).listen(8080, '::');`;

/** Serves keys and metadata; prints each request. The second name hangs up on whoever asks. */
const ISSUER = `
const keys = process.argv[1];
require('http').createServer((req, res) => {
  console.log('asked', req.url);
  if (req.url === '/keys') return res.end(keys);
  if (req.url === '/.well-known/openid-configuration') return res.end(JSON.stringify({ jwks_uri: 'http://issuer.web:8000/keys' }));
  req.socket.destroy();
}).listen(8000, '::');`;

/** Asks with headers given as JSON; prints status, the challenge, and the body. */
const ASK = `
const [url, headers, bytes] = process.argv.slice(1);
const body = bytes ? Buffer.alloc(Number(bytes), 'y') : undefined;
fetch(url, { method: body ? 'POST' : 'GET', headers: JSON.parse(headers), body }).then(async (r) => {
  console.log(r.status, r.headers.get('www-authenticate'), await r.text());
}).catch((e) => console.log('failed', e.cause?.code ?? e.message));`;

const ISSUER_HOST = 'issuer.web.svc.cluster.local:8000';
const SECURITY = 'security.istio.io/v1';

const namespace = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'web', labels: { 'istio.io/dataplane-mode': 'ambient' } },
};
const gateway = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'Gateway',
  metadata: { name: 'gate', namespace: 'web' },
  spec: { gatewayClassName: 'istio-waypoint', listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }] },
};
const strict = {
  apiVersion: SECURITY,
  kind: 'PeerAuthentication',
  metadata: { name: 'strict', namespace: 'web' },
  spec: { mtls: { mode: 'STRICT' } },
};

function service(name: string, port: number, labels: object = {}): object {
  const metadata = { name, namespace: 'web', labels };
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata,
    spec: { selector: { app: name }, ports: [{ name: 'http', port, targetPort: port === 80 ? 8080 : port }] },
  };
}

function pod(name: string, node: string, port: number | undefined, command: readonly string[]): object {
  const readinessProbe = port && { tcpSocket: { port }, periodSeconds: 1 };
  const containers = [{ name: 'main', image: 'none', command, ...(readinessProbe && { readinessProbe }) }];
  const metadata = { name, namespace: 'web', labels: { app: name } };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { serviceAccountName: name, nodeName: node, containers } };
}

function policy(kind: string, name: string, spec: object): object {
  const targetRefs = [{ group: '', kind: 'Service', name: 'site' }];
  return { apiVersion: SECURITY, kind, metadata: { name, namespace: 'web' }, spec: { targetRefs, ...spec } };
}

const requests = (...jwtRules: readonly object[]) => policy('RequestAuthentication', 'tokens', { jwtRules });
const allow = (...rules: readonly object[]) => policy('AuthorizationPolicy', 'allow', { rules });

describe('tokens at a waypoint', { timeout: 110_000 }, () => {
  const mesh = new LocalMesh();
  let issuer: JwtIssuer;
  const ask = async (headers: object, path = '/', bytes = '') => {
    const args = ['node', '-e', ASK, `http://site${path}`, JSON.stringify(headers), bytes];
    const { stdout, stderr } = await mesh.exec('client', '-n', 'web', '--', ...args);
    return `${stdout}${stderr}`.trim();
  };
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  const byKeys = () => ({ issuer: issuer.name, jwksUri: `http://${ISSUER_HOST}/keys` });

  before(async () => {
    issuer = await JwtIssuer.create(`http://${ISSUER_HOST}`, 'RS256');
    mesh.write('mesh.yaml', namespace, strict, gateway, service('issuer', 8000));
    mesh.write('site.yaml', service('site', 80, { 'istio.io/use-waypoint': 'gate' }));
    mesh.write(
      'pods.yaml',
      pod('site', 'node2', 8080, ['node', '-e', SERVER]),
      pod('issuer', 'node1', 8000, ['node', '-e', ISSUER, issuer.jwks]),
      pod('client', 'node1', undefined, ['sleep', 'infinity']),
    );
    await mesh.up(4, '--nodes', '2');
    await eventually('an answer', async () => (await ask({})).startsWith('200'));
  });
  after(() => mesh[Symbol.asyncDispose]());

  it('pass, and are seen by the endpoint only as the rule says', async () => {
    const rule = { ...byKeys(), audiences: ['site'], outputClaimToHeaders: [{ header: 'x-user', claim: 'sub' }] };
    mesh.write('tokens.yaml', requests(rule));
    await eventually('the rule', async () => (await ask(bearer('x'))).startsWith('401'));
    const token = await issuer.sign({ aud: 'site' });
    assert.equal(await ask(bearer(token)), '200 null {"url":"/","user":"tester","bytes":0}');
    assert.equal(await ask(bearer(token), '/', '300000'), '200 null {"url":"/","user":"tester","bytes":300000}');
    assert.equal(await ask({}, `/a?access_token=${token}&b=1`), '200 null {"url":"/a?b=1","user":"tester","bytes":0}');
    assert.equal(await ask({ 'x-user': 'root' }), '200 null {"url":"/","bytes":0}');
  });

  it('are refused in words', async () => {
    const refused = (status: number, text: string) =>
      `${status} Bearer realm="http://site/", error="invalid_token" ${text}`;
    assert.equal(await ask(bearer(await issuer.sign())), refused(403, 'Audiences in Jwt are not allowed'));
    const expired = await issuer.sign({ aud: 'site', exp: 1 });
    assert.equal(await ask(bearer(expired)), refused(401, 'Jwt is expired'));
    const thief = await JwtIssuer.create(issuer.name, 'RS256', issuer.kid);
    const forged = await thief.sign({ aud: 'site' });
    assert.equal(await ask(bearer(forged), '/', '100000'), refused(401, 'Jwt verification fails'));
    assert.equal(await ask({}, `/?access_token=${forged}`), refused(401, 'Jwt verification fails'));
    assert.match(
      await mesh.settledLog(/_gate-/),
      /response_code=401 .*jwt_authn_access_denied\{Jwt_verification_fails\}/,
    );
    for (const token of [expired, forged]) {
      for (const part of token.split('.')) assert.ok(!mesh.log(/_gate-/).includes(part), 'no token is in a log');
    }
  });

  it('name the caller to policies', async () => {
    mesh.write('allow.yaml', allow({ from: [{ source: { requestPrincipals: [`${issuer.name}/tester`] } }] }));
    await eventually('the policy', async () => (await ask({})).startsWith('403'));
    assert.equal(await ask({}), '403 null RBAC: access denied');
    assert.match(await ask(bearer(await issuer.sign({ aud: 'site' }))), /^200 /);
    assert.match(await ask(bearer(await issuer.sign({ aud: 'site', sub: 'other' }))), /^403 null RBAC/);
  });

  it('tell policies their claims', async () => {
    const when = [
      { key: 'request.auth.claims[scope]', values: ['write'] },
      { key: 'request.auth.claims[team][name]', values: ['red*'] },
    ];
    mesh.write('allow.yaml', allow({ when }));
    const token = (scope: string, name: string) => issuer.sign({ aud: 'site', scope, team: { name } });
    const good = bearer(await token('read write', 'red-1'));
    await eventually('the policy', async () => (await ask(good)).startsWith('200'));
    assert.match(await ask(bearer(await token('read', 'red-1'))), /^403 null RBAC/);
    assert.match(await ask(bearer(await token('write', 'blue'))), /^403 null RBAC/);
    mesh.remove('allow.yaml');
    await eventually('free again', async () => (await ask({})).startsWith('200'));
  });

  it('choose the route of a request by their claims, and no header does', async () => {
    const answer = (body: string) => ({ directResponse: { status: 200, body: { string: body } } });
    const claims = (name: string, exact: string) => ({ headers: { [`@request.auth.claims${name}`]: { exact } } });
    const spec = {
      hosts: ['site'],
      http: [
        { match: [claims('.scope', 'write')], ...answer('writers') },
        { match: [claims('[team][name]', 'red')], ...answer('reds') },
        { match: [{ withoutHeaders: { '@request.auth.claims.sub': {} } }], ...answer('nobody') },
        answer('others'),
      ],
    };
    const metadata = { name: 'site', namespace: 'web' };
    mesh.write('routes.yaml', { apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata, spec });
    await eventually('the routes', async () => (await ask({})) === '200 null nobody');
    const asking = async (claimed: object, headers: object = {}) =>
      ask({ ...bearer(await issuer.sign({ aud: 'site', ...claimed })), ...headers });
    assert.equal(await asking({ scope: 'read write' }), '200 null writers');
    assert.equal(await asking({ scope: ['read', 'write'] }), '200 null writers');
    assert.equal(await asking({ team: { name: 'red' } }), '200 null reds');
    assert.equal(await asking({ scope: 'read', team: 'red' }), '200 null others');
    assert.equal(await ask({ scope: 'write', 'x-jwt-payload': 'write' }), '200 null nobody');
    const thief = await JwtIssuer.create(issuer.name, 'RS256', issuer.kid);
    assert.match(await ask(bearer(await thief.sign({ aud: 'site', scope: 'write' }))), /^401 /);
    mesh.remove('routes.yaml');
    await eventually('no routes', async () => (await ask({})).startsWith('200 null {'));
  });

  it('are verified with keys that were fetched once, through the mesh', () => {
    const asked = mesh.log(/issuer/).match(/asked \/keys/g) ?? [];
    assert.equal(asked.length, 1, mesh.log(/issuer/));
  });

  it('are verified with the keys that the issuer names in its metadata', async () => {
    mesh.write('tokens.yaml', requests({ issuer: issuer.name }));
    const token = bearer(await issuer.sign());
    await eventually('the rule', async () => (await ask(token)).startsWith('200'));
    assert.match(mesh.log(/issuer/), /asked \/.well-known\/openid-configuration/);
  });

  it('are all refused while the keys cannot be had', async () => {
    mesh.write('tokens.yaml', requests({ ...byKeys(), jwksUri: `http://${ISSUER_HOST}/broken` }));
    const token = bearer(await issuer.sign());
    await eventually('the rule', async () => (await ask(token)).endsWith('Jwks remote fetch is failed'));
    assert.match(await ask(token), /^401 /);
    assert.match(await ask({}), /^200 /);
    assert.match(await mesh.settledLog(/_gate-/), /keys of tokens not fetched/);
    mesh.remove('tokens.yaml');
    await eventually('nobody asks for tokens', async () => (await ask(token)).startsWith('200'));
  });
});
