import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type NamespaceMode, probeNamespaces } from '../../../src/local/namespace-support.ts';

function probe(uid: number, allowed: readonly NamespaceMode[], settings: Record<string, string> = {}) {
  return probeNamespaces({ uid, attempt: (mode) => allowed.includes(mode), setting: (name) => settings[name] });
}

describe('probeNamespaces', () => {
  it('uses a user namespace where it is not root, or where root may not', () => {
    assert.equal(probe(0, ['root', 'user']), 'root');
    assert.equal(probe(0, ['user']), 'user');
    assert.equal(probe(1000, ['user']), 'user');
  });

  it('says in one sentence what to enable', () => {
    const cases: readonly [Record<string, string>, RegExp][] = [
      [{ 'kernel.unprivileged_userns_clone': '0' }, /kernel\.unprivileged_userns_clone=1/],
      [{ 'kernel.apparmor_restrict_unprivileged_userns': '1' }, /kernel\.apparmor_restrict_unprivileged_userns=0/],
      [{ 'user.max_user_namespaces': '0' }, /user\.max_user_namespaces=10000/],
      [{}, /run as root/],
    ];
    for (const [settings, expected] of cases) {
      assert.throws(() => probe(1000, [], settings), { code: 'NAMESPACES_FORBIDDEN', message: expected });
    }
    assert.throws(() => probe(0, []), { message: /CAP_SYS_ADMIN/ });
  });
});
