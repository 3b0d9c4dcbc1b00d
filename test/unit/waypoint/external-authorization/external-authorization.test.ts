import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fail, ok } from '../../../../src/base/result.ts';
import { proxyError } from '../../../../src/hbone/proxy-error.ts';
import type { HttpHeader, HttpStreamHandler } from '../../../../src/http/http-stream.ts';
import { createService } from '../../../../src/model/service.ts';
import { AuthorizationProvider } from '../../../../src/proto/gen/ambit.ts';
import { checkConnection } from '../../../../src/waypoint/external-authorization/check-connection.ts';
import { checkRequest } from '../../../../src/waypoint/external-authorization/check-request.ts';
import {
  type CheckOutcome,
  ExternalAuthorization,
  type ExternalAuthorizationDeps,
} from '../../../../src/waypoint/external-authorization/external-authorization.ts';
import { AuthorizationProviders } from '../../../../src/waypoint/external-authorization/providers.ts';
import { ReplayBudget, RequestBody } from '../../../../src/waypoint/request-body.ts';
import { RequestFields } from '../../../../src/waypoint/request-fields.ts';
import { checkedRequest } from '../../../helpers/checked-request.ts';
import { FakeHttpStream } from '../../../helpers/fake-http-stream.ts';
import { ManualClock } from '../../../helpers/manual-clock.ts';

const settle = () => new Promise((resolve) => setImmediate(resolve));
const HOST = 'ext.auth.svc.cluster.local';

interface Setup {
  readonly provider?: Partial<AuthorizationProvider>;
  /** Namespaces that have a service of the host name. */
  readonly namespaces?: readonly string[];
  /** What the rules that matched name. */
  readonly named?: string | undefined;
  readonly refuseConnections?: boolean;
  readonly endpoints?: number;
  readonly ended?: boolean;
  readonly budgetBytes?: number;
  readonly headers?: readonly HttpHeader[];
}

/** A waypoint with the provider `ext`, HTTP unless told. */
function setUp(options: Setup = {}) {
  const { namespaces = ['auth'], endpoints = 1 } = options;
  const clock = new ManualClock();
  const calls: { stream: FakeHttpStream; headers: ReadonlyMap<string, string> }[] = [];
  const open = { permits: 0, picks: 0 };
  const warnings: unknown[] = [];
  const services = namespaces.map((namespace) =>
    createService({ namespace, hostname: HOST, ports: new Map([[9000, 9000]]) as never }),
  );
  const providers = new AuthorizationProviders();
  const settings = { name: 'ext', hostname: HOST, port: 9000, timeoutMs: 1000, statusOnError: 403, http: {} };
  const bytes = AuthorizationProvider.encode(AuthorizationProvider.fromPartial({ ...settings, ...options.provider }));
  providers.handler().apply([{ name: 'ext', bytes: bytes.finish() } as never], []);
  const cluster = {
    policy: {},
    admitRequest: () => {
      open.permits++;
      return { release: () => void open.permits-- };
    },
    pick: () => {
      if (endpoints === 0) return undefined;
      open.picks++;
      return { endpoint: {}, done: () => void open.picks-- };
    },
  };
  const acquired: unknown[] = [];
  const deps = {
    clock,
    providers,
    logger: { warn: (_text: string, fields: unknown) => warnings.push(fields), info: () => undefined },
    clusters: { get: () => cluster },
    state: {
      service: (key: string) => services.find(({ namespace, hostname }) => key === `${namespace}/${hostname}`),
      servicesByHostname: (hostname: string) => services.filter((service) => service.hostname === hostname),
    },
    http: {
      acquire: async (...asked: readonly unknown[]) => {
        acquired.push(asked[4]);
        if (options.refuseConnections) return fail(proxyError('CONNECT_FAILED', 'connection refused'));
        const request = (headers: readonly HttpHeader[], handler: HttpStreamHandler, endStream: boolean) => {
          const stream = new FakeHttpStream();
          stream.setHandler(handler);
          stream.ended = endStream;
          calls.push({ stream, headers: new Map(headers) });
          return ok(stream);
        };
        return ok({ reused: false, release: () => undefined, request });
      },
    },
  } as unknown as ExternalAuthorizationDeps;
  const external = new ExternalAuthorization(deps);
  const client = new FakeHttpStream();
  const body = new RequestBody(options.ended ?? true, new ReplayBudget(options.budgetBytes ?? 1000), {
    onBodyEnded: () => undefined,
    onClientGone: () => end(),
  });
  client.setHandler(body);
  const fields = new RequestFields([
    [':method', 'POST'],
    [':scheme', 'http'],
    [':authority', 'site'],
    [':path', '/a'],
    ...(options.headers ?? []),
  ]);
  const outcomes: CheckOutcome[] = [];
  const match = { rule: 'r', provider: 'named' in options ? options.named : 'ext' };
  const request = { stream: client, body, fields, connection: checkedRequest() };
  const end = checkRequest(match, request, external, (outcome) => outcomes.push(outcome));
  return { clock, calls, open, warnings, client, body, outcomes, external, match, cluster, acquired };
}

/** The reply of a check that refused. */
function reply({ outcomes }: { outcomes: readonly CheckOutcome[] }) {
  const [outcome] = outcomes;
  assert.ok(outcomes.length === 1 && outcome?.kind === 'refused', JSON.stringify(outcomes));
  return outcome.reply;
}

function answer(stream: FakeHttpStream | undefined, status: number, body = '') {
  assert.ok(stream);
  stream.headers(status);
  if (body !== '') stream.data(body);
  stream.finish();
  stream.close({ kind: 'normal' });
}

describe('the check of a request', () => {
  it('goes over a connection as the traffic policy of the authorizer wants it', async () => {
    const lab = setUp();
    await settle();
    assert.deepEqual(lab.acquired, [lab.cluster.policy]);
    assert.notEqual(lab.cluster.policy, undefined);
  });

  it('lets it through when the authorizer allows, and leaves nothing behind', async () => {
    const lab = setUp();
    await settle();
    assert.equal(lab.calls[0]?.headers.get(':path'), '/a');
    answer(lab.calls[0]?.stream, 200);
    assert.deepEqual(
      lab.outcomes.map(({ kind }) => kind),
      ['allowed'],
    );
    assert.deepEqual([lab.open, lab.clock.waitingMs], [{ permits: 0, picks: 0 }, []]);
  });

  it('answers as the authorizer denied', async () => {
    const lab = setUp();
    await settle();
    answer(lab.calls[0]?.stream, 401, 'who?');
    const { status, body, flag, details } = reply(lab);
    assert.deepEqual([status, String(body), flag, details], [401, 'who?', 'UAEX', 'ext_authz_denied']);
  });

  it('refuses with 403 what no known provider, or several, should decide, whatever may fail open', () => {
    const open = { failOpen: true };
    const cases: readonly Setup[] = [
      { named: 'other', provider: open },
      { named: undefined, provider: open },
      { namespaces: [], provider: open },
      { namespaces: ['a', 'b'], provider: open },
      { provider: { ...open, port: 1 } },
      { provider: { ...open, namespace: 'elsewhere' } },
    ];
    for (const setup of cases) {
      const lab = setUp(setup);
      const { status, details } = reply(lab);
      const rule = 'rbac_access_denied_matched_policy[r-deny-due-to-bad-CUSTOM-action]';
      assert.deepEqual([status, details], [403, rule], JSON.stringify(setup));
      assert.equal(lab.warnings.length, 1);
    }
    const named = setUp({ namespaces: ['a', 'b'], provider: { namespace: 'b' } });
    assert.deepEqual(named.outcomes, []);
  });

  it('answers with the configured status while the authorizer cannot be asked, and logs each reason once', async () => {
    const provider = { statusOnError: 503 };
    const lab = setUp({ provider, refuseConnections: true });
    await settle();
    const { status, body, flag, details } = reply(lab);
    assert.deepEqual([status, body, flag, details], [503, '', 'UAEX', 'ext_authz_error']);
    lab.external.find({ rule: 'r', provider: 'other' });
    lab.external.find({ rule: 'r', provider: 'other' });
    assert.equal(lab.warnings.length, 2);
    const without = setUp({ provider, endpoints: 0 });
    assert.equal(reply(without).status, 503);
    const failing = setUp({ provider });
    await settle();
    answer(failing.calls[0]?.stream, 500, 'oh');
    assert.equal(reply(failing).body, '');
  });

  it('waits no longer than the timeout, and ends the question then', async () => {
    const lab = setUp();
    await settle();
    lab.clock.advance(999);
    assert.deepEqual(lab.outcomes, []);
    lab.clock.advance(1);
    assert.equal(reply(lab).details, 'ext_authz_error');
    assert.equal(lab.calls[0]?.stream.resets.length, 1);
    assert.deepEqual(lab.open, { permits: 0, picks: 0 });
  });

  it('lets it through unchanged when the provider fails open', async () => {
    const lab = setUp({ provider: { failOpen: true } });
    await settle();
    lab.calls[0]?.stream.close({ kind: 'lost', error: undefined });
    assert.deepEqual(lab.outcomes, [
      { kind: 'allowed', request: { edits: [], remove: [] }, response: { edits: [], remove: [] }, reroute: false },
    ]);
  });

  it('is asked again when nobody read the question, and not for ever', async () => {
    const lab = setUp();
    for (let call = 0; call < 3; call++) {
      await settle();
      assert.equal(lab.calls.length, call + 1);
      lab.calls[call]?.stream.close({ kind: 'unprocessed' });
    }
    await settle();
    assert.equal(lab.calls.length, 3);
    assert.equal(reply(lab).details, 'ext_authz_error');
  });

  it('ends with its client', async () => {
    const lab = setUp();
    await settle();
    lab.client.close({ kind: 'reset', by: 'peer', code: 8 });
    assert.deepEqual([lab.outcomes, lab.calls[0]?.stream.resets.length], [[], 1]);
    assert.deepEqual([lab.open, lab.clock.waitingMs], [{ permits: 0, picks: 0 }, []]);
  });

  it('takes no answer without end', async () => {
    const lab = setUp();
    await settle();
    lab.calls[0]?.stream.headers(401);
    for (let chunk = 0; chunk < 17; chunk++) lab.calls[0]?.stream.data('x'.repeat(65_536));
    assert.equal(reply(lab).details, 'ext_authz_error');
  });
});

describe('the body of a checked request', () => {
  const wanting = (allowPartial: boolean) => ({ body: { maxBytes: 8, allowPartial, asBytes: false } });

  it('is waited for, with credit for as much as is wanted', async () => {
    const lab = setUp({ ended: false, provider: wanting(false), headers: [['expect', '100-continue']] });
    assert.deepEqual(lab.client.responses, [[[':status', '100']]]);
    lab.client.data('hell');
    await settle();
    assert.deepEqual([lab.calls.length, lab.client.creditBytes], [0, 4]);
    lab.client.data('o');
    lab.client.finish();
    await settle();
    assert.deepEqual(lab.calls[0]?.stream.written, ['hello']);
    assert.equal(lab.calls[0]?.headers.get('content-length'), '5');
    assert.equal(lab.body.complete?.toString(), 'hello', 'the endpoint gets it too');
  });

  it('is cut where its beginning is enough', async () => {
    const lab = setUp({ ended: false, provider: wanting(true) });
    lab.client.data('0123456789');
    await settle();
    assert.deepEqual(lab.calls[0]?.stream.written, ['01234567']);
    assert.equal(lab.calls[0]?.headers.get('x-envoy-auth-partial-body'), 'true');
  });

  it('may not be longer where all of it is wanted', () => {
    const lab = setUp({ ended: false, provider: wanting(false) });
    lab.client.data('01234567');
    assert.deepEqual(lab.outcomes, []);
    lab.client.data('8');
    const { status, body } = reply(lab);
    assert.deepEqual([status, body], [413, 'Payload Too Large']);
  });

  it('is refused when the waypoint has no room for it, even if the provider fails open', () => {
    const lab = setUp({ ended: false, budgetBytes: 3, provider: { ...wanting(false), failOpen: true } });
    lab.client.data('0123');
    assert.deepEqual([reply(lab).status, reply(lab).details], [403, 'ext_authz_error']);
  });

  it('gives its room back when its client goes away before it is whole', async () => {
    const lab = setUp({ ended: false, provider: wanting(false) });
    lab.client.data('0123');
    lab.client.close({ kind: 'reset', by: 'peer', code: 8 });
    await settle();
    assert.deepEqual([lab.outcomes, lab.calls], [[], []]);
  });
});

describe('the check of a connection that is not HTTP', () => {
  it('asks by gRPC, and not by HTTP: there it passes only where its service says that it is no HTTP', async () => {
    const decided: (string | undefined)[] = [];
    const decide = (refusal: string | undefined) => decided.push(refusal);
    const http = setUp();
    checkConnection(http.match, checkedRequest(), true, http.external, decide);
    checkConnection(http.match, checkedRequest(), false, http.external, decide);
    assert.deepEqual(decided, [undefined, 'ext_authz_denied']);
    const grpc = setUp({ provider: { http: undefined as never } });
    checkConnection(grpc.match, checkedRequest(), true, grpc.external, decide);
    await settle();
    const asked = grpc.calls[1];
    assert.equal(asked?.headers.get('content-type'), 'application/grpc');
    asked?.stream.headers(200, { 'grpc-status': '14' }, true);
    assert.deepEqual(decided.slice(2), ['ext_authz_error']);
  });
});
