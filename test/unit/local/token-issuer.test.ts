import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { silentLogger } from '../../../src/base/logger.ts';
import { KeyFileAuthenticator } from '../../../src/control/token-authenticator.ts';
import { TokenIssuer } from '../../../src/local/token-issuer.ts';
import { eventually } from '../../helpers/eventually.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

const folder = mkdtempSync(join(tmpdir(), 'ambit-token-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const HALF_HOUR_MS = 1_800_000;

describe('TokenIssuer', () => {
  it('signs tokens that the control plane takes for the node, and renews them before they expire', async () => {
    const clock = new ManualClock();
    const keyFile = join(folder, 'keys.pem');
    const tokenFile = join(folder, 'nodes/node1/token');
    const issuer = await TokenIssuer.create(keyFile, { clock, logger: silentLogger });
    const subject = { namespace: 'istio-system', serviceAccount: 'ztunnel', podName: 'zt-1', nodeName: 'node1' };
    await issuer.maintain(tokenFile, subject);
    const first = readFileSync(tokenFile, 'utf8');
    const authenticator = new KeyFileAuthenticator({ keyFile }, clock);
    const caller = await authenticator.authenticate(first);
    assert.ok(caller.ok, caller.ok ? '' : caller.error.message);
    const { podUid, ...rest } = caller.value;
    assert.notEqual(podUid, '');
    assert.deepEqual(rest, { ...subject });
    clock.advance(HALF_HOUR_MS);
    await eventually('another token', () => readFileSync(tokenFile, 'utf8') !== first);
    const second = readFileSync(tokenFile, 'utf8');
    clock.advance(HALF_HOUR_MS + 60_000);
    assert.equal((await authenticator.authenticate(first)).ok, false);
    const renewed = await authenticator.authenticate(second);
    assert.ok(renewed.ok && renewed.value.podUid === podUid);
    issuer.stop();
  });

  it('keeps one timer for a file, and none of what has ended', async () => {
    const clock = new ManualClock();
    const issuer = await TokenIssuer.create(join(folder, 'more-keys.pem'), { clock, logger: silentLogger });
    const subject = { namespace: 'istio-system', serviceAccount: 'ztunnel', podName: 'zt-1', nodeName: 'node1' };
    const files = ['one', 'two'].map((name) => join(folder, name));
    for (const file of files) await issuer.maintain(file, subject);
    await issuer.maintain(files[0] ?? '', subject);
    assert.equal(clock.waitingMs.length, 2, 'maintained again, not twice');
    for (let renewal = 1; renewal <= 3; renewal++) {
      clock.advance(HALF_HOUR_MS);
      await eventually('both wait again', () => clock.waitingMs.length >= 2);
      assert.equal(clock.waitingMs.length, 2, `renewal ${renewal}`);
    }
    const late = issuer.maintain(files[1] ?? '', subject);
    issuer.stop();
    await late;
    assert.deepEqual(clock.waitingMs, [], 'a token that was being written starts no timer');
  });
});
