import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { type ClientTls, Credential, TlsMode } from '../../../src/proto/gen/ambit.ts';
import { FileTexts } from '../../../src/waypoint/file-texts.ts';
import { TlsCredentials } from '../../../src/waypoint/tls-credentials.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';
import { createTestCa } from '../../helpers/test-ca.ts';

const NAME = 'mutual/demo/client';
const MUTUAL: ClientTls = {
  mode: TlsMode.MUTUAL,
  sni: '',
  subjectAltNames: [],
  insecureSkipVerify: false,
  credential: NAME,
  files: undefined,
};
const SIMPLE: ClientTls = { ...MUTUAL, mode: TlsMode.SIMPLE };
const ca = createTestCa();
const folder = mkdtempSync(join(tmpdir(), 'tls-credentials-'));
after(() => rmSync(folder, { recursive: true }));

function create(clock = new ManualClock()): TlsCredentials {
  return new TlsCredentials('demo', new FileTexts(clock));
}

function feed(credentials: TlsCredentials, fields: Partial<Credential>, name = NAME): void {
  const credential = { problem: '', certificate: '', key: '', ca: '', crl: '', caProblem: '', ...fields };
  const bytes = Credential.encode(credential).finish();
  assert.deepEqual(credentials.handler().apply([{ name, version: '1', aliases: [], bytes }], []), []);
}

async function failure(credentials: TlsCredentials, tls: ClientTls): Promise<string> {
  const result = await credentials.of(tls);
  return result.ok ? 'none' : result.error;
}

function files(paths: object, namespace = 'demo'): ClientTls {
  return { ...MUTUAL, credential: '', files: { namespace, certificate: '', key: '', ca: '', crl: '', ...paths } };
}

function put(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe('what a waypoint shows to endpoints', () => {
  it('comes from the feed, and is the same object until it changes', async () => {
    const credentials = create();
    feed(credentials, { certificate: 'c', key: 'k', ca: 'a' });
    const first = await credentials.of(MUTUAL);
    assert.deepEqual(first.ok && first.value.texts, {
      own: { certificate: 'c', key: 'k' },
      ca: 'a',
      crl: undefined,
    });
    assert.equal(first.ok && first.value, (await credentials.of(MUTUAL).then((r) => r.ok && r.value)) || undefined);
    feed(credentials, { certificate: 'd', key: 'k', ca: 'a' });
    const next = await credentials.of(MUTUAL);
    assert.equal(next.ok && next.value.texts.own?.certificate, 'd');
  });

  it('is a failure in words where the feed has none, has a problem, or took it back', async () => {
    const credentials = create();
    const missing =
      'Secret "client", which a rule of namespace demo names, is not given to waypoints of namespace demo';
    assert.equal(await failure(credentials, MUTUAL), missing);
    feed(credentials, { problem: 'Secret demo/client has no key' });
    assert.equal(await failure(credentials, MUTUAL), 'Secret demo/client has no key');
    credentials.handler().apply([], [NAME]);
    assert.equal(await failure(credentials, MUTUAL), missing);
  });

  it('needs an authority, unless nothing is to be checked', async () => {
    const credentials = create();
    feed(credentials, { certificate: 'c', key: 'k', caProblem: 'Secret demo/client has no ca.crt' });
    assert.equal(await failure(credentials, MUTUAL), 'Secret demo/client has no ca.crt');
    assert.equal(await failure(credentials, { ...MUTUAL, insecureSkipVerify: true }), 'none');
  });

  it('is refused by name where it cannot be decoded', () => {
    const bytes = Buffer.from([0xff, 0xff]);
    const refused = create()
      .handler()
      .apply([{ name: NAME, version: '1', aliases: [], bytes }], []);
    assert.deepEqual(refused, [{ name: NAME, reason: 'it cannot be decoded' }]);
  });

  it('is never nothing where the policy wants a certificate shown', async () => {
    assert.match(await failure(create(), { ...MUTUAL, credential: '' }), /MUTUAL needs a certificate/);
    const path = put('ca', ca.rootPem);
    assert.match(await failure(create(), files({ ca: path })), /MUTUAL needs a certificate/);
  });

  it('is nothing but the roots of the system where the policy names nothing', async () => {
    const result = await create().of({ ...SIMPLE, credential: '' });
    assert.deepEqual(result.ok && result.value.texts, { own: undefined, ca: undefined, crl: undefined });
    const system = await create().of({ ...files({ ca: 'system' }), mode: TlsMode.SIMPLE });
    assert.deepEqual(system.ok && system.value.texts, { own: undefined, ca: undefined, crl: undefined });
  });
});

describe('files of a waypoint', () => {
  it('are read, and again when they changed, at most once in a second', async () => {
    const clock = new ManualClock();
    const credentials = create(clock);
    const leaf = ca.leaf();
    const tls = files({
      certificate: put('crt', leaf.certPem),
      key: put('key', leaf.keyPem),
      ca: put('ca', ca.rootPem),
    });
    const texts = async () => {
      const result = await credentials.of(tls);
      return result.ok ? result.value.texts : undefined;
    };
    assert.deepEqual(await texts(), {
      own: { certificate: leaf.certPem, key: leaf.keyPem },
      ca: ca.rootPem,
      crl: undefined,
    });
    const before = await credentials.of(tls);
    const next = createTestCa().rootPem;
    put('ca', next);
    assert.equal((await texts())?.ca, ca.rootPem);
    clock.advance(1000);
    assert.equal((await texts())?.ca, next);
    put('ca', ca.rootPem);
    clock.advance(1000);
    const again = await credentials.of(tls);
    assert.ok(before.ok && again.ok && before.value.isOf(again.value.texts));
  });

  it('that do not fit together are read again for the next connection', async () => {
    const credentials = create();
    const [old, next] = [ca.leaf(), ca.leaf()];
    const tls = files({ certificate: put('crt', next.certPem), key: put('key', old.keyPem) });
    const first = await credentials.of(tls);
    assert.equal(first.ok && first.value.context().ok, false);
    put('key', next.keyPem);
    const second = await credentials.of(tls);
    assert.equal(second.ok && second.value.context().ok, true);
  });

  it('are for waypoints of the namespace of the rule only, unless it speaks for all', async () => {
    const path = put('ca', ca.rootPem);
    assert.match(await failure(create(), files({ ca: path }, 'other')), /a rule of namespace other/);
    assert.equal(await failure(create(), { ...files({ ca: path }, ''), mode: TlsMode.SIMPLE }), 'none');
  });

  it('that are missing, empty, endless or no files are failures', async () => {
    mkdirSync(join(folder, 'folder'));
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    for (const [path, problem] of [
      [join(folder, 'missing'), /ENOENT/],
      [put('empty', ''), /empty/],
      [join(folder, 'folder'), /no regular file/],
      [join(folder, 'pipe'), /no regular file/],
      ['/dev/zero', /no regular file/],
      [put('large', 'x'.repeat(2 * 1024 * 1024)), /larger than/],
    ] as const) {
      const text = await failure(create(), files({ ca: path }));
      assert.ok(text.startsWith(path) && problem.test(text), text);
    }
  });
});
