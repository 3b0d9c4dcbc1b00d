import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { TokenRules } from '../../../src/authn/jwt-rule.ts';
import { TokenAuthenticator } from '../../../src/authn/token-authenticator.ts';
import { type Logger, silentLogger } from '../../../src/base/logger.ts';
import type { HttpHeader } from '../../../src/http/http-stream.ts';
import { WaypointPolicy } from '../../../src/proto/gen/ambit.ts';
import { AccessRecord } from '../../../src/waypoint/access-record.ts';
import { authenticateRequest } from '../../../src/waypoint/authenticate-request.ts';
import type { LocalReply } from '../../../src/waypoint/local-reply.ts';
import { WaypointPolicies } from '../../../src/waypoint/policies.ts';
import { serviceTargets } from '../../../src/waypoint/policy-targets.ts';
import { RequestFields } from '../../../src/waypoint/request-fields.ts';
import { JwtIssuer } from '../../helpers/jwt-issuer.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';
import { silentTelemetry, unknownClient } from '../../helpers/silent-telemetry.ts';

const CLIENT = { address: '10.0.0.1:9', ip: '10.0.0.1', certificate: undefined };

let issuer: JwtIssuer;
before(async () => {
  issuer = await JwtIssuer.create('https://issuer', 'RS256');
});

const TARGETS = serviceTargets(
  { namespace: 'shop', name: 'gate' },
  { canonical: true, namespace: 'shop', name: 'cart' },
);

function fed(
  name: string,
  target: string,
  jwtRules: readonly object[],
  policies = new WaypointPolicies(() => undefined),
) {
  const manifest = {
    apiVersion: 'security.istio.io/v1',
    kind: 'RequestAuthentication',
    metadata: { name, namespace: 'shop' },
    spec: { jwtRules },
  };
  const policy: WaypointPolicy = {
    namespace: 'shop',
    name,
    kind: 'RequestAuthentication',
    targets: [target],
    manifest: Buffer.from(JSON.stringify(manifest)),
  };
  const resource = { name: `RequestAuthentication/shop/${name}`, version: '', aliases: [] };
  const bytes = WaypointPolicy.encode(policy).finish();
  assert.deepEqual(policies.handler().apply([{ ...resource, bytes }], []), []);
  return policies;
}

function request(path: string, ...more: readonly HttpHeader[]): RequestFields {
  const pseudo: HttpHeader[] = [
    [':method', more.some(([name]) => name === 'origin') ? 'OPTIONS' : 'GET'],
    [':scheme', 'http'],
    [':authority', 'cart'],
    [':path', path],
  ];
  return new RequestFields([...pseudo, ...more]);
}

function authenticate(fields: RequestFields, rules: TokenRules): Promise<LocalReply | string> {
  const clock = new ManualClock();
  const keysOf = (source: TokenRules['rules'][number]['keys']) => (source.kind === 'inline' ? source.keys : undefined);
  return new Promise((resolve) =>
    authenticateRequest(fields, rules, new TokenAuthenticator({ clock, keysOf }), {
      onPassed: (claims) => resolve(String(claims?.['sub'])),
      onRefused: resolve,
    }),
  );
}

const rule = (more: object = {}) => ({ issuer: issuer.name, jwks: issuer.jwks, ...more });

describe('RequestAuthentications at a waypoint', () => {
  it('are pooled over all targets, and say nothing where there are none', () => {
    const policies = fed('one', 'Service/shop/cart', [rule()]);
    fed('two', 'GatewayClass/istio-waypoint', [rule(), rule()], policies);
    fed('three', 'Mesh', [rule()], policies);
    fed('other', 'Service/shop/else', [rule({ outputPayloadToHeader: 'x-else' })], policies);
    assert.equal(policies.tokenRulesOf(TARGETS)?.rules.length, 4);
    assert.equal(policies.tokenRulesOf(TARGETS)?.ownHeaders.size, 0);
    assert.deepEqual(policies.of(TARGETS).all, []);
    const none = new WaypointPolicies(() => undefined);
    none.handler().apply([], []);
    assert.equal(none.hasTokenRules, false);
    assert.equal(none.tokenRulesOf(TARGETS), undefined);
  });
});

describe('the token of a request', () => {
  const rules = (more: object = {}) => {
    const pool = fed('r', 'Service/shop/cart', [rule(more)]).tokenRulesOf(TARGETS);
    assert.ok(pool);
    return pool;
  };

  it('passes, and is not seen by the endpoint', async () => {
    const fields = request(`/a?access_token=${await issuer.sign()}&b=1`, ['x-sub', 'forged']);
    const output = { outputClaimToHeaders: [{ header: 'x-sub', claim: 'sub' }] };
    assert.equal(await authenticate(fields, rules(output)), 'tester');
    assert.equal(fields.target, '/a?b=1');
    assert.equal(fields.header('x-sub'), 'tester');
    const { target } = fields;
    const upstream = fields.forUpstream('http1', { target, authority: '', headers: [] }, CLIENT);
    assert.ok(upstream.some(([name, value]) => name === ':path' && value === '/a?b=1'));
    const rewritten = fields.forUpstream('http1', { target: '/new', authority: '', headers: [] }, CLIENT);
    assert.ok(!rewritten.some(([, value]) => value.includes('access_token')));
  });

  it('is not asked of browsers that ask for leave', async () => {
    const preflight = [
      ['origin', 'http://a'],
      ['access-control-request-method', 'PUT'],
      ['authorization', 'Bearer x'],
    ] as const;
    assert.equal(await authenticate(request('/', ...preflight), rules()), 'undefined');
    const forged = request('/', ...preflight, ['x-sub', 'forged']);
    await authenticate(forged, rules({ outputClaimToHeaders: [{ header: 'x-sub', claim: 'sub' }] }));
    assert.equal(forged.header('x-sub'), undefined);
  });

  it('is refused in the words that clients know', async () => {
    const refused = async (token: string, more?: object) =>
      authenticate(request('/p"?q=1', ['authorization', `Bearer ${token}`]), rules(more));
    const www = ['www-authenticate', 'Bearer realm="http://cart/p\\"", error="invalid_token"'];
    const answer = (status: number, body: string, details: string) => ({
      status,
      body,
      flag: '-',
      details: `jwt_authn_access_denied{${details}}`,
      headers: [www],
    });
    assert.deepEqual(
      await refused('x'),
      answer(
        401,
        'Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections',
        'Jwt_is_not_in_the_form_of_Header.Payload.Signature_with_two_dots_and_3_sections',
      ),
    );
    assert.deepEqual(
      await refused(await issuer.sign(), { audiences: ['a'] }),
      answer(403, 'Audiences in Jwt are not allowed', 'Audiences_in_Jwt_are_not_allowed'),
    );
    assert.deepEqual(
      await refused(await issuer.sign(), { jwks: undefined, jwksUri: 'http://keys' }),
      answer(401, 'Jwks remote fetch is failed', 'Jwks_remote_fetch_is_failed'),
    );
  });

  it('is in no line of a log, whatever becomes of the request', async () => {
    const pool = rules({ forwardOriginalToken: true });
    const lines: string[] = [];
    const log: Logger = {
      ...silentLogger,
      enabled: () => true,
      info: (message, fields) => lines.push(message + JSON.stringify(fields)),
    };
    const context = {
      target: { kind: 'workload', workload: {}, port: 80 } as never,
      client: unknownClient,
      clientAddress: '',
      subject: { identity: undefined },
      tokenRules: () => pool,
    };
    const tokens = [await issuer.sign(), await issuer.sign({ exp: 1 }), 'a.b.c', 'secretsecretsecret'];
    for (const token of tokens) {
      for (const path of [`/?access_token=${token}`, `/?a=b&access%5Ftoken=${token}`, `/%00?access_token=${token}`]) {
        const fields = request(path, ['authorization', `Bearer ${token}`], ['cookie', `c=${token}`]);
        const noEvents = { onRecorded: () => undefined };
        const deps = { clock: new ManualClock(), accessLog: log, tapLog: silentLogger, telemetry: silentTelemetry };
        new AccessRecord(fields, context, deps, noEvents).clientGone({ receivedBytes: 0 });
        const record = new AccessRecord(fields, context, deps, noEvents);
        const outcome = await authenticate(fields, pool);
        if (typeof outcome === 'string') record.end(undefined, { receivedBytes: 0 });
        else record.answered(outcome, { receivedBytes: 0 });
      }
      assert.ok(lines.length > 0);
      for (const line of lines)
        for (const part of token.split('.')) if (part.length > 4) assert.ok(!line.includes(part), line);
    }
  });
});
